/* Bus-master DMA: the channel that scatter/gather lists and shared memory come from. */
#include "nic.h"

NDIS_STATUS NicAcquireDma(PNIC_ADAPTER Adapter)
{
    NDIS_SG_DMA_DESCRIPTION Description;
    NDIS_STATUS Status;

    NdisZeroMemory(&Description, sizeof(Description));
    Description.Header.Type = NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION;
    Description.Header.Revision = NDIS_SG_DMA_DESCRIPTION_REVISION_1;
    Description.Header.Size = NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1;
    Description.Flags = NDIS_SG_DMA_64_BIT_ADDRESS;
    Description.MaximumPhysicalMapping = NIC_MAX_FRAME;
    Description.ProcessSGListHandler = NicProcessSGList;
    Description.SharedMemAllocateCompleteHandler = NicSharedMemoryAllocateComplete;

    Status = NdisMRegisterScatterGatherDma(Adapter->AdapterHandle, &Description, &Adapter->DmaHandle);
    if (Status != NDIS_STATUS_SUCCESS) {
        Adapter->DmaHandle = NULL;
    }
    return Status;
}

/*
 * Rule halt-leaks-sg-dma. All shared memory was freed, no allocation is pending (shared-memory-async-pending-at-halt),
 * and every send was completed, so no scatter/gather list is left (sg-list-pending-at-halt).
 */
VOID NicReleaseDma(PNIC_ADAPTER Adapter)
{
    NdisMDeregisterScatterGatherDma(Adapter->DmaHandle);
    Adapter->DmaHandle = NULL;
}
