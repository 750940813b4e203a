/** Broken on purpose: the memory is used whether it was given or not. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* allocate(wdk, adapter.AdapterHandle, 64);
    wdk.memory.fill(adapter.Buffer, 64, 0);
    return NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
