/** Broken on purpose: halt does not free the block that came later. */
import { EXTRA_SLOTS, RX_SLOTS, slotAt } from '../nic/adapter.ts';
import { asyncMemory } from '../nic/async-memory.ts';
import { nicMiniport } from '../nic/driver.ts';

export default nicMiniport({
  asyncMemory: {
    ...asyncMemory,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* asyncMemory.release(nic, adapter);
      yield* nic.parts.pending.wait(nic, adapter, adapter.SharedAllocations);
      for (let index = 0; index < EXTRA_SLOTS; index++) {
        yield* nic.parts.receiveBuffers.releaseSlot(nic, slotAt(nic, adapter, RX_SLOTS + index));
      }
      // adapter.Extra is missing.
    },
  },
});
