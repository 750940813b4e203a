/** Broken on purpose: halt frees the block of the descriptor rings twice. */
import { nicMiniport } from '../nic/driver.ts';
import { freeBlock, sharedMemory } from '../nic/shared-memory.ts';

export default nicMiniport({
  sharedMemory: {
    ...sharedMemory,
    *release(nic, adapter) {
      const rings = adapter.Rings.Address;
      yield* sharedMemory.release(nic, adapter);
      if (!adapter.Halting) return;
      adapter.Rings.Address = rings;
      yield* freeBlock(nic, adapter, adapter.Rings);
    },
  },
});
