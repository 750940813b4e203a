/* A bus master that has no use for its board: what is here to race is HAL and NDIS. */
#pragma once
#define RACE_HARDWARE
#include "race.h"

static inline NDIS_STATUS DmaRegister(PRACE R, MINIPORT_PROCESS_SG_LIST *List, MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE *Late)
{
    NDIS_SG_DMA_DESCRIPTION Dma = { 0 };
    NDIS_STATUS Status;

    Dma.Header.Type = NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION;
    Dma.Header.Revision = NDIS_SG_DMA_DESCRIPTION_REVISION_1;
    Dma.Header.Size = NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1;
    Dma.Flags = NDIS_SG_DMA_64_BIT_ADDRESS;
    Dma.MaximumPhysicalMapping = 2048;
    Dma.ProcessSGListHandler = List;
    Dma.SharedMemAllocateCompleteHandler = Late;
    Status = NdisMRegisterScatterGatherDma(R->Simple.Handle, &Dma, &R->Dma);
    if (Status != NDIS_STATUS_SUCCESS) {
        R->Dma = NULL;
    }
    return Status;
}
