/*
 * What every miniport of the corpus would otherwise repeat: filling in structures, answering OIDs, completing sends, a gate in
 * front of the data path. Nothing here acquires anything that would have to be given back.
 */
#pragma once
#include <ndis.h>

#define FRAME_ADDRESS_LENGTH 6
#define FRAME_MTU 1500

/* Header and version; the handlers are the driver's. Minor: 0, 1, 20, 30 … of NDIS 6. */
FORCEINLINE VOID FrameCharacteristics(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars, UCHAR Minor)
{
    NdisZeroMemory(Chars, sizeof(*Chars));
    Chars->Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
    if (Minor == 0) {
        Chars->Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
        Chars->Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
    } else {
        Chars->Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
        Chars->Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2;
    }
    Chars->MajorNdisVersion = 6;
    Chars->MinorNdisVersion = Minor;
    Chars->MajorDriverVersion = 1;
}

FORCEINLINE NDIS_STATUS FrameRegistrationAttributes(NDIS_HANDLE Adapter, NDIS_HANDLE Context, ULONG Flags, ULONG HangSeconds)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;

    NdisZeroMemory(&Attributes, sizeof(Attributes));
    Attributes.RegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    Attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    Attributes.RegistrationAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    Attributes.RegistrationAttributes.MiniportAdapterContext = Context;
    Attributes.RegistrationAttributes.AttributeFlags = Flags;
    Attributes.RegistrationAttributes.CheckForHangTimeInSeconds = HangSeconds;
    Attributes.RegistrationAttributes.InterfaceType =
        (Flags & NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE) ? NdisInterfacePci : NdisInterfaceInternal;
    return NdisMSetMiniportAttributes(Adapter, &Attributes);
}

/* Power: NULL for a driver that is halted when the system sleeps. */
FORCEINLINE NDIS_STATUS FrameGeneralAttributes(NDIS_HANDLE Adapter, const UCHAR *Address, PNDIS_PNP_CAPABILITIES Power)
{
    static NDIS_OID Oids[] = { OID_GEN_SUPPORTED_LIST, OID_GEN_VENDOR_ID, OID_GEN_VENDOR_DESCRIPTION,
                               OID_GEN_VENDOR_DRIVER_VERSION, OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_CURRENT_LOOKAHEAD,
                               OID_GEN_MAXIMUM_TOTAL_SIZE, OID_GEN_XMIT_OK, OID_GEN_RCV_OK, OID_GEN_STATISTICS,
                               OID_802_3_PERMANENT_ADDRESS, OID_802_3_CURRENT_ADDRESS, OID_802_3_MULTICAST_LIST };
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    PNDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES General = &Attributes.GeneralAttributes;

    NdisZeroMemory(&Attributes, sizeof(Attributes));
    General->Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    General->Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1;
    General->Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_1;
    General->MediaType = NdisMedium802_3;
    General->PhysicalMediumType = NdisPhysicalMedium802_3;
    General->MtuSize = FRAME_MTU;
    General->MaxXmitLinkSpeed = General->XmitLinkSpeed = 1000000000ULL;
    General->MaxRcvLinkSpeed = General->RcvLinkSpeed = 1000000000ULL;
    General->MediaConnectState = MediaConnectStateConnected;
    General->MediaDuplexState = MediaDuplexStateFull;
    General->LookaheadSize = FRAME_MTU;
    General->PowerManagementCapabilities = Power;
    General->MacOptions = NDIS_MAC_OPTION_TRANSFERS_NOT_PEND | NDIS_MAC_OPTION_NO_LOOPBACK;
    General->SupportedPacketFilters = NDIS_PACKET_TYPE_DIRECTED | NDIS_PACKET_TYPE_MULTICAST |
                                      NDIS_PACKET_TYPE_BROADCAST | NDIS_PACKET_TYPE_PROMISCUOUS;
    General->MaxMulticastListSize = 32;
    General->MacAddressLength = FRAME_ADDRESS_LENGTH;
    NdisMoveMemory(General->PermanentMacAddress, Address, FRAME_ADDRESS_LENGTH);
    NdisMoveMemory(General->CurrentMacAddress, Address, FRAME_ADDRESS_LENGTH);
    General->AccessType = NET_IF_ACCESS_BROADCAST;
    General->DirectionType = NET_IF_DIRECTION_SENDRECEIVE;
    General->ConnectionType = NET_IF_CONNECTION_DEDICATED;
    General->IfType = IF_TYPE_ETHERNET_CSMACD;
    General->IfConnectorPresent = TRUE;
    General->SupportedStatistics = NDIS_STATISTICS_XMIT_OK_SUPPORTED | NDIS_STATISTICS_RCV_OK_SUPPORTED;
    General->SupportedOidList = Oids;
    General->SupportedOidListLength = sizeof(Oids);
    return NdisMSetMiniportAttributes(Adapter, &Attributes);
}

