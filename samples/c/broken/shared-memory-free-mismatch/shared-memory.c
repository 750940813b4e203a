/* Broken on purpose: the rings are freed with the length of the receive ring alone. */
/* Shared memory allocated while initializing: one block for both descriptor rings, one for receive buffers. */
#include "nic.h"

#define NIC_RX_RING_LENGTH (NIC_RX_DESCRIPTORS * sizeof(NIC_DESCRIPTOR))
#define NIC_TX_RING_LENGTH (NIC_TX_DESCRIPTORS * sizeof(NIC_DESCRIPTOR))

static NDIS_STATUS NicAllocateBlock(PNIC_ADAPTER Adapter, PNIC_SHARED_BLOCK Block, ULONG Length)
{
    Block->Length = Length;
    Block->Cached = TRUE;
    NdisMAllocateSharedMemory(Adapter->AdapterHandle, Length, Block->Cached, &Block->Address,
                              &Block->PhysicalAddress);
    if (Block->Address == NULL) {
        NdisWriteErrorLogEntry(Adapter->AdapterHandle, NDIS_ERROR_CODE_OUT_OF_RESOURCES, 1, Length);
        return NDIS_STATUS_RESOURCES;
    }
    NdisZeroMemory(Block->Address, Length);
    return NDIS_STATUS_SUCCESS;
}

/* Rule shared-memory-free-mismatch: all four values are those of the allocation. */
static VOID NicFreeBlock(PNIC_ADAPTER Adapter, PNIC_SHARED_BLOCK Block)
{
    if (Block->Address != NULL) {
        NdisMFreeSharedMemory(Adapter->AdapterHandle, Block->Length, Block->Cached, Block->Address,
                              Block->PhysicalAddress);
        Block->Address = NULL;
    }
}

/* Rule init-sg-before-shared-memory: DMA was registered before. */
NDIS_STATUS NicAcquireSharedMemory(PNIC_ADAPTER Adapter)
{
    NDIS_STATUS Status;

    Status = NicAllocateBlock(Adapter, &Adapter->Rings, NIC_RX_RING_LENGTH + NIC_TX_RING_LENGTH);
    if (Status == NDIS_STATUS_SUCCESS) {
        Status = NicAllocateBlock(Adapter, &Adapter->Buffers, NIC_RX_SLOTS * NIC_BUFFER_LENGTH);
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        NicReleaseSharedMemory(Adapter);
        return Status;
    }
    Adapter->RxRing = Adapter->Rings.Address;
    Adapter->TxRing = Adapter->RxRing + NIC_RX_DESCRIPTORS;
    return NDIS_STATUS_SUCCESS;
}

/* Rule halt-leaks-shared-memory; the NIC's DMA has stopped before (halt-frees-memory-under-dma). */
VOID NicReleaseSharedMemory(PNIC_ADAPTER Adapter)
{
    NicFreeBlock(Adapter, &Adapter->Buffers);
    Adapter->Rings.Length = NIC_RX_RING_LENGTH;
    NicFreeBlock(Adapter, &Adapter->Rings);
}
