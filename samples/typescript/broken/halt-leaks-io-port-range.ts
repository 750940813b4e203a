/** Broken on purpose: halt does not give the I/O ports back. */
import { nicMiniport } from '../nic/driver.ts';
import { ioPorts } from '../nic/io-ports.ts';

export default nicMiniport({
  ioPorts: {
    ...ioPorts,
    *release(nic, adapter) {
      if (!adapter.Halting) yield* ioPorts.release(nic, adapter);
    },
  },
});
