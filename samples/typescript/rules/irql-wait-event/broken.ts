/** Broken on purpose: halt waits at DISPATCH_LEVEL. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.NdisSetEvent({ Event: adapter.Done.address });
    yield* wdk.atDispatch(() => wdk.NdisWaitEvent({ Event: adapter.Done.address, MsToWait: 10 }));
  },
}));
