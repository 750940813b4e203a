/** Broken on purpose: nobody is told that the device is in D3, and halt stops a NIC that has no power. */
import { nicMiniport } from '../nic/driver.ts';
import { managed } from '../nic/managed.ts';

export default nicMiniport({
  ...managed,
  oids: {
    ...managed.oids,
    *set(nic, adapter, request) {
      const status = yield* managed.oids.set(nic, adapter, request);
      // It should stay as the request left it.
      adapter.Asleep = false;
      return status;
    },
  },
});
