/** Mended: halt sleeps; others may run. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt() {
    yield* wdk.NdisMSleep({ MicrosecondsToSleep: 1000 });
  },
}));
