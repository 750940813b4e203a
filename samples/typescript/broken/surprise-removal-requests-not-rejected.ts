/** Broken on purpose: that the device has gone is noticed in MiniportHaltEx only. */
import { nicMiniport } from '../nic/driver.ts';
import { pnp } from '../nic/pnp.ts';

export default nicMiniport({
  pnp: {
    ...pnp,
    *event() {
      // The event is for everyone else.
    },
  },
});
