/** Mended: halt frees the lock. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.RwLock = yield* wdk.NdisAllocateRWLock({ NdisHandle: adapter.AdapterHandle });
    return adapter.RwLock === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },

  *halt(adapter) {
    yield* wdk.NdisFreeRWLock({ Lock: adapter.RwLock });
  },
}));
