import { expect, test } from 'vitest';
import { type Address, MILLISECOND } from '../trace/units.ts';
import { testNdis } from './testing.ts';

test('a work item runs in a thread at PASSIVE_LEVEL, may free itself, and an event tells', () => {
  const t = testNdis();
  const seen: unknown[] = [];
  t.run(function* () {
    const Event = t.kernel.heap.allocate(24, 'NDIS_EVENT');
    yield* t.wdk.NdisInitializeEvent({ Event });
    expect(yield* t.wdk.NdisWaitEvent({ Event, MsToWait: 3 })).toBe(false);
    expect(t.kernel.clock.now).toBeGreaterThanOrEqual(3 * MILLISECOND);
    const item = yield* t.wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: t.adapter.handle });
    yield* t.wdk.NdisQueueIoWorkItem({
      NdisIoWorkItemHandle: item,
      WorkItemContext: 0x77 as Address,
      *Routine(args: { WorkItemContext: Address; NdisIoWorkItemHandle: Address }) {
        seen.push(args.WorkItemContext, t.kernel.scheduler.irql);
        yield* t.wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: args.NdisIoWorkItemHandle });
        yield* t.wdk.NdisSetEvent({ Event });
      },
    });
    expect(yield* t.wdk.NdisWaitEvent({ Event, MsToWait: 0 })).toBe(true);
    yield* t.wdk.NdisResetEvent({ Event });
    expect(yield* t.wdk.NdisWaitEvent({ Event, MsToWait: 1 })).toBe(false);
  });
  expect(seen).toEqual([0x77, 0]);
  expect(t.events('acquire')).toMatchObject([{ type: 'work-item', owner: t.adapter.handle }]);
  expect(t.events('undo')).toMatchObject([{ outcome: 'undone', callback: 'NDIS_IO_WORKITEM_FUNCTION' }]);
  expect(t.events('enter')[0]?.adapter).toBe(t.adapter.handle);
  for (const what of ['queued', 'started', 'finished']) expect(t.facts(`work-item-${what}`)).toHaveLength(1);
});

test('freeing one that is queued ends the run as Windows would', () => {
  const t = testNdis();
  expect(() =>
    t.run(function* () {
      const NdisIoWorkItemHandle = yield* t.wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: t.driver.handle });
      yield* t.wdk.NdisQueueIoWorkItem({ NdisIoWorkItemHandle, Routine: () => {}, WorkItemContext: 0 as Address });
      yield* t.wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle });
    }),
  ).toThrow('still queued');
  expect(t.facts('work-item-freed-while-queued')).toHaveLength(1);
});

test('a generic object is a handle for some things and not for others', () => {
  const t = testNdis();
  t.run(function* () {
    const NdisObject = yield* t.wdk.NdisAllocateGenericObject({ DriverObject: 0 as Address, Tag: 0x41414141, Size: 8 });
    expect(yield* t.wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: NdisObject })).toBe(0);
    const Lock = yield* t.wdk.NdisAllocateRWLock({ NdisHandle: NdisObject });
    yield* t.wdk.NdisFreeRWLock({ Lock });
    yield* t.wdk.NdisFreeGenericObject({ NdisObject });
    yield* t.wdk.NdisFreeGenericObject({ NdisObject });
  });
  expect(t.facts('ndis-handle-not-valid')).toMatchObject([{ detail: { kind: 'generic object' } }]);
  expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'undone', 'again']);
});
