/** Broken on purpose: halt does not free the multicast list. */
import { nicMiniport } from '../nic/driver.ts';
import { free, memory } from '../nic/memory.ts';

export default nicMiniport({
  memory: {
    ...memory,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* memory.release(nic, adapter);
      // adapter.MulticastList is missing.
      yield* free(nic, adapter.Slots);
    },
  },
});
