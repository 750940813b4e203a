/** Broken on purpose: halt deactivates the additional port and does not free it. */
import { NDIS_DEFAULT_PORT_NUMBER } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { deactivate, ports } from '../nic/ports.ts';

export default nicMiniport({
  ports: {
    ...ports,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* ports.release(nic, adapter);
      yield* deactivate(nic, adapter, NDIS_DEFAULT_PORT_NUMBER);
      yield* deactivate(nic, adapter, adapter.Port.PortCharacteristics.PortNumber);
      // NdisMFreePort is missing.
    },
  },
});
