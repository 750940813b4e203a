import { describe, expect, it } from 'vitest';
import { at } from '../trace/units.ts';
import { allocateUnicodeText } from './strings.ts';
import { testKernel } from './testing.ts';

describe('named events', () => {
  it('are signaled when new, shared by name, and gone with the last handle', () => {
    const { kernel, wdk, run } = testKernel();
    const EventName = allocateUnicodeText(kernel, '\\BaseNamedObjects\\link', 'event name');
    run(function* () {
      const first = yield* wdk.IoCreateNotificationEvent({ EventName });
      const second = yield* wdk.IoCreateNotificationEvent({ EventName });
      expect(second.result).toBe(first.result);
      expect(second.EventHandle).not.toBe(first.EventHandle);
      expect(kernel.memory.readU32(at(first.result, 4))).toBe(1);
      yield* wdk.ZwClose({ Handle: first.EventHandle });
      expect(kernel.heap.blockAt(first.result)?.state).not.toBe('freed');
      yield* wdk.ZwClose({ Handle: second.EventHandle });
      const third = yield* wdk.IoCreateNotificationEvent({ EventName });
      expect(third.result).not.toBe(first.result);
    });
  });
});
