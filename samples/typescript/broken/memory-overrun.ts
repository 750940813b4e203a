/** Broken on purpose: the multicast list is cleared one byte past its end. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { MULTICAST_LENGTH, memory } from '../nic/memory.ts';

export default nicMiniport({
  memory: {
    ...memory,
    *acquire(nic, adapter) {
      const status = yield* memory.acquire(nic, adapter);
      if (status === NDIS_STATUS_SUCCESS) nic.wdk.memory.fill(adapter.MulticastList, MULTICAST_LENGTH + 1, 0);
      return status;
    },
  },
});
