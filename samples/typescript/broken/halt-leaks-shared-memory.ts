/** Broken on purpose: halt does not free the block of the descriptor rings. */
import { nicMiniport } from '../nic/driver.ts';
import { freeBlock, sharedMemory } from '../nic/shared-memory.ts';

export default nicMiniport({
  sharedMemory: {
    ...sharedMemory,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* sharedMemory.release(nic, adapter);
      // adapter.Rings is missing.
      yield* freeBlock(nic, adapter, adapter.Buffers);
    },
  },
});
