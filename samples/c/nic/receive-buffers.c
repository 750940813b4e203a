/* Receive slots: an MDL, a NET_BUFFER and a NET_BUFFER_LIST over a part of a shared block. */
#include "nic.h"

NDIS_STATUS NicAcquireSlot(PNIC_ADAPTER Adapter, PNIC_SLOT Slot, PNIC_SHARED_BLOCK Block, ULONG Index)
{
    Slot->Data = (PUCHAR)Block->Address + Index * NIC_BUFFER_LENGTH;
    Slot->PhysicalAddress = (ULONG64)Block->PhysicalAddress.QuadPart + Index * NIC_BUFFER_LENGTH;

    Slot->Mdl = NdisAllocateMdl(Adapter->AdapterHandle, Slot->Data, NIC_BUFFER_LENGTH);
    if (Slot->Mdl != NULL) {
        Slot->NetBuffer = NdisAllocateNetBuffer(Adapter->NetBufferPool, Slot->Mdl, 0, 0);
    }
    if (Slot->NetBuffer != NULL) {
        Slot->NetBufferList = NdisAllocateNetBufferList(Adapter->NetBufferListPool, 0, 0);
    }
    if (Slot->NetBufferList == NULL) {
        NicReleaseSlot(Slot);
        return NDIS_STATUS_RESOURCES;
    }
    NET_BUFFER_LIST_MINIPORT_RESERVED(Slot->NetBufferList)[0] = Slot;
    return NDIS_STATUS_SUCCESS;
}

/*
 * Rules halt-leaks-nbl, halt-leaks-nb, halt-leaks-mdl. The NET_BUFFER was allocated by itself, so freeing the list does
 * not free it; the MDL goes before the memory it describes.
 */
VOID NicReleaseSlot(PNIC_SLOT Slot)
{
    if (Slot->NetBufferList != NULL) {
        NET_BUFFER_LIST_FIRST_NB(Slot->NetBufferList) = NULL;
        NdisFreeNetBufferList(Slot->NetBufferList);
        Slot->NetBufferList = NULL;
    }
    if (Slot->NetBuffer != NULL) {
        NdisFreeNetBuffer(Slot->NetBuffer);
        Slot->NetBuffer = NULL;
    }
    if (Slot->Mdl != NULL) {
        NdisFreeMdl(Slot->Mdl);
        Slot->Mdl = NULL;
    }
}

NDIS_STATUS NicAcquireReceiveBuffers(PNIC_ADAPTER Adapter)
{
    ULONG Index;

    for (Index = 0; Index < NIC_RX_SLOTS; Index++) {
        if (NicAcquireSlot(Adapter, &Adapter->Slots[Index], &Adapter->Buffers, Index) != NDIS_STATUS_SUCCESS) {
            NicReleaseReceiveBuffers(Adapter);
            return NDIS_STATUS_RESOURCES;
        }
        NicAddFreeSlot(Adapter, &Adapter->Slots[Index]);
    }
    return NDIS_STATUS_SUCCESS;
}

/* Every list is back (rule halt-returns-before-nbls-returned) and DMA has stopped (halt-frees-memory-under-dma). */
VOID NicReleaseReceiveBuffers(PNIC_ADAPTER Adapter)
{
    ULONG Index;

    for (Index = 0; Index < NIC_RX_SLOTS; Index++) {
        NicReleaseSlot(&Adapter->Slots[Index]);
    }
}
