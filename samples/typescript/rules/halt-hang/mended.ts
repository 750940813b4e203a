/** Mended: who waits has made sure that someone sets it. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    yield* wdk.NdisSetEvent({ Event: adapter.Done.address });
    return NDIS_STATUS_SUCCESS;
  },
  *halt(adapter) {
    yield* wdk.NdisWaitEvent({ Event: adapter.Done.address, MsToWait: 0 });
  },
}));
