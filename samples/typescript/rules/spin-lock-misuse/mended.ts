/** Mended: a lock is taken once. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.locked(adapter.Lock, () => {
      adapter.Stopping = 1;
    });
  },
}));
