/** Broken on purpose: halt does not free the NET_BUFFER_LIST pool. */
import { nicMiniport } from '../nic/driver.ts';
import { pools } from '../nic/pools.ts';

export default nicMiniport({
  pools: {
    ...pools,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* pools.release(nic, adapter);
      yield* nic.wdk.NdisFreeNetBufferPool({ PoolHandle: adapter.NetBufferPool });
    },
  },
});
