/* Broken on purpose: frames that the NIC had received before the pause go up after it. */
/* Receive: the ring, the indication, the return. */
#include "nic.h"

static ULONG NicNextRx(ULONG Index)
{
    return (Index + 1) % NIC_RX_DESCRIPTORS;
}

static VOID NicPushFree(PNIC_ADAPTER Adapter, PNIC_SLOT Slot)
{
    Slot->NextFree = Adapter->FreeSlots;
    Adapter->FreeSlots = Slot;
}

/* ReceiveLock held. Hands free slots to the NIC; one descriptor stays empty so that full and empty differ. */
VOID NicPostSlots(PNIC_ADAPTER Adapter)
{
    BOOLEAN Posted = FALSE;

    while (Adapter->FreeSlots != NULL && NicNextRx(Adapter->RxTail) != Adapter->RxClean) {
        PNIC_SLOT Slot = Adapter->FreeSlots;
        NIC_DESCRIPTOR *Descriptor = &Adapter->RxRing[Adapter->RxTail];

        Adapter->FreeSlots = Slot->NextFree;
        Descriptor->Buffer = Slot->PhysicalAddress;
        Descriptor->Length = NIC_BUFFER_LENGTH;
        Descriptor->Status = 0;
        Adapter->RxOwner[Adapter->RxTail] = Slot;
        Adapter->RxTail = NicNextRx(Adapter->RxTail);
        Posted = TRUE;
    }
    if (Posted) {
        KeMemoryBarrier();
        NicWrite(Adapter, NIC_RX_TAIL, Adapter->RxTail);
    }
}

/* The NIC was reset and will begin at descriptor 0: take back what was posted and post it anew. */
VOID NicResetReceiveRing(PNIC_ADAPTER Adapter)
{
    ULONG Index;

    NdisAcquireSpinLock(&Adapter->ReceiveLock);
    for (Index = 0; Index < NIC_RX_DESCRIPTORS; Index++) {
        if (Adapter->RxOwner[Index] != NULL) {
            NicPushFree(Adapter, Adapter->RxOwner[Index]);
            Adapter->RxOwner[Index] = NULL;
        }
    }
    Adapter->RxClean = 0;
    Adapter->RxTail = 0;
    NicWrite(Adapter, NIC_RX_TAIL, 0);
    NicPostSlots(Adapter);
    NdisReleaseSpinLock(&Adapter->ReceiveLock);
}

/* <= DISPATCH_LEVEL */
VOID NicAddFreeSlot(PNIC_ADAPTER Adapter, PNIC_SLOT Slot)
{
    NdisAcquireSpinLock(&Adapter->ReceiveLock);
    NicPushFree(Adapter, Slot);
    NdisReleaseSpinLock(&Adapter->ReceiveLock);
}

static BOOLEAN NicInMulticastList(PNIC_ADAPTER Adapter, PUCHAR Destination)
{
    BOOLEAN Found = FALSE;
    ULONG Index;

    NdisDprAcquireSpinLock(&Adapter->Lock);
    for (Index = 0; Index < Adapter->MulticastCount && !Found; Index++) {
        Found = NdisEqualMemory(Adapter->MulticastList + Index * NIC_ADDRESS_LENGTH, Destination, NIC_ADDRESS_LENGTH);
    }
    NdisDprReleaseSpinLock(&Adapter->Lock);
    return Found;
}

/* The NIC does not filter. */
static BOOLEAN NicPassesFilter(PNIC_ADAPTER Adapter, PUCHAR Destination)
{
    static const UCHAR Broadcast[NIC_ADDRESS_LENGTH] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
    ULONG Filter = Adapter->PacketFilter;

    if (Filter & NDIS_PACKET_TYPE_PROMISCUOUS) {
        return TRUE;
    }
    if ((Destination[0] & 0x01) == 0) {
        return (BOOLEAN)((Filter & NDIS_PACKET_TYPE_DIRECTED) &&
                         NdisEqualMemory(Destination, Adapter->CurrentAddress, NIC_ADDRESS_LENGTH));
    }
    if (NdisEqualMemory(Destination, Broadcast, NIC_ADDRESS_LENGTH)) {
        return (Filter & NDIS_PACKET_TYPE_BROADCAST) != 0;
    }
    return (BOOLEAN)((Filter & NDIS_PACKET_TYPE_ALL_MULTICAST) ||
                     ((Filter & NDIS_PACKET_TYPE_MULTICAST) && NicInMulticastList(Adapter, Destination)));
}

