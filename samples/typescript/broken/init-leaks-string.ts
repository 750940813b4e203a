/** Broken on purpose: the keyword's string is made with NdisInitializeString and never given back. */

import { configuration } from '../nic/configuration.ts';
import { nicMiniport } from '../nic/driver.ts';

export default nicMiniport({
  configuration: {
    ...configuration,
    *acquire(nic, adapter) {
      yield* nic.wdk.NdisInitializeString({ Source: 'ExtraReceiveBuffers' });
      // NdisFreeString is missing, on every path.
      return yield* configuration.acquire(nic, adapter);
    },
  },
});
