/** Broken on purpose: the additional port is freed while it is active. NDIS refuses, and the port stays. */
import { NDIS_DEFAULT_PORT_NUMBER } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { deactivate, ports } from '../nic/ports.ts';

export default nicMiniport({
  ports: {
    ...ports,
    *release(nic, adapter) {
      const { PortNumber } = adapter.Port.PortCharacteristics;
      if (adapter.DefaultPortActive) yield* deactivate(nic, adapter, NDIS_DEFAULT_PORT_NUMBER);
      // deactivate(nic, adapter, PortNumber) is missing.
      if (adapter.PortAllocated)
        yield* nic.wdk.NdisMFreePort({ NdisMiniportHandle: adapter.AdapterHandle, PortNumber });
    },
  },
});
