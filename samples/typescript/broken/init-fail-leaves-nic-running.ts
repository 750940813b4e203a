/** Broken on purpose: when initialize fails after it has set the NIC up, it leaves wake-up armed. */
import { nicMiniport } from '../nic/driver.ts';
import { hardware, Port, writePort } from '../nic/hardware.ts';

export default nicMiniport({
  hardware: {
    ...hardware,
    *release(nic, adapter) {
      yield* hardware.release(nic, adapter);
      if (!adapter.Halting) writePort(nic, adapter, Port.WAKE, 1);
    },
  },
});
