/** Mended: the result is tested before it is used. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* allocate(wdk, adapter.AdapterHandle, 64);
    if (adapter.Buffer === NULL) return NDIS_STATUS_RESOURCES;
    wdk.memory.fill(adapter.Buffer, 64, 0);
    return NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
