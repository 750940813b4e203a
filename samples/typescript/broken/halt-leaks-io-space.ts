/** Broken on purpose: halt leaves the registers mapped. */
import { nicMiniport } from '../nic/driver.ts';
import { ioSpace } from '../nic/io-space.ts';

export default nicMiniport({
  ioSpace: {
    ...ioSpace,
    *release(nic, adapter) {
      if (!adapter.Halting) yield* ioSpace.release(nic, adapter);
    },
  },
});