/* Sets the status of every list of the chain and gives it back. */
FORCEINLINE VOID FrameCompleteSends(NDIS_HANDLE Adapter, PNET_BUFFER_LIST Lists, NDIS_STATUS Status, ULONG SendFlags)
{
    PNET_BUFFER_LIST List;

    for (List = Lists; List != NULL; List = NET_BUFFER_LIST_NEXT_NBL(List)) {
        NET_BUFFER_LIST_STATUS(List) = Status;
    }
    NdisMSendNetBufferListsComplete(
        Adapter, Lists, NDIS_TEST_SEND_AT_DISPATCH_LEVEL(SendFlags) ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0);
}

/* What the OIDs ask for and set. */
typedef struct _FRAME_OIDS {
    UCHAR Address[FRAME_ADDRESS_LENGTH];
    ULONG Filter;
    ULONG Lookahead;
    ULONG MulticastLength;
    UCHAR Multicast[32 * FRAME_ADDRESS_LENGTH];
    ULONG64 Sent;
    ULONG64 Received;
    BOOLEAN Gone; /* the device was pulled out: nothing is accepted any more */
} FRAME_OIDS, *PFRAME_OIDS;

FORCEINLINE NDIS_STATUS FrameAnswer(PNDIS_OID_REQUEST Request, const void *Data, UINT Length)
{
    if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < Length) {
        Request->DATA.QUERY_INFORMATION.BytesNeeded = Length;
        return NDIS_STATUS_BUFFER_TOO_SHORT;
    }
    NdisMoveMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, Data, Length);
    Request->DATA.QUERY_INFORMATION.BytesWritten = Length;
    return NDIS_STATUS_SUCCESS;
}

