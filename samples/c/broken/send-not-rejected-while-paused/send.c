/* Broken on purpose: a send that comes while paused ends with a status that says nothing. */
/*
 * Send: map, queue, hand to the NIC, complete.
 *
 * NET_BUFFER_LIST.MiniportReserved: [0] NET_BUFFERs not finished, plus one while the list is walked; [1] the adapter.
 * NET_BUFFER.MiniportReserved:      [0] its list; [1] its scatter/gather list; [2] next in a queue.
 */
#include "nic.h"

#define NIC_LIST_PENDING(list) ((LONG volatile *)&NET_BUFFER_LIST_MINIPORT_RESERVED(list)[0])
#define NIC_LIST_ADAPTER(list) (NET_BUFFER_LIST_MINIPORT_RESERVED(list)[1])
#define NIC_BUFFER_LIST(nb) (*(PNET_BUFFER_LIST *)&NET_BUFFER_MINIPORT_RESERVED(nb)[0])
#define NIC_BUFFER_SG(nb) (*(PSCATTER_GATHER_LIST *)&NET_BUFFER_MINIPORT_RESERVED(nb)[1])
#define NIC_BUFFER_NEXT(nb) (*(PNET_BUFFER *)&NET_BUFFER_MINIPORT_RESERVED(nb)[2])

static ULONG NicNextTx(ULONG Index)
{
    return (Index + 1) % NIC_TX_DESCRIPTORS;
}

static ULONG NicFreeTx(PNIC_ADAPTER Adapter)
{
    return (Adapter->TxClean + NIC_TX_DESCRIPTORS - Adapter->TxTail - 1) % NIC_TX_DESCRIPTORS;
}

/* Why a send cannot be taken now; NDIS_STATUS_SUCCESS when it can. Lock held. */
static NDIS_STATUS NicSendRefusal(PNIC_ADAPTER Adapter)
{
    if (Adapter->Removed) {
        return NDIS_STATUS_NOT_ACCEPTED; /* rule surprise-removal-requests-not-rejected */
    }
    if (Adapter->HardwareOff) {
        return NDIS_STATUS_LOW_POWER_STATE;
    }
    if (Adapter->State != NicRunning) {
        return NDIS_STATUS_FAILURE;
    }
    return NDIS_STATUS_SUCCESS;
}

