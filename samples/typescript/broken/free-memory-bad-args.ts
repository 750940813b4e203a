/** Broken on purpose: the multicast list is freed with flags it was not allocated with. */
import { nicMiniport } from '../nic/driver.ts';
import { free, MULTICAST_LENGTH, memory } from '../nic/memory.ts';

const NDIS_MEMORY_NONCACHED = 2;

export default nicMiniport({
  memory: {
    ...memory,
    *release(nic, adapter) {
      yield* nic.wdk.NdisFreeMemory({
        VirtualAddress: adapter.MulticastList,
        Length: MULTICAST_LENGTH,
        MemoryFlags: NDIS_MEMORY_NONCACHED,
      });
      yield* free(nic, adapter.Slots);
    },
  },
});
