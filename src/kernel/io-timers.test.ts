import { describe, expect, it } from 'vitest';
import { NULL, SECOND, type VirtualTime } from '../trace/units.ts';
import { testKernel } from './testing.ts';

describe('the timer of a device object', () => {
  it('runs once a second from start to stop, and is owed meanwhile', () => {
    const { kernel, wdk, run } = testKernel();
    const DeviceObject = kernel.heap.allocate(0x150, 'DEVICE_OBJECT', { fill: 0 });
    const at: number[] = [];
    run(function* () {
      const TimerRoutine = () => void at.push(kernel.scheduler.irql, Math.round(kernel.clock.now / SECOND));
      expect(yield* wdk.IoInitializeTimer({ DeviceObject, TimerRoutine, Context: NULL })).toBe(0);
      yield* wdk.IoStopTimer({ DeviceObject });
      yield* wdk.IoStartTimer({ DeviceObject });
      const until = (kernel.clock.now + 2.5 * SECOND) as VirtualTime;
      const ready = () => kernel.clock.now >= until;
      yield { kind: 'wait', what: 'time', ready, deadline: until };
      yield* wdk.IoStopTimer({ DeviceObject });
    });
    expect(at).toEqual([2, 1, 2, 2]);
    const ledger = kernel.trace.events.flatMap((event) =>
      event.kind === 'acquire' || event.kind === 'undo' ? [`${event.kind} ${event.type}`] : [],
    );
    expect(ledger).toEqual(['acquire ktimer', 'undo ktimer']);
  });
});

describe('one routine on every processor', () => {
  it('runs on each at IPI_LEVEL before the call returns', () => {
    const { kernel, wdk, run } = testKernel({ processors: 2 });
    const seen: number[][] = [];
    const BroadcastFunction = () => {
      seen.push([kernel.scheduler.processor.number, kernel.scheduler.irql]);
      return 7n;
    };
    const result = run(() => wdk.KeIpiGenericCall({ BroadcastFunction, Context: NULL }));
    expect(result).toBe(7n);
    expect(seen.toSorted()).toEqual([
      [0, 14],
      [1, 14],
    ]);
    expect(kernel.scheduler.processors.map(({ interrupts }) => interrupts.length)).toEqual([0, 0]);
  });
});
