/** Pools of NET_BUFFER_LISTs and NET_BUFFERs for receive indications. */
import { type Coroutine, header, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { type Adapter, NIC_TAG, type Nic } from './adapter.ts';

export const pools = {
  *acquire({ wdk }: Nic, adapter: Adapter): Coroutine<number> {
    adapter.NetBufferListPool = yield* wdk.NdisAllocateNetBufferListPool({
      NdisHandle: adapter.AdapterHandle,
      Parameters: { Header: header('NET_BUFFER_LIST_POOL_PARAMETERS'), PoolTag: NIC_TAG },
    });
    if (adapter.NetBufferListPool === NULL) return NDIS_STATUS_RESOURCES;
    adapter.NetBufferPool = yield* wdk.NdisAllocateNetBufferPool({
      NdisHandle: adapter.AdapterHandle,
      Parameters: { Header: header('NET_BUFFER_POOL_PARAMETERS'), PoolTag: NIC_TAG },
    });
    if (adapter.NetBufferPool === NULL) {
      // Rule init-fail-leaks-nbl-pool.
      yield* wdk.NdisFreeNetBufferListPool({ PoolHandle: adapter.NetBufferListPool });
      return NDIS_STATUS_RESOURCES;
    }
    return NDIS_STATUS_SUCCESS;
  },

  /** Rules halt-leaks-nb-pool, halt-leaks-nbl-pool; pool-freed-before-members: the slots were released before. */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisFreeNetBufferPool({ PoolHandle: adapter.NetBufferPool });
    yield* wdk.NdisFreeNetBufferListPool({ PoolHandle: adapter.NetBufferListPool });
  },
};
