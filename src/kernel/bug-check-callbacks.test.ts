import { describe, expect, it } from 'vitest';
import { NULL } from '../trace/units.ts';
import { KBUGCHECK_CALLBACK_RECORD, KBUGCHECK_REASON_CALLBACK_RECORD } from './bug-check-callbacks.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const t = testKernel();
  const { kernel, wdk } = t;
  const record = kernel.pool.allocate({ size: 64, what: 'record', zero: true });
  const ledger = () =>
    kernel.trace.events.flatMap((event) =>
      event.kind === 'acquire' ? ['+'] : event.kind === 'undo' ? [event.outcome] : [],
    );
  return { ...t, kernel, wdk, record, ledger };
}

describe('bug check callbacks', () => {
  it('are called with their buffer, once registered and until deregistered', () => {
    const { kernel, wdk, run, record, ledger } = setUp();
    const seen: unknown[] = [];
    const args = {
      CallbackRecord: KBUGCHECK_CALLBACK_RECORD.at(kernel.memory, record).address,
      CallbackRoutine: (given: object) => void seen.push(given),
      Buffer: record,
      Length: 64,
      Component: NULL,
    };
    run(function* () {
      expect(yield* wdk.KeRegisterBugCheckCallback(args)).toBe(true);
      expect(yield* wdk.KeRegisterBugCheckCallback(args)).toBe(false);
      yield* kernel.bugCheckCallbacks.run();
      expect(yield* wdk.KeDeregisterBugCheckCallback({ CallbackRecord: record })).toBe(true);
      yield* kernel.bugCheckCallbacks.run();
      expect(yield* wdk.KeDeregisterBugCheckCallback({ CallbackRecord: record })).toBe(false);
    });
    expect(seen).toMatchObject([{ Buffer: record, Length: 64 }]);
    expect(ledger()).toEqual(['+', 'undone']);
  });

  it('for secondary data get room for it; those that shape the dump are not asked', () => {
    const { kernel, wdk, run, record } = setUp();
    const reasons: unknown[] = [];
    run(function* () {
      for (const Reason of [2, 4]) {
        const at = KBUGCHECK_REASON_CALLBACK_RECORD.at(kernel.memory, record).address;
        const CallbackRoutine = ({ Reason: given }: { Reason: number }) => void reasons.push(given);
        const args = { CallbackRecord: at, CallbackRoutine, Reason, Component: NULL };
        expect(yield* wdk.KeRegisterBugCheckReasonCallback(args)).toBe(true);
        yield* kernel.bugCheckCallbacks.run();
        yield* wdk.KeDeregisterBugCheckReasonCallback({ CallbackRecord: at });
      }
    });
    expect(reasons).toEqual([2]);
  });
});
