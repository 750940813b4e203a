/** Broken on purpose: the registers are unmapped with the adapter's lock held, at DISPATCH_LEVEL. */
import { nicMiniport } from '../nic/driver.ts';
import { ioSpace } from '../nic/io-space.ts';

export default nicMiniport({
  ioSpace: {
    ...ioSpace,
    *release(nic, adapter) {
      yield* nic.wdk.locked(adapter.Lock, () => ioSpace.release(nic, adapter));
    },
  },
});