/* DISPATCH_LEVEL, no lock held. The list may be gone afterwards. */
static VOID NicListDone(PNIC_ADAPTER Adapter, PNET_BUFFER_LIST List)
{
    if (InterlockedDecrement(NIC_LIST_PENDING(List)) == 0) {
        NdisMSendNetBufferListsComplete(Adapter->AdapterHandle, List, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
        /* Only now may a pause complete. */
        NicDataPathRemove(Adapter, 1);
    }
}

/* DISPATCH_LEVEL (rule irql-sg), no lock held; the NIC is done with the data. */
static VOID NicBufferDone(PNIC_ADAPTER Adapter, PNET_BUFFER NetBuffer, NDIS_STATUS Status)
{
    PNET_BUFFER_LIST List = NIC_BUFFER_LIST(NetBuffer);

    if (NIC_BUFFER_SG(NetBuffer) != NULL) {
        /* Rule halt-leaks-sg-list. */
        NdisMFreeNetBufferSGList(Adapter->DmaHandle, NIC_BUFFER_SG(NetBuffer), NetBuffer);
        NIC_BUFFER_SG(NetBuffer) = NULL;
    }
    if (Status != NDIS_STATUS_SUCCESS) {
        NET_BUFFER_LIST_STATUS(List) = Status;
    }
    NicListDone(Adapter, List);
}

/* <= DISPATCH_LEVEL, no lock held. */
static VOID NicBuffersDone(PNIC_ADAPTER Adapter, PNET_BUFFER First, NDIS_STATUS Status)
{
    KIRQL OldIrql;

    NDIS_RAISE_IRQL_TO_DISPATCH(&OldIrql);
    while (First != NULL) {
        PNET_BUFFER Next = NIC_BUFFER_NEXT(First);

        NicBufferDone(Adapter, First, Status);
        First = Next;
    }
    NDIS_LOWER_IRQL(OldIrql, DISPATCH_LEVEL);
}

/* SendLock held. Moves waiting frames into the ring as far as there is room. */
static VOID NicFillRing(PNIC_ADAPTER Adapter)
{
    BOOLEAN Posted = FALSE;

    while (Adapter->WaitingHead != NULL) {
        PNET_BUFFER NetBuffer = Adapter->WaitingHead;
        PSCATTER_GATHER_LIST List = NIC_BUFFER_SG(NetBuffer);
        ULONG Last = Adapter->TxTail;
        ULONG Index;

        if (List->NumberOfElements > NicFreeTx(Adapter)) {
            break;
        }
        Adapter->WaitingHead = NIC_BUFFER_NEXT(NetBuffer);
        if (Adapter->WaitingHead == NULL) {
            Adapter->WaitingTail = NULL;
        }
        for (Index = 0; Index < List->NumberOfElements; Index++) {
            NIC_DESCRIPTOR *Descriptor = &Adapter->TxRing[Adapter->TxTail];

            Descriptor->Buffer = (ULONG64)List->Elements[Index].Address.QuadPart;
            Descriptor->Length = List->Elements[Index].Length;
            Descriptor->Status = Index + 1 == List->NumberOfElements ? NIC_DESCRIPTOR_END : 0;
            Last = Adapter->TxTail;
            Adapter->TxTail = NicNextTx(Adapter->TxTail);
        }
        Adapter->TxOwner[Last] = NetBuffer;
        Posted = TRUE;
    }
    if (Posted) {
        KeMemoryBarrier();
        NicWrite(Adapter, NIC_TX_TAIL, Adapter->TxTail);
    }
}

/* DISPATCH_LEVEL; inside NdisMAllocateNetBufferSGList or later. */
VOID NicProcessSGList(PDEVICE_OBJECT Device, PVOID Reserved, PSCATTER_GATHER_LIST List, PVOID Context)
{
    PNET_BUFFER NetBuffer = Context;
    PNIC_ADAPTER Adapter = NIC_LIST_ADAPTER(NIC_BUFFER_LIST(NetBuffer));
    NDIS_STATUS Status;

    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Reserved);

    NIC_BUFFER_SG(NetBuffer) = List;
    NIC_BUFFER_NEXT(NetBuffer) = NULL;
    if (List->NumberOfElements > NIC_MAX_FRAGMENTS) {
        NicBufferDone(Adapter, NetBuffer, NDIS_STATUS_RESOURCES);
        return;
    }

    NdisDprAcquireSpinLock(&Adapter->SendLock);
    NdisDprAcquireSpinLock(&Adapter->Lock);
    Status = NicSendRefusal(Adapter);
    NdisDprReleaseSpinLock(&Adapter->Lock);
    if (Status == NDIS_STATUS_SUCCESS) {
        if (Adapter->WaitingTail != NULL) {
            NIC_BUFFER_NEXT(Adapter->WaitingTail) = NetBuffer;
        } else {
            Adapter->WaitingHead = NetBuffer;
        }
        Adapter->WaitingTail = NetBuffer;
        NicFillRing(Adapter);
    }
    NdisDprReleaseSpinLock(&Adapter->SendLock);

    if (Status != NDIS_STATUS_SUCCESS) {
        NicBufferDone(Adapter, NetBuffer, Status);
    }
}

