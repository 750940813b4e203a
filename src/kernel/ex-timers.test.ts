import { describe, expect, it } from 'vitest';
import { MILLISECOND, NULL } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { testKernel } from './testing.ts';

function machine(processors = 1) {
  const made = testKernel({ processors });
  const sleep = (count: number) =>
    made.wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -count * MILLISECOND } });
  return { ...made, sleep };
}

describe('EX_TIMER', () => {
  it('calls back, can be waited for and cancelled, and is owed until deleted', () => {
    const { kernel, wdk, run, sleep } = machine();
    let fired = 0;
    run(function* () {
      const timer = yield* wdk.ExAllocateTimer({
        Callback: () => {
          fired++;
        },
        CallbackContext: NULL,
        Attributes: 0,
      });
      const set = { Timer: timer, Period: 0, Parameters: NULL };
      expect(kernel.resources.live(['ex-timer'], timer)).toBeDefined();
      expect(yield* wdk.ExSetTimer({ ...set, DueTime: -MILLISECOND })).toBe(false);
      yield* wdk.KeWaitForSingleObject({ Object: timer, WaitReason: 0, WaitMode: 0, Alertable: false });
      yield* sleep(1);
      expect(fired).toBe(1);
      yield* wdk.ExSetTimer({ ...set, DueTime: -MILLISECOND });
      expect(yield* wdk.ExCancelTimer({ Timer: timer, Parameters: NULL })).toBe(true);
      yield* sleep(5);
      expect(fired).toBe(1);
      expect(yield* wdk.ExDeleteTimer({ Timer: timer, Cancel: true, Wait: true })).toBe(false);
      expect(kernel.resources.live(['ex-timer'], timer)).toBeUndefined();
      expect(() => kernel.memory.readU8(timer)).toThrow(MemoryFault);
    });
  });

  it('deleting with Wait waits for a running callback, and then for the delete callback', () => {
    const { kernel, wdk, run } = machine(2);
    const order: string[] = [];
    run(function* () {
      const timer = yield* wdk.ExAllocateTimer({
        *Callback() {
          order.push('begins');
          for (let i = 0; i < 20; i++) yield { kind: 'point', spinning: true };
          order.push('ends');
        },
        CallbackContext: NULL,
        Attributes: 0,
      });
      yield* wdk.ExSetTimer({ Timer: timer, DueTime: -1, Period: 0, Parameters: NULL });
      yield* wdk.KeSetSystemAffinityThread({ Affinity: 2n });
      kernel.clock.advance(10);
      while (order.length === 0) yield { kind: 'point', spinning: true };
      const deleted = () => {
        order.push('deleted');
      };
      const Parameters = { DeleteCallback: kernel.code.expose(deleted) };
      yield* wdk.ExDeleteTimer({ Timer: timer, Cancel: true, Wait: true, Parameters });
      order.push('returned');
    });
    expect(order).toEqual(['begins', 'ends', 'deleted', 'returned']);
  });

  it('deleted without Cancel, it expires once more and goes then', () => {
    const { kernel, wdk, run, sleep } = machine();
    let fired = 0;
    run(function* () {
      const timer = yield* wdk.ExAllocateTimer({
        Callback: () => {
          fired++;
        },
        CallbackContext: NULL,
        Attributes: 0,
      });
      yield* wdk.ExSetTimer({ Timer: timer, DueTime: -MILLISECOND, Period: MILLISECOND, Parameters: NULL });
      expect(yield* wdk.ExDeleteTimer({ Timer: timer, Cancel: false, Wait: false })).toBe(false);
      expect(yield* wdk.ExSetTimer({ Timer: timer, DueTime: -1, Period: 0, Parameters: NULL })).toBe(false);
      yield* sleep(10);
      expect(fired).toBe(1);
      expect(() => kernel.memory.readU8(timer)).toThrow(MemoryFault);
    });
  });
});
