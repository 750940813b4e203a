/** Broken on purpose: no MiniportHaltEx is registered; NDIS refuses the driver. */
import { nicMiniport } from '../nic/driver.ts';
import { entry } from '../nic/entry.ts';

export default nicMiniport({
  entry: {
    ...entry,
    characteristics(nic, unload) {
      const { HaltHandlerEx: _, ...rest } = entry.characteristics(nic, unload);
      return rest;
    },
  },
});
