/** Mended: the flag comes last. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { adapterAt, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.WorkItem = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: adapter.AdapterHandle });
    if (adapter.WorkItem === NULL) return NDIS_STATUS_RESOURCES;
    yield* wdk.NdisQueueIoWorkItem({
      NdisIoWorkItemHandle: adapter.WorkItem,
      Routine: ({ WorkItemContext }) => {
        const ours = adapterAt(wdk, WorkItemContext);
        ours.Setting = 7;
        ours.Stopping = 1;
      },
      WorkItemContext: adapter.address,
    });
    return NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    while (adapter.Stopping === 0) yield* wdk.NdisMSleep({ MicrosecondsToSleep: 100 });
    yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
  },
}));
