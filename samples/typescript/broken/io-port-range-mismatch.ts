/** Broken on purpose: fewer I/O ports are given back than were registered. */
import { nicMiniport } from '../nic/driver.ts';
import { ioPorts } from '../nic/io-ports.ts';

export default nicMiniport({
  ioPorts: {
    ...ioPorts,
    *release(nic, adapter) {
      // Up to the last port the driver uses.
      adapter.PortsLength = 16;
      yield* ioPorts.release(nic, adapter);
    },
  },
});
