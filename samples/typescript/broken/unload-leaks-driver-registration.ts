/** Broken on purpose: unload does not deregister the driver. */
import { nicMiniport } from '../nic/driver.ts';
import { entry } from '../nic/entry.ts';

export default nicMiniport({
  entry: {
    ...entry,
    *unload() {
      // NdisMDeregisterMiniportDriver is missing.
    },
  },
});
