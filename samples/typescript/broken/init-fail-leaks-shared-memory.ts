/** Broken on purpose: when the block of receive buffers cannot be allocated, initialize forgets the rings. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS } from 'haltex';
import { BUFFER_LENGTH, RX_SLOTS } from '../nic/adapter.ts';
import { nicMiniport } from '../nic/driver.ts';
import { allocateBlock, RINGS_LENGTH, sharedMemory } from '../nic/shared-memory.ts';

export default nicMiniport({
  sharedMemory: {
    ...sharedMemory,
    *acquire(nic, adapter) {
      if (!(yield* allocateBlock(nic, adapter, adapter.Rings, RINGS_LENGTH))) return NDIS_STATUS_RESOURCES;
      const buffers = yield* allocateBlock(nic, adapter, adapter.Buffers, RX_SLOTS * BUFFER_LENGTH);
      // freeBlock(nic, adapter, adapter.Rings) is missing where this fails.
      return buffers ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES;
    },
  },
});
