/** Broken on purpose: halt frees the additional port twice. */
import { nicMiniport } from '../nic/driver.ts';
import { ports } from '../nic/ports.ts';

export default nicMiniport({
  ports: {
    ...ports,
    *release(nic, adapter) {
      yield* ports.release(nic, adapter);
      if (!adapter.Halting) return;
      yield* nic.wdk.NdisMFreePort({
        NdisMiniportHandle: adapter.AdapterHandle,
        PortNumber: adapter.Port.PortCharacteristics.PortNumber,
      });
    },
  },
});
