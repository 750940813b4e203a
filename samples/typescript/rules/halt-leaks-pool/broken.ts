/** Broken on purpose: halt does not free the pool memory. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 256, Tag: TAG });
    return adapter.Buffer === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
}));