/* ReceiveLock held, DISPATCH_LEVEL. TRUE: the slot's list is filled in and may go up. */
static BOOLEAN NicFillList(PNIC_ADAPTER Adapter, PNIC_SLOT Slot, ULONG Length, ULONG Status)
{
    PNET_BUFFER NetBuffer = Slot->NetBuffer;
    PNET_BUFFER_LIST List = Slot->NetBufferList;

    if (Length < NIC_HEADER_LENGTH || Length > NIC_MAX_FRAME || !(Status & NIC_DESCRIPTOR_END)) {
        Adapter->Statistics.RxErrors++;
        return FALSE;
    }
    if (!NicPassesFilter(Adapter, Slot->Data)) {
        return FALSE;
    }
    Adapter->Statistics.RxFrames++;
    Adapter->Statistics.RxBytes += Length;

    NET_BUFFER_NEXT_NB(NetBuffer) = NULL;
    NET_BUFFER_FIRST_MDL(NetBuffer) = Slot->Mdl;
    NET_BUFFER_CURRENT_MDL(NetBuffer) = Slot->Mdl;
    NET_BUFFER_CURRENT_MDL_OFFSET(NetBuffer) = 0;
    NET_BUFFER_DATA_OFFSET(NetBuffer) = 0;
    NET_BUFFER_DATA_LENGTH(NetBuffer) = Length;

    NET_BUFFER_LIST_NEXT_NBL(List) = NULL;
    NET_BUFFER_LIST_FIRST_NB(List) = NetBuffer;
    NET_BUFFER_LIST_STATUS(List) = NDIS_STATUS_SUCCESS;
    List->SourceHandle = Adapter->AdapterHandle;
    return TRUE;
}

/*
 * DISPATCH_LEVEL. While not running, frames are dropped and their slots go back to the ring
 * (rule receive-indicated-while-paused).
 */
VOID NicHandleReceive(PNIC_ADAPTER Adapter)
{
    PNET_BUFFER_LIST First = NULL;
    PNET_BUFFER_LIST *Link = &First;
    BOOLEAN Running;
    ULONG Count = 0;

    /*
     * One reference for the indication itself: the lists may all be back before the call returns, and pause must not
     * complete while it runs (rule pause-completes-before-nbls-returned).
     */
    NdisDprAcquireSpinLock(&Adapter->Lock);
    Running = TRUE;
    if (Running) {
        NicPendingAdd(&Adapter->DataPath, 1);
    }
    NdisDprReleaseSpinLock(&Adapter->Lock);

    NdisDprAcquireSpinLock(&Adapter->ReceiveLock);
    while (Adapter->RxClean != Adapter->RxTail) {
        volatile NIC_DESCRIPTOR *Descriptor = &Adapter->RxRing[Adapter->RxClean];
        PNIC_SLOT Slot = Adapter->RxOwner[Adapter->RxClean];
        ULONG Status = Descriptor->Status;

        if ((Status & NIC_DESCRIPTOR_DONE) == 0) {
            break;
        }
        KeMemoryBarrier();
        Adapter->RxOwner[Adapter->RxClean] = NULL;
        Adapter->RxClean = NicNextRx(Adapter->RxClean);
        if (Running && NicFillList(Adapter, Slot, Descriptor->Length, Status)) {
            *Link = Slot->NetBufferList;
            Link = &NET_BUFFER_LIST_NEXT_NBL(Slot->NetBufferList);
            Count++;
        } else {
            Adapter->Statistics.RxDiscards++;
            NicPushFree(Adapter, Slot);
        }
    }
    NicPostSlots(Adapter);
    NdisDprReleaseSpinLock(&Adapter->ReceiveLock);

    if (Count != 0) {
        NdisDprAcquireSpinLock(&Adapter->Lock);
        NicPendingAdd(&Adapter->DataPath, (LONG)Count);
        NdisDprReleaseSpinLock(&Adapter->Lock);

        /* Rule wait-holding-lock: no lock is held here; the lists may come back in this very call. */
        NdisMIndicateReceiveNetBufferLists(Adapter->AdapterHandle, First, NDIS_DEFAULT_PORT_NUMBER, Count,
                                           NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
    }
    if (Running) {
        NicDataPathRemove(Adapter, 1);
    }
}

/* <= DISPATCH_LEVEL */
VOID NicReturnNetBufferLists(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, ULONG ReturnFlags)
{
    PNIC_ADAPTER Adapter = Context;
    LONG Count = 0;

    UNREFERENCED_PARAMETER(ReturnFlags);

    NdisAcquireSpinLock(&Adapter->ReceiveLock);
    while (Lists != NULL) {
        PNET_BUFFER_LIST Next = NET_BUFFER_LIST_NEXT_NBL(Lists);

        NET_BUFFER_LIST_NEXT_NBL(Lists) = NULL;
        NicPushFree(Adapter, NET_BUFFER_LIST_MINIPORT_RESERVED(Lists)[0]);
        Lists = Next;
        Count++;
    }
    NicPostSlots(Adapter);
    NdisReleaseSpinLock(&Adapter->ReceiveLock);

    /* Last: a pause, and after it a halt, may go on from here. */
    NicDataPathRemove(Adapter, Count);
}