FORCEINLINE NDIS_STATUS FrameQuery(PFRAME_OIDS Oids, PNDIS_OID_REQUEST Request)
{
    static const char Description[] = "haltex corpus";
    NDIS_STATISTICS_INFO Statistics;
    ULONG Number;

    switch (Request->DATA.QUERY_INFORMATION.Oid) {
    case OID_GEN_VENDOR_ID:
        Number = 0x00FFFFFF;
        return FrameAnswer(Request, &Number, sizeof(Number));
    case OID_GEN_VENDOR_DESCRIPTION:
        return FrameAnswer(Request, Description, sizeof(Description));
    case OID_GEN_VENDOR_DRIVER_VERSION:
        Number = 0x00010000;
        return FrameAnswer(Request, &Number, sizeof(Number));
    case OID_GEN_MAXIMUM_TOTAL_SIZE:
        Number = FRAME_MTU + 14;
        return FrameAnswer(Request, &Number, sizeof(Number));
    case OID_GEN_CURRENT_PACKET_FILTER:
        return FrameAnswer(Request, &Oids->Filter, sizeof(Oids->Filter));
    case OID_GEN_CURRENT_LOOKAHEAD:
        return FrameAnswer(Request, &Oids->Lookahead, sizeof(Oids->Lookahead));
    case OID_GEN_XMIT_OK:
        return FrameAnswer(Request, &Oids->Sent, sizeof(Oids->Sent));
    case OID_GEN_RCV_OK:
        return FrameAnswer(Request, &Oids->Received, sizeof(Oids->Received));
    case OID_802_3_PERMANENT_ADDRESS:
    case OID_802_3_CURRENT_ADDRESS:
        return FrameAnswer(Request, Oids->Address, FRAME_ADDRESS_LENGTH);
    case OID_GEN_STATISTICS:
        NdisZeroMemory(&Statistics, sizeof(Statistics));
        Statistics.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
        Statistics.Header.Revision = NDIS_STATISTICS_INFO_REVISION_1;
        Statistics.Header.Size = NDIS_SIZEOF_STATISTICS_INFO_REVISION_1;
        Statistics.ifHCOutUcastPkts = Oids->Sent;
        Statistics.ifHCInUcastPkts = Oids->Received;
        return FrameAnswer(Request, &Statistics, sizeof(Statistics));
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

FORCEINLINE NDIS_STATUS FrameSet(PFRAME_OIDS Oids, PNDIS_OID_REQUEST Request)
{
    PVOID Buffer = Request->DATA.SET_INFORMATION.InformationBuffer;
    UINT Length = Request->DATA.SET_INFORMATION.InformationBufferLength;

    switch (Request->DATA.SET_INFORMATION.Oid) {
    case OID_GEN_CURRENT_PACKET_FILTER:
    case OID_GEN_CURRENT_LOOKAHEAD:
        if (Length < sizeof(ULONG)) {
            Request->DATA.SET_INFORMATION.BytesNeeded = sizeof(ULONG);
            return NDIS_STATUS_INVALID_LENGTH;
        }
        if (Request->DATA.SET_INFORMATION.Oid == OID_GEN_CURRENT_PACKET_FILTER) {
            NdisMoveMemory(&Oids->Filter, Buffer, sizeof(ULONG));
        } else {
            NdisMoveMemory(&Oids->Lookahead, Buffer, sizeof(ULONG));
        }
        Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
        return NDIS_STATUS_SUCCESS;
    case OID_802_3_MULTICAST_LIST:
        if (Length % FRAME_ADDRESS_LENGTH != 0) {
            return NDIS_STATUS_INVALID_LENGTH;
        }
        if (Length > sizeof(Oids->Multicast)) {
            return NDIS_STATUS_MULTICAST_FULL;
        }
        NdisMoveMemory(Oids->Multicast, Buffer, Length);
        Oids->MulticastLength = Length;
        Request->DATA.SET_INFORMATION.BytesRead = Length;
        return NDIS_STATUS_SUCCESS;
    case OID_PNP_SET_POWER:
        Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
        return NDIS_STATUS_SUCCESS;
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

FORCEINLINE NDIS_STATUS FrameOid(PFRAME_OIDS Oids, PNDIS_OID_REQUEST Request)
{
    if (Oids->Gone) {
        return NDIS_STATUS_NOT_ACCEPTED;
    }
    switch (Request->RequestType) {
    case NdisRequestQueryInformation:
    case NdisRequestQueryStatistics:
        return FrameQuery(Oids, Request);
    case NdisRequestSetInformation:
        return FrameSet(Oids, Request);
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

/*
 * The gate counts who is on the data path. Closing it lets nobody in any more and waits until the last one is out.
 */
typedef struct _FRAME_GATE {
    KSPIN_LOCK Lock;
    LONG Inside;
    BOOLEAN Open, Gone;
    NDIS_EVENT Empty;
} FRAME_GATE, *PFRAME_GATE;

FORCEINLINE VOID FrameGateInitialize(PFRAME_GATE Gate)
{
    KeInitializeSpinLock(&Gate->Lock);
    Gate->Inside = 0;
    Gate->Open = Gate->Gone = FALSE;
    NdisInitializeEvent(&Gate->Empty);
}

FORCEINLINE VOID FrameGateOpen(PFRAME_GATE Gate)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Gate->Lock, &Irql);
    Gate->Open = TRUE;
    NdisResetEvent(&Gate->Empty);
    KeReleaseSpinLock(&Gate->Lock, Irql);
}

FORCEINLINE BOOLEAN FrameGateEnter(PFRAME_GATE Gate)
{
    BOOLEAN Open;
    KIRQL Irql;

    KeAcquireSpinLock(&Gate->Lock, &Irql);
    Open = (BOOLEAN)(Gate->Open && !Gate->Gone);
    if (Open) {
        Gate->Inside++;
    }
    KeReleaseSpinLock(&Gate->Lock, Irql);
    return Open;
}

FORCEINLINE VOID FrameGateLeave(PFRAME_GATE Gate)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Gate->Lock, &Irql);
    if (--Gate->Inside == 0 && !Gate->Open) {
        NdisSetEvent(&Gate->Empty);
    }
    KeReleaseSpinLock(&Gate->Lock, Irql);
}

/* PASSIVE_LEVEL */
FORCEINLINE VOID FrameGateClose(PFRAME_GATE Gate)
{
    BOOLEAN Wait;
    KIRQL Irql;

    KeAcquireSpinLock(&Gate->Lock, &Irql);
    Gate->Open = FALSE;
    Wait = Gate->Inside != 0;
    KeReleaseSpinLock(&Gate->Lock, Irql);
    if (Wait) {
        NdisWaitEvent(&Gate->Empty, 0);
        /* Whoever set the event has left the lock, too. */
        KeAcquireSpinLock(&Gate->Lock, &Irql);
        KeReleaseSpinLock(&Gate->Lock, Irql);
    }
}

/*
 * A routine that is queued only when it is not under way yet. To say «not any more» and to signal it are one step: between the
 * two the next one would be queued, and the event would be about the one before.
 */
typedef struct _FRAME_JOB {
    KSPIN_LOCK Lock;
    BOOLEAN Queued;
    NDIS_EVENT Idle;
} FRAME_JOB, *PFRAME_JOB;

FORCEINLINE VOID FrameJobInitialize(PFRAME_JOB Job)
{
    KeInitializeSpinLock(&Job->Lock);
    Job->Queued = FALSE;
    NdisInitializeEvent(&Job->Idle);
    NdisSetEvent(&Job->Idle);
}

/* TRUE: the caller queues it. */
FORCEINLINE BOOLEAN FrameJobBegin(PFRAME_JOB Job)
{
    BOOLEAN First;
    KIRQL Irql;

    KeAcquireSpinLock(&Job->Lock, &Irql);
    First = !Job->Queued;
    if (First) {
        Job->Queued = TRUE;
        NdisResetEvent(&Job->Idle);
    }
    KeReleaseSpinLock(&Job->Lock, Irql);
    return First;
}

/* The routine's last act. */
FORCEINLINE VOID FrameJobEnd(PFRAME_JOB Job)
{
    KIRQL Irql;

    KeAcquireSpinLock(&Job->Lock, &Irql);
    Job->Queued = FALSE;
    NdisSetEvent(&Job->Idle);
    KeReleaseSpinLock(&Job->Lock, Irql);
}

/* PASSIVE_LEVEL, once nobody begins it any more. */
FORCEINLINE VOID FrameJobWait(PFRAME_JOB Job)
{
    KIRQL Irql;

    NdisWaitEvent(&Job->Idle, 0);
    /* Whoever set the event has left the lock, too. */
    KeAcquireSpinLock(&Job->Lock, &Irql);
    KeReleaseSpinLock(&Job->Lock, Irql);
}

/* Handlers of a driver that has nothing to do there. */
static inline VOID FrameCancelOid(NDIS_HANDLE Context, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(RequestId);
}

static inline VOID FrameCancelSend(NDIS_HANDLE Context, PVOID CancelId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(CancelId);
}

static inline VOID FramePnp(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Event);
}

static inline VOID FrameShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Action);
}

static inline VOID FrameReturn(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(Lists);
    UNREFERENCED_PARAMETER(Flags);
}

/* The handlers above, for the driver to replace those it has itself. */
FORCEINLINE VOID FrameQuietHandlers(PNDIS_MINIPORT_DRIVER_CHARACTERISTICS Chars)
{
    Chars->CancelOidRequestHandler = FrameCancelOid;
    Chars->CancelSendHandler = FrameCancelSend;
    Chars->DevicePnPEventNotifyHandler = FramePnp;
    Chars->ShutdownHandlerEx = FrameShutdown;
    Chars->ReturnNetBufferListsHandler = FrameReturn;
}

/* MiniportDevicePnPEventNotify of a driver with hardware: once it is gone, requests and sends are refused. */
#define FRAME_SURPRISE(name, type, gate, oids)                                                                         \
    static VOID name(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event)                                                 \
    {                                                                                                                  \
        if (Event->DevicePnPEvent == NdisDevicePnPEventSurpriseRemoved) {                                              \
            ((type *)Context)->oids.Gone = TRUE;                                                                       \
            ((type *)Context)->gate.Gone = TRUE;                                                                       \
        }                                                                                                              \
    }
