/** Broken on purpose: halt tells NDIS that the link is gone. */
import { nicMiniport } from '../nic/driver.ts';
import { halt } from '../nic/halt.ts';
import { indicateLinkState } from '../nic/link.ts';

export default nicMiniport({
  halt: {
    *run(nic, adapter, action) {
      adapter.LinkUp = false;
      yield* indicateLinkState(nic, adapter);
      yield* halt.run(nic, adapter, action);
    },
  },
});
