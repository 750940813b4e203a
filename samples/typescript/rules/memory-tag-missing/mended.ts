/** Mended: a tag of the driver’s own. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { free, miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    const NdisHandle = adapter.AdapterHandle;
    adapter.Buffer = yield* wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length: 64, Tag: TAG, Priority: 16 });
    return adapter.Buffer === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
