import { describe, expect, it } from 'vitest';
import { type Address, MILLISECOND, NULL } from '../trace/units.ts';
import { KDPC } from './dpcs.ts';
import { testKernel } from './testing.ts';
import { KTIMER } from './timers.ts';

function withTimer(routine: () => void) {
  const made = testKernel();
  const { kernel, wdk } = made;
  const timer = kernel.heap.allocate(KTIMER.size, 'KTIMER');
  const dpc = kernel.heap.allocate(KDPC.size, 'KDPC');
  const prepare = function* () {
    yield* wdk.KeInitializeTimer({ Timer: timer });
    yield* wdk.KeInitializeDpc({ Dpc: dpc, DeferredRoutine: routine, DeferredContext: NULL });
  };
  const sleep = function* (milliseconds: number) {
    yield* wdk.KeDelayExecutionThread({
      WaitMode: 0,
      Alertable: false,
      Interval: { QuadPart: -milliseconds * MILLISECOND },
    });
  };
  const live = (type: string, key: Address) => kernel.resources.live([type], key);
  return { ...made, timer, dpc, prepare, sleep, live };
}

describe('KTIMER', () => {
  it('fires once, after its time, and is no longer owed', () => {
    let fired = 0;
    const { kernel, wdk, run, timer, dpc, prepare, sleep, live } = withTimer(() => {
      fired++;
    });
    run(function* () {
      yield* prepare();
      expect(yield* wdk.KeSetTimer({ Timer: timer, DueTime: -10 * MILLISECOND, Dpc: dpc })).toBe(false);
      expect(live('ktimer', timer)).toBeDefined();
      yield* sleep(9);
      expect(fired).toBe(0);
      yield* sleep(2);
      expect(fired).toBe(1);
      expect(live('ktimer', timer)).toBeUndefined();
      expect(live('dpc', dpc)).toBeUndefined();
      expect(yield* wdk.KeReadStateTimer({ Timer: timer })).toBe(true);
      expect(yield* wdk.KeCancelTimer({ Timer: timer })).toBe(false);
    });
    expect(kernel.trace.events.filter((event) => event.kind === 'undo' && event.outcome !== 'undone')).toEqual([]);
  });

  it('set twice is one timer, and cancelled never fires', () => {
    let fired = 0;
    const { wdk, run, timer, dpc, prepare, sleep, live } = withTimer(() => {
      fired++;
    });
    run(function* () {
      yield* prepare();
      yield* wdk.KeSetTimer({ Timer: timer, DueTime: -10 * MILLISECOND, Dpc: dpc });
      expect(yield* wdk.KeSetTimer({ Timer: timer, DueTime: -20 * MILLISECOND, Dpc: dpc })).toBe(true);
      yield* sleep(15);
      expect(yield* wdk.KeCancelTimer({ Timer: timer })).toBe(true);
      expect(live('ktimer', timer)).toBeUndefined();
      yield* sleep(50);
    });
    expect(fired).toBe(0);
  });

  it('periodic: fires until cancelled; a DPC queued before the cancel still runs, and flushing waits for it', () => {
    let fired = 0;
    const { kernel, wdk, run, timer, dpc, prepare, sleep } = withTimer(() => {
      fired++;
    });
    run(function* () {
      yield* prepare();
      yield* wdk.KeSetTimerEx({ Timer: timer, DueTime: -10 * MILLISECOND, Period: 10, Dpc: dpc });
      yield* sleep(35);
      expect(fired).toBe(3);
      // The alarm rings while this thread keeps DPCs out.
      const old = kernel.scheduler.setIrql(2 as never);
      kernel.clock.advance(10 * MILLISECOND);
      expect(yield* wdk.KeCancelTimer({ Timer: timer })).toBe(true);
      kernel.scheduler.setIrql(old);
      expect(fired).toBe(3);
      yield* wdk.KeFlushQueuedDpcs();
      expect(fired).toBe(4);
      yield* sleep(100);
      expect(fired).toBe(4);
    });
  });

  it('absolute times count from 1601; the past fires at once', () => {
    const { kernel, wdk, run, timer, dpc, prepare, sleep } = withTimer(() => {});
    run(function* () {
      yield* prepare();
      const at = Number(kernel.clock.systemTime) + 10 * MILLISECOND;
      yield* wdk.KeSetTimer({ Timer: timer, DueTime: at, Dpc: dpc });
      yield* sleep(9);
      expect(kernel.kernelTimers.isSet(timer)).toBe(true);
      yield* sleep(2);
      expect(kernel.kernelTimers.isSet(timer)).toBe(false);
      yield* wdk.KeSetTimer({ Timer: timer, DueTime: 0, Dpc: dpc });
      yield* sleep(1);
      expect(kernel.kernelTimers.isSet(timer)).toBe(false);
    });
  });

  it('freed while set is a fact, and its expiry ends the run', () => {
    const { kernel, wdk, run, timer, dpc, prepare, sleep } = withTimer(() => {});
    expect(() =>
      run(function* () {
        yield* prepare();
        yield* wdk.KeSetTimer({ Timer: timer, DueTime: -10 * MILLISECOND, Dpc: dpc });
        kernel.heap.free(timer);
        yield* sleep(20);
      }),
    ).toThrow('after its memory was freed');
    expect(kernel.trace.events).toContainEqual(
      expect.objectContaining({ kind: 'fact', what: 'freed-with-live-object' }),
    );
  });
});