/* DISPATCH_LEVEL */
static VOID NicSendList(PNIC_ADAPTER Adapter, PNET_BUFFER_LIST List)
{
    PNET_BUFFER NetBuffer;
    PNET_BUFFER Next;
    LONG Pending = 1;

    for (NetBuffer = NET_BUFFER_LIST_FIRST_NB(List); NetBuffer != NULL; NetBuffer = NET_BUFFER_NEXT_NB(NetBuffer)) {
        NIC_BUFFER_LIST(NetBuffer) = List;
        NIC_BUFFER_SG(NetBuffer) = NULL;
        NIC_BUFFER_NEXT(NetBuffer) = NULL;
        Pending++;
    }
    NET_BUFFER_LIST_STATUS(List) = NDIS_STATUS_SUCCESS;
    NIC_LIST_ADAPTER(List) = Adapter;
    InterlockedExchange(NIC_LIST_PENDING(List), Pending);

    for (NetBuffer = NET_BUFFER_LIST_FIRST_NB(List); NetBuffer != NULL; NetBuffer = Next) {
        NDIS_STATUS Status;

        Next = NET_BUFFER_NEXT_NB(NetBuffer);
        if (NET_BUFFER_DATA_LENGTH(NetBuffer) == 0 || NET_BUFFER_DATA_LENGTH(NetBuffer) > NIC_MAX_FRAME) {
            NicBufferDone(Adapter, NetBuffer, NDIS_STATUS_INVALID_LENGTH);
            continue;
        }
        Status = NdisMAllocateNetBufferSGList(Adapter->DmaHandle, NetBuffer, NetBuffer, NDIS_SG_LIST_WRITE_TO_DEVICE,
                                              NULL, 0);
        if (Status != NDIS_STATUS_SUCCESS) {
            /* NicProcessSGList will not be called. */
            NicBufferDone(Adapter, NetBuffer, Status);
        }
    }
    NicListDone(Adapter, List);
}

