/** Broken on purpose: the NET_BUFFER pool is freed before the NET_BUFFERs that came from it. */
import { nicMiniport } from '../nic/driver.ts';
import { pools } from '../nic/pools.ts';
import { receiveBuffers } from '../nic/receive-buffers.ts';

export default nicMiniport({
  receiveBuffers: {
    ...receiveBuffers,
    *release(nic, adapter) {
      if (adapter.Halting) yield* nic.wdk.NdisFreeNetBufferPool({ PoolHandle: adapter.NetBufferPool });
      yield* receiveBuffers.release(nic, adapter);
    },
  },
  pools: {
    ...pools,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* pools.release(nic, adapter);
      yield* nic.wdk.NdisFreeNetBufferListPool({ PoolHandle: adapter.NetBufferListPool });
    },
  },
});
