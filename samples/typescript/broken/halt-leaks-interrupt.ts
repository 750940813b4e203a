/** Broken on purpose: halt masks the NIC and does not deregister its interrupt. */
import { nicMiniport } from '../nic/driver.ts';
import { interrupts } from '../nic/interrupts.ts';

export default nicMiniport({
  interrupts: {
    ...interrupts,
    *release(nic, adapter) {
      // NdisMDeregisterInterruptEx is missing in halt.
      if (!adapter.Halting) yield* interrupts.release(nic, adapter);
    },
  },
});
