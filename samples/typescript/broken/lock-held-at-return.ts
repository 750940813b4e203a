/** Broken on purpose: shutdown takes the lock at DISPATCH_LEVEL and lowers the level without releasing it. */
import { nicMiniport } from '../nic/driver.ts';
import { pnp } from '../nic/pnp.ts';

export default nicMiniport({
  pnp: {
    ...pnp,
    *shutdown(nic, adapter) {
      yield* nic.wdk.atDispatch(function* () {
        yield* nic.wdk.NdisDprAcquireSpinLock({ SpinLock: adapter.Lock.address });
        yield* pnp.shutdown(nic, adapter);
        // NdisDprReleaseSpinLock is missing.
      });
    },
  },
});
