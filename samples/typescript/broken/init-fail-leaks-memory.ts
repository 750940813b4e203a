/** Broken on purpose: when the multicast list cannot be allocated, initialize forgets the receive slots. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { allocate, MULTICAST_LENGTH, memory, SLOTS_LENGTH } from '../nic/memory.ts';

export default nicMiniport({
  memory: {
    ...memory,
    *acquire(nic, adapter) {
      adapter.Slots = yield* allocate(nic, adapter.AdapterHandle, SLOTS_LENGTH);
      if (adapter.Slots === NULL) return NDIS_STATUS_RESOURCES;
      adapter.MulticastList = yield* allocate(nic, adapter.AdapterHandle, MULTICAST_LENGTH);
      // free(nic, adapter.Slots) is missing where this fails.
      return adapter.MulticastList === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
    },
  },
});
