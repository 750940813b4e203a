/** Broken on purpose: halt frees the buffer and forgets the MDL that describes it. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* allocate(wdk, adapter.AdapterHandle, 2048);
    if (adapter.Buffer === NULL) return NDIS_STATUS_RESOURCES;
    adapter.Mdl = yield* wdk.NdisAllocateMdl({
      NdisHandle: adapter.AdapterHandle,
      VirtualAddress: adapter.Buffer,
      Length: 2048,
    });
    if (adapter.Mdl !== NULL) return NDIS_STATUS_SUCCESS;
    yield* free(wdk, adapter.Buffer);
    return NDIS_STATUS_RESOURCES;
  },

  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
