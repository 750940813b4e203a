/** Mended: what was acquired before the failure is given back. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Buffer = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 256, Tag: TAG });
    if (adapter.Buffer === NULL) return NDIS_STATUS_RESOURCES;
    adapter.Pool = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 4096, Tag: TAG });
    if (adapter.Pool !== NULL) return NDIS_STATUS_SUCCESS;
    yield* wdk.ExFreePoolWithTag({ P: adapter.Buffer, Tag: TAG });
    return NDIS_STATUS_RESOURCES;
  },
  *halt(adapter) {
    yield* wdk.ExFreePoolWithTag({ P: adapter.Pool, Tag: TAG });
    yield* wdk.ExFreePoolWithTag({ P: adapter.Buffer, Tag: TAG });
  },
}));
