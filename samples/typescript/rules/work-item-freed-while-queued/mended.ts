/** Mended: first the wait, then the free. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { adapterAt, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.WorkItem = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: adapter.AdapterHandle });
    return adapter.WorkItem === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* wdk.NdisQueueIoWorkItem({
      NdisIoWorkItemHandle: adapter.WorkItem,
      Routine: function* LastWork({ WorkItemContext }) {
        yield* wdk.NdisSetEvent({ Event: adapterAt(wdk, WorkItemContext).Done.address });
      },
      WorkItemContext: adapter.address,
    });
    yield* wdk.NdisWaitEvent({ Event: adapter.Done.address, MsToWait: 0 });
    yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
  },
}));
