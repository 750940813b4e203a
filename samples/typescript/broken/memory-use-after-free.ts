/** Broken on purpose: halt writes to the adapter after it has freed it. */
import { nicMiniport } from '../nic/driver.ts';
import { halt } from '../nic/halt.ts';

export default nicMiniport({
  halt: {
    *run(nic, adapter, action) {
      yield* halt.run(nic, adapter, action);
      adapter.Halting = false;
    },
  },
});
