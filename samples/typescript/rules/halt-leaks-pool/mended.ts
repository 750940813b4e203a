/** Mended: halt frees it. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 256, Tag: TAG });
    return adapter.Buffer === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },

  *halt(adapter) {
    yield* wdk.ExFreePoolWithTag({ P: adapter.Buffer, Tag: TAG });
  },
}));
