/** Broken on purpose: when a step after the interrupt fails, initialize leaves the interrupt registered. */
import { nicMiniport } from '../nic/driver.ts';
import { initialize } from '../nic/initialize.ts';

export default nicMiniport({
  initialize: {
    ...initialize,
    *unwind(nic, adapter, done) {
      yield* nic.parts.interrupts.disable(nic, adapter);
      yield* initialize.unwind(
        nic,
        adapter,
        // The step that registered the interrupt is forgotten.
        done.filter((step) => step !== nic.parts.interrupts),
      );
    },
  },
});