/* <= DISPATCH_LEVEL. The flag says which; the IRQL is never asked (rule irql-flag-mismatch). */
VOID NicSendNetBufferLists(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG SendFlags)
{
    PNIC_ADAPTER Adapter = Context;
    KIRQL OldIrql = DISPATCH_LEVEL;

    UNREFERENCED_PARAMETER(Port);

    if (!NDIS_TEST_SEND_AT_DISPATCH_LEVEL(SendFlags)) {
        NDIS_RAISE_IRQL_TO_DISPATCH(&OldIrql);
    }
    while (Lists != NULL) {
        PNET_BUFFER_LIST List = Lists;
        NDIS_STATUS Status;

        Lists = NET_BUFFER_LIST_NEXT_NBL(List);
        NET_BUFFER_LIST_NEXT_NBL(List) = NULL;

        NdisDprAcquireSpinLock(&Adapter->Lock);
        Status = NicSendRefusal(Adapter);
        if (Status == NDIS_STATUS_SUCCESS) {
            NicPendingAdd(&Adapter->DataPath, 1);
        }
        NdisDprReleaseSpinLock(&Adapter->Lock);

        if (Status == NDIS_STATUS_SUCCESS) {
            NicSendList(Adapter, List);
        } else {
            NET_BUFFER_LIST_STATUS(List) = Status;
            NdisMSendNetBufferListsComplete(Adapter->AdapterHandle, List, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
        }
    }
    if (!NDIS_TEST_SEND_AT_DISPATCH_LEVEL(SendFlags)) {
        NDIS_LOWER_IRQL(OldIrql, DISPATCH_LEVEL);
    }
}

/* <= DISPATCH_LEVEL. Completes what the NIC has sent, and sends what waited. */
VOID NicHandleTransmit(PNIC_ADAPTER Adapter)
{
    PNET_BUFFER Done = NULL;
    PNET_BUFFER *Link = &Done;

    NdisAcquireSpinLock(&Adapter->SendLock);
    while (Adapter->TxClean != Adapter->TxTail) {
        volatile NIC_DESCRIPTOR *Descriptor = &Adapter->TxRing[Adapter->TxClean];
        PNET_BUFFER NetBuffer = Adapter->TxOwner[Adapter->TxClean];

        if ((Descriptor->Status & NIC_DESCRIPTOR_DONE) == 0) {
            break;
        }
        if (NetBuffer != NULL) {
            Adapter->TxOwner[Adapter->TxClean] = NULL;
            Adapter->Statistics.TxFrames++;
            Adapter->Statistics.TxBytes += NET_BUFFER_DATA_LENGTH(NetBuffer);
            NIC_BUFFER_NEXT(NetBuffer) = NULL;
            *Link = NetBuffer;
            Link = &NIC_BUFFER_NEXT(NetBuffer);
        }
        Adapter->TxClean = NicNextTx(Adapter->TxClean);
    }
    NicFillRing(Adapter);
    NdisReleaseSpinLock(&Adapter->SendLock);

    NicBuffersDone(Adapter, Done, NDIS_STATUS_SUCCESS);
}

BOOLEAN NicTransmitRingEmpty(PNIC_ADAPTER Adapter)
{
    BOOLEAN Empty;

    NdisAcquireSpinLock(&Adapter->SendLock);
    Empty = Adapter->TxClean == Adapter->TxTail;
    NdisReleaseSpinLock(&Adapter->SendLock);
    return Empty;
}

/* <= DISPATCH_LEVEL. Ends the frames that the NIC has not been given. */
VOID NicAbortWaiting(PNIC_ADAPTER Adapter, NDIS_STATUS Status)
{
    PNET_BUFFER First;

    NdisAcquireSpinLock(&Adapter->SendLock);
    First = Adapter->WaitingHead;
    Adapter->WaitingHead = NULL;
    Adapter->WaitingTail = NULL;
    NdisReleaseSpinLock(&Adapter->SendLock);

    NicBuffersDone(Adapter, First, Status);
}

/* <= DISPATCH_LEVEL. Ends the frames in the ring; only after a reset or a removal, when the NIC reads no more. */
VOID NicAbortRing(PNIC_ADAPTER Adapter, NDIS_STATUS Status)
{
    PNET_BUFFER First = NULL;
    PNET_BUFFER *Link = &First;

    NdisAcquireSpinLock(&Adapter->SendLock);
    for (; Adapter->TxClean != Adapter->TxTail; Adapter->TxClean = NicNextTx(Adapter->TxClean)) {
        PNET_BUFFER NetBuffer = Adapter->TxOwner[Adapter->TxClean];

        if (NetBuffer != NULL) {
            Adapter->TxOwner[Adapter->TxClean] = NULL;
            Adapter->Statistics.TxDiscards++;
            NIC_BUFFER_NEXT(NetBuffer) = NULL;
            *Link = NetBuffer;
            Link = &NIC_BUFFER_NEXT(NetBuffer);
        }
    }
    Adapter->TxClean = 0;
    Adapter->TxTail = 0;
    NdisReleaseSpinLock(&Adapter->SendLock);

    NicBuffersDone(Adapter, First, Status);
}

/* <= DISPATCH_LEVEL. What is in the ring goes out; what waits can be stopped. */
VOID NicCancelSend(NDIS_HANDLE Context, PVOID CancelId)
{
    PNIC_ADAPTER Adapter = Context;
    PNET_BUFFER Cancelled = NULL;
    PNET_BUFFER *CancelledLink = &Cancelled;
    PNET_BUFFER *Link = &Adapter->WaitingHead;

    NdisAcquireSpinLock(&Adapter->SendLock);
    Adapter->WaitingTail = NULL;
    while (*Link != NULL) {
        PNET_BUFFER NetBuffer = *Link;

        if (NDIS_GET_NET_BUFFER_LIST_CANCEL_ID(NIC_BUFFER_LIST(NetBuffer)) == CancelId) {
            *Link = NIC_BUFFER_NEXT(NetBuffer);
            NIC_BUFFER_NEXT(NetBuffer) = NULL;
            *CancelledLink = NetBuffer;
            CancelledLink = &NIC_BUFFER_NEXT(NetBuffer);
        } else {
            Adapter->WaitingTail = NetBuffer;
            Link = &NIC_BUFFER_NEXT(NetBuffer);
        }
    }
    NdisReleaseSpinLock(&Adapter->SendLock);

    NicBuffersDone(Adapter, Cancelled, NDIS_STATUS_SEND_ABORTED);
}
