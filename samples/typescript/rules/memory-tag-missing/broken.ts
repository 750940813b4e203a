/** Broken on purpose: tag 0. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    const NdisHandle = adapter.AdapterHandle;
    adapter.Buffer = yield* wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length: 64, Tag: 0, Priority: 16 });
    return adapter.Buffer === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
