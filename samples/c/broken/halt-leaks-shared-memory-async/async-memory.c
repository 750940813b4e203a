/* Broken on purpose: halt waits for the asynchronous allocation but does not free the block it brought. */
/*
 * Shared memory that arrives later: sixteen more receive buffers. Going without them is no failure.
 * Slots [NIC_RX_SLOTS, NIC_RX_SLOTS + NIC_EXTRA_SLOTS) belong to this file.
 */
#include "nic.h"

VOID NicAcquireExtraBuffers(PNIC_ADAPTER Adapter)
{
    NDIS_STATUS Status;

    if (!Adapter->WantExtraBuffers) {
        return;
    }
    /* Counted before the call: the completion may come before it returns. */
    NdisAcquireSpinLock(&Adapter->Lock);
    NicPendingAdd(&Adapter->SharedAllocations, 1);
    NdisReleaseSpinLock(&Adapter->Lock);

    Status = NdisMAllocateSharedMemoryAsyncEx(Adapter->DmaHandle, NIC_EXTRA_SLOTS * NIC_BUFFER_LENGTH, TRUE, NULL);
    if (Status != NDIS_STATUS_PENDING) {
        /* No completion will come. */
        NdisAcquireSpinLock(&Adapter->Lock);
        NicPendingRemove(&Adapter->SharedAllocations, 1);
        NdisReleaseSpinLock(&Adapter->Lock);
    }
}

/* PASSIVE_LEVEL. The length is what was asked for, or more; it is what must be given back. */
VOID NicSharedMemoryAllocateComplete(NDIS_HANDLE AdapterContext, PVOID Address,
                                     PNDIS_PHYSICAL_ADDRESS PhysicalAddress, ULONG Length, PVOID Context)
{
    PNIC_ADAPTER Adapter = AdapterContext;
    ULONG Index;

    UNREFERENCED_PARAMETER(Context);

    if (Address != NULL) {
        Adapter->Extra.Address = Address;
        Adapter->Extra.PhysicalAddress = *PhysicalAddress;
        Adapter->Extra.Length = Length;
        Adapter->Extra.Cached = TRUE;
        for (Index = 0; Index < NIC_EXTRA_SLOTS; Index++) {
            PNIC_SLOT Slot = &Adapter->Slots[NIC_RX_SLOTS + Index];

            if (NicAcquireSlot(Adapter, Slot, &Adapter->Extra, Index) != NDIS_STATUS_SUCCESS) {
                break;
            }
            NicAddFreeSlot(Adapter, Slot);
        }
    }

    /* Whoever waits goes on after this. */
    NdisAcquireSpinLock(&Adapter->Lock);
    NicPendingRemove(&Adapter->SharedAllocations, 1);
    NdisReleaseSpinLock(&Adapter->Lock);
}

/* Rules shared-memory-async-pending-at-halt and halt-leaks-shared-memory-async: first wait, then free what came. */
VOID NicReleaseExtraBuffers(PNIC_ADAPTER Adapter)
{
    ULONG Index;

    NicPendingWait(Adapter, &Adapter->SharedAllocations);

    for (Index = 0; Index < NIC_EXTRA_SLOTS; Index++) {
        NicReleaseSlot(&Adapter->Slots[NIC_RX_SLOTS + Index]);
    }
    /* Freed only when initialize fails. */
    if (Adapter->Extra.Address != NULL && !Adapter->Halting) {
        NdisMFreeSharedMemory(Adapter->AdapterHandle, Adapter->Extra.Length, Adapter->Extra.Cached,
                              Adapter->Extra.Address, Adapter->Extra.PhysicalAddress);
        Adapter->Extra.Address = NULL;
    }
}
