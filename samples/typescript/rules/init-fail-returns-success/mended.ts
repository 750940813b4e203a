/** Mended: what is needed later is needed now. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, completeSend, free, miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* allocate(wdk, adapter.AdapterHandle, 64);
    return adapter.Buffer === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
  *send(adapter, list) {
    wdk.memory.writeU32(adapter.Buffer, wdk.memory.readU32(adapter.Buffer) + 1);
    yield* completeSend(wdk, adapter, list);
  },
  *halt(adapter) {
    yield* free(wdk, adapter.Buffer);
  },
}));
