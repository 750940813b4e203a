/** Broken on purpose: halt frees the multicast list twice. */
import { nicMiniport } from '../nic/driver.ts';
import { free, memory } from '../nic/memory.ts';

export default nicMiniport({
  memory: {
    ...memory,
    *release(nic, adapter) {
      yield* memory.release(nic, adapter);
      if (adapter.Halting) yield* free(nic, adapter.MulticastList);
    },
  },
});
