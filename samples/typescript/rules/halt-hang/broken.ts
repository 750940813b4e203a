/** Broken on purpose: halt waits for an event that nobody will set. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.NdisWaitEvent({ Event: adapter.Done.address, MsToWait: 0 });
  },
}));
