/** Mended: one of the four results that are documented. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* allocate(wdk, adapter.AdapterHandle, 64);
    return adapter.Buffer === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
