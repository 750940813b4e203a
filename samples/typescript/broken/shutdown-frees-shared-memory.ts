/** Broken on purpose: shutdown frees the shared memory, as halt does. */
import { nicMiniport } from '../nic/driver.ts';
import { pnp } from '../nic/pnp.ts';
import { freeBlock } from '../nic/shared-memory.ts';

export default nicMiniport({
  pnp: {
    ...pnp,
    *shutdown(nic, adapter) {
      yield* pnp.shutdown(nic, adapter);
      yield* freeBlock(nic, adapter, adapter.Buffers);
      yield* freeBlock(nic, adapter, adapter.Rings);
    },
  },
});
