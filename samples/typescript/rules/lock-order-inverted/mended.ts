/** Mended: both take Lock first. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL, type Wdk } from 'haltex';
import { type Adapter, adapterAt, miniport } from '../miniport.ts';

type Lock = 'Lock' | 'Other';

function* withBoth(wdk: Wdk, adapter: Adapter, first: Lock, second: Lock, stopping: number) {
  yield* wdk.NdisAcquireSpinLock({ SpinLock: adapter[first].address });
  yield* wdk.NdisAcquireSpinLock({ SpinLock: adapter[second].address });
  adapter.Stopping = stopping;
  yield* wdk.NdisReleaseSpinLock({ SpinLock: adapter[second].address });
  yield* wdk.NdisReleaseSpinLock({ SpinLock: adapter[first].address });
}

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.WorkItem = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: adapter.AdapterHandle });
    if (adapter.WorkItem === NULL) return NDIS_STATUS_RESOURCES;
    yield* wdk.NdisQueueIoWorkItem({
      NdisIoWorkItemHandle: adapter.WorkItem,
      Routine: function* FirstWork({ WorkItemContext }) {
        const ours = adapterAt(wdk, WorkItemContext);
        yield* withBoth(wdk, ours, 'Lock', 'Other', 0);
        yield* wdk.NdisSetEvent({ Event: ours.Done.address });
      },
      WorkItemContext: adapter.address,
    });
    return NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* withBoth(wdk, adapter, 'Lock', 'Other', 1);
    yield* wdk.NdisWaitEvent({ Event: adapter.Done.address, MsToWait: 0 });
    yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
  },
}));
