/** Broken on purpose: halt leaves the default port active, which this driver controls and activated. */
import { nicMiniport } from '../nic/driver.ts';
import { ports } from '../nic/ports.ts';

export default nicMiniport({
  ports: {
    ...ports,
    *release(nic, adapter) {
      // As if it had never been activated.
      if (adapter.Halting) adapter.DefaultPortActive = false;
      yield* ports.release(nic, adapter);
    },
  },
});
