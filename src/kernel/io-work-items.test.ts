import { describe, expect, it } from 'vitest';
import { SPINNING } from './scheduler.ts';
import { BugCheck } from './stops.ts';
import { testKernel } from './testing.ts';

const DEVICE = 0x1000 as never;

describe('work items', () => {
  it('runs the routine at PASSIVE_LEVEL in a worker thread, which may free the item', () => {
    const { kernel, wdk, run } = testKernel();
    const seen: unknown[] = [];
    run(function* () {
      const item = yield* wdk.IoAllocateWorkItem({ DeviceObject: DEVICE });
      const routine = function* (args: { DeviceObject: number; Context: number }) {
        seen.push(args.DeviceObject, args.Context, kernel.scheduler.irql, kernel.workItems.isRunning(item));
        yield* wdk.IoFreeWorkItem({ IoWorkItem: item });
      };
      yield* wdk.IoQueueWorkItem({ IoWorkItem: item, WorkerRoutine: routine, QueueType: 1, Context: 7 as never });
      expect(kernel.workItems.isQueued(item)).toBe(true);
      yield { kind: 'wait', what: 'the worker', ready: () => seen.length > 0 && !kernel.workItems.isRunning(item) };
    });
    expect(seen).toEqual([DEVICE, 7, 0, true]);
    const facts = kernel.trace.events.flatMap((event) => (event.kind === 'fact' ? [event.what] : []));
    expect(facts.slice(0, 2)).toEqual(['work-item-queued', 'work-item-started']);
  });

  it('passes object, context and item to an extended routine', () => {
    const { wdk, run } = testKernel({ processors: 2 });
    const seen: unknown[] = [];
    const item = run(function* () {
      const item = yield* wdk.IoAllocateWorkItem({ DeviceObject: DEVICE });
      yield* wdk.IoQueueWorkItemEx({
        IoWorkItem: item,
        WorkerRoutine: (args: object) => seen.push(...Object.values(args)),
        QueueType: 1,
        Context: 9 as never,
      });
      while (seen.length === 0) yield SPINNING;
      return item;
    });
    expect(seen).toEqual([DEVICE, 9, item]);
  });

  it('stops when an item is freed or queued while it waits', () => {
    const { kernel, wdk, run } = testKernel();
    const item = run(() => wdk.IoAllocateWorkItem({ DeviceObject: DEVICE }));
    const queue = () =>
      wdk.IoQueueWorkItem({ IoWorkItem: item, WorkerRoutine: () => undefined, QueueType: 1, Context: 0 as never });
    expect(() =>
      run(function* () {
        yield* queue();
        yield* wdk.IoFreeWorkItem({ IoWorkItem: item });
      }),
    ).toThrow(BugCheck);
    expect(kernel.trace.events).toContainEqual(expect.objectContaining({ what: 'work-item-freed-while-queued' }));
  });

  it('fails with NULL', () => {
    const { wdk, run } = testKernel({ faults: { strike: (_, failures) => failures[0] } });
    expect(run(() => wdk.IoAllocateWorkItem({ DeviceObject: DEVICE }))).toBe(0);
  });
});
