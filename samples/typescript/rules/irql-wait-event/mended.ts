/** Mended: at PASSIVE_LEVEL. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.NdisSetEvent({ Event: adapter.Done.address });
    yield* wdk.NdisWaitEvent({ Event: adapter.Done.address, MsToWait: 10 });
  },
}));
