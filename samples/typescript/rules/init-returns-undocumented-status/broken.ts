/** Broken on purpose: initialize says that it is not done yet, which it may not: NDIS takes the number for a success that it is not. */
import { NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* allocate(wdk, adapter.AdapterHandle, 64);
    return adapter.Buffer === NULL ? NDIS_STATUS_PENDING : NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
