/** Broken on purpose: halt spins for a millisecond. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt() {
    yield* wdk.KeStallExecutionProcessor({ MicroSeconds: 1000 });
  },
}));
