import { expect, it } from 'vitest';
import { type Address, at } from '../trace/units.ts';
import { testKernel } from './testing.ts';

it('runs an item in a worker thread, and tells of one that is freed before', () => {
  const { kernel, wdk, run } = testKernel();
  const { heap, memory, code } = kernel;
  const item = heap.allocate(32, 'WORK_QUEUE_ITEM', { fill: 0 });
  const seen: number[] = [];
  memory.writePointer(
    at(item, 16),
    code.expose(({ Parameter }: { Parameter: Address }) => seen.push(Parameter)),
  );
  memory.writePointer(at(item, 24), 9 as Address);
  const queueing = { WorkItem: item, QueueType: 1 };
  run(function* () {
    yield* wdk.ExQueueWorkItem(queueing);
    yield { kind: 'wait', what: 'the item', ready: () => seen.length > 0 };
  });
  expect(seen).toEqual([9]);
  expect(() =>
    run(function* () {
      yield* wdk.ExQueueWorkItem(queueing);
      heap.free(item);
      yield { kind: 'wait', what: 'the item', ready: () => seen.length > 1 };
    }),
  ).toThrow('queued WORK_QUEUE_ITEM');
  expect(kernel.trace.events.some((event) => event.kind === 'fact' && event.what === 'freed-with-live-object')).toBe(
    true,
  );
});
