/** Broken on purpose: halt also frees the default port, which is NDIS' own. */
import { NDIS_DEFAULT_PORT_NUMBER } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { ports } from '../nic/ports.ts';

export default nicMiniport({
  ports: {
    ...ports,
    *release(nic, adapter) {
      yield* ports.release(nic, adapter);
      yield* nic.wdk.NdisMFreePort({
        NdisMiniportHandle: adapter.AdapterHandle,
        PortNumber: NDIS_DEFAULT_PORT_NUMBER,
      });
    },
  },
});
