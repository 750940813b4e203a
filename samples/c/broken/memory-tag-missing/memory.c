/* Broken on purpose: memory is allocated without a tag. */
/* Nonpaged memory: the adapter itself, the receive slots, the multicast list. */
#include "nic.h"

#define NIC_SLOTS_LENGTH ((NIC_RX_SLOTS + NIC_EXTRA_SLOTS) * sizeof(NIC_SLOT))
#define NIC_MULTICAST_LENGTH (NIC_MAX_MULTICAST * NIC_ADDRESS_LENGTH)

static PVOID NicAllocate(NDIS_HANDLE AdapterHandle, UINT Length)
{
    PVOID Memory = NdisAllocateMemoryWithTagPriority(AdapterHandle, Length, 0, NormalPoolPriority);

    if (Memory != NULL) {
        NdisZeroMemory(Memory, Length);
    }
    return Memory;
}

PNIC_ADAPTER NicAllocateAdapter(NDIS_HANDLE AdapterHandle)
{
    PNIC_ADAPTER Adapter = NicAllocate(AdapterHandle, sizeof(NIC_ADAPTER));

    if (Adapter == NULL) {
        return NULL;
    }
    Adapter->AdapterHandle = AdapterHandle;
    Adapter->State = NicPaused;
    NdisAllocateSpinLock(&Adapter->Lock);
    NdisAllocateSpinLock(&Adapter->SendLock);
    NdisAllocateSpinLock(&Adapter->ReceiveLock);
    NicPendingInitialize(&Adapter->DataPath);
    NicPendingInitialize(&Adapter->LinkCallbacks);
    NicPendingInitialize(&Adapter->Work);
    NicPendingInitialize(&Adapter->SharedAllocations);
    return Adapter;
}

/* Rule halt-frees-context-early: the adapter goes last, when nothing can run any more. */
VOID NicFreeAdapter(PNIC_ADAPTER Adapter)
{
    NdisFreeSpinLock(&Adapter->ReceiveLock);
    NdisFreeSpinLock(&Adapter->SendLock);
    NdisFreeSpinLock(&Adapter->Lock);
    NdisFreeMemory(Adapter, 0, 0);
}

NDIS_STATUS NicAcquireMemory(PNIC_ADAPTER Adapter)
{
    Adapter->Slots = NicAllocate(Adapter->AdapterHandle, NIC_SLOTS_LENGTH);
    if (Adapter->Slots == NULL) {
        return NDIS_STATUS_RESOURCES;
    }
    Adapter->MulticastList = NicAllocate(Adapter->AdapterHandle, NIC_MULTICAST_LENGTH);
    if (Adapter->MulticastList == NULL) {
        NicReleaseMemory(Adapter);
        return NDIS_STATUS_RESOURCES;
    }
    return NDIS_STATUS_SUCCESS;
}

/* Rules halt-leaks-memory, free-memory-bad-args: the address that was returned, and flags 0. */
VOID NicReleaseMemory(PNIC_ADAPTER Adapter)
{
    if (Adapter->MulticastList != NULL) {
        NdisFreeMemory(Adapter->MulticastList, 0, 0);
        Adapter->MulticastList = NULL;
    }
    if (Adapter->Slots != NULL) {
        NdisFreeMemory(Adapter->Slots, 0, 0);
        Adapter->Slots = NULL;
    }
}
