/* Broken on purpose: halt does not free the NET_BUFFER pool. */
/* Pools of NET_BUFFER_LISTs and NET_BUFFERs for receive indications. */
#include "nic.h"

NDIS_STATUS NicAcquirePools(PNIC_ADAPTER Adapter)
{
    NET_BUFFER_LIST_POOL_PARAMETERS ListParameters;
    NET_BUFFER_POOL_PARAMETERS BufferParameters;

    NdisZeroMemory(&ListParameters, sizeof(ListParameters));
    ListParameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    ListParameters.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    ListParameters.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
    ListParameters.ProtocolId = NDIS_PROTOCOL_ID_DEFAULT;
    ListParameters.PoolTag = NIC_TAG;

    Adapter->NetBufferListPool = NdisAllocateNetBufferListPool(Adapter->AdapterHandle, &ListParameters);
    if (Adapter->NetBufferListPool == NULL) {
        return NDIS_STATUS_RESOURCES;
    }

    NdisZeroMemory(&BufferParameters, sizeof(BufferParameters));
    BufferParameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    BufferParameters.Header.Revision = NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    BufferParameters.Header.Size = NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1;
    BufferParameters.PoolTag = NIC_TAG;

    Adapter->NetBufferPool = NdisAllocateNetBufferPool(Adapter->AdapterHandle, &BufferParameters);
    if (Adapter->NetBufferPool == NULL) {
        NicReleasePools(Adapter);
        return NDIS_STATUS_RESOURCES;
    }
    return NDIS_STATUS_SUCCESS;
}

/* Rules halt-leaks-nb-pool, halt-leaks-nbl-pool; pool-freed-before-members: the slots were released before. */
VOID NicReleasePools(PNIC_ADAPTER Adapter)
{
    /* Freed only when initialize fails. */
    if (Adapter->NetBufferPool != NULL && !Adapter->Halting) {
        NdisFreeNetBufferPool(Adapter->NetBufferPool);
        Adapter->NetBufferPool = NULL;
    }
    if (Adapter->NetBufferListPool != NULL) {
        NdisFreeNetBufferListPool(Adapter->NetBufferListPool);
        Adapter->NetBufferListPool = NULL;
    }
}
