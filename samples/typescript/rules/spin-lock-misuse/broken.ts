/** Broken on purpose: the lock is taken twice: the processor would spin for ever. */
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *halt(adapter) {
    yield* wdk.locked(adapter.Lock, () =>
      wdk.locked(adapter.Lock, () => {
        adapter.Stopping = 1;
      }),
    );
  },
}));
