/** Broken on purpose: the rings are freed with another length than they were allocated with. */
import { nicMiniport } from '../nic/driver.ts';
import { sharedMemory } from '../nic/shared-memory.ts';

export default nicMiniport({
  sharedMemory: {
    ...sharedMemory,
    *release(nic, adapter) {
      // A round number, as if the system kept its own.
      adapter.Rings.Length = Math.ceil(adapter.Rings.Length / 4096) * 4096;
      yield* sharedMemory.release(nic, adapter);
    },
  },
});
