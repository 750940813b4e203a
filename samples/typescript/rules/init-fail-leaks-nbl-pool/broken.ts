/** Broken on purpose: when the list cannot be had, initialize fails and keeps the pool. */
import { header, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { miniport, TAG } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    adapter.Pool = yield* wdk.NdisAllocateNetBufferListPool({
      NdisHandle: adapter.AdapterHandle,
      Parameters: { Header: header('NET_BUFFER_LIST_POOL_PARAMETERS'), PoolTag: TAG },
    });
    if (adapter.Pool === NULL) return NDIS_STATUS_RESOURCES;
    const pool = { PoolHandle: adapter.Pool, ContextSize: 0, ContextBackFill: 0 };
    adapter.NetBufferList = yield* wdk.NdisAllocateNetBufferList(pool);
    if (adapter.NetBufferList !== NULL) return NDIS_STATUS_SUCCESS;
    // NdisFreeNetBufferListPool is missing: MiniportHaltEx will not be called.
    return NDIS_STATUS_RESOURCES;
  },

  *halt(adapter) {
    yield* wdk.NdisFreeNetBufferList({ NetBufferList: adapter.NetBufferList });
    yield* wdk.NdisFreeNetBufferListPool({ PoolHandle: adapter.Pool });
  },
}));
