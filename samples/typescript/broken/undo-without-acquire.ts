/** Broken on purpose: when the interrupt cannot be registered it is deregistered all the same. */
import { NDIS_STATUS_SUCCESS } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { interrupts } from '../nic/interrupts.ts';

export default nicMiniport({
  interrupts: {
    ...interrupts,
    *acquire(nic, adapter) {
      const status = yield* interrupts.acquire(nic, adapter);
      if (status !== NDIS_STATUS_SUCCESS) yield* interrupts.release(nic, adapter);
      return status;
    },
  },
});
