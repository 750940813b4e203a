/** Broken on purpose: the second allocation fails, and the first stays. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 256, Tag: TAG });
    if (adapter.Buffer === NULL) return NDIS_STATUS_RESOURCES;
    adapter.Pool = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 4096, Tag: TAG });
    // ExFreePoolWithTag of adapter.Buffer is missing where this fails.
    return adapter.Pool === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* wdk.ExFreePoolWithTag({ P: adapter.Pool, Tag: TAG });
    yield* wdk.ExFreePoolWithTag({ P: adapter.Buffer, Tag: TAG });
  },
}));
