/* Broken on purpose: requests are answered as if the hardware were still there. */
/* OID requests. Every one is answered before the handler returns. */
#include "nic.h"

#define NIC_DRIVER_VERSION 0x00010000UL

static NDIS_STATUS NicAnswer(PNDIS_OID_REQUEST Request, const void *Data, UINT Length)
{
    if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < Length) {
        Request->DATA.QUERY_INFORMATION.BytesWritten = 0;
        Request->DATA.QUERY_INFORMATION.BytesNeeded = Length;
        return NDIS_STATUS_BUFFER_TOO_SHORT;
    }
    NdisMoveMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, Data, Length);
    Request->DATA.QUERY_INFORMATION.BytesWritten = Length;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NicAnswerUlong(PNDIS_OID_REQUEST Request, ULONG Value)
{
    return NicAnswer(Request, &Value, sizeof(Value));
}

/* Counters may be asked for in 32 bits, too. */
static NDIS_STATUS NicAnswerCounter(PNDIS_OID_REQUEST Request, ULONG64 Value)
{
    if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < sizeof(ULONG64)) {
        NDIS_STATUS Status = NicAnswerUlong(Request, (ULONG)Value);

        Request->DATA.QUERY_INFORMATION.BytesNeeded = sizeof(ULONG64);
        return Status;
    }
    return NicAnswer(Request, &Value, sizeof(Value));
}

static NDIS_STATUS NicAnswerStatistics(PNIC_ADAPTER Adapter, PNDIS_OID_REQUEST Request)
{
    NDIS_STATISTICS_INFO Info;

    NdisZeroMemory(&Info, sizeof(Info));
    Info.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Info.Header.Revision = NDIS_STATISTICS_INFO_REVISION_1;
    Info.Header.Size = NDIS_SIZEOF_STATISTICS_INFO_REVISION_1;
    Info.SupportedStatistics = NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_RCV | NDIS_STATISTICS_FLAGS_VALID_BYTES_RCV |
                               NDIS_STATISTICS_FLAGS_VALID_RCV_DISCARDS | NDIS_STATISTICS_FLAGS_VALID_RCV_ERROR |
                               NDIS_STATISTICS_FLAGS_VALID_DIRECTED_FRAMES_XMIT |
                               NDIS_STATISTICS_FLAGS_VALID_BYTES_XMIT | NDIS_STATISTICS_FLAGS_VALID_XMIT_ERROR |
                               NDIS_STATISTICS_FLAGS_VALID_XMIT_DISCARDS;
    Info.ifInDiscards = Adapter->Statistics.RxDiscards;
    Info.ifInErrors = Adapter->Statistics.RxErrors;
    Info.ifHCInOctets = Adapter->Statistics.RxBytes;
    Info.ifHCInUcastPkts = Adapter->Statistics.RxFrames;
    Info.ifHCOutOctets = Adapter->Statistics.TxBytes;
    Info.ifHCOutUcastPkts = Adapter->Statistics.TxFrames;
    Info.ifOutErrors = Adapter->Statistics.TxErrors;
    Info.ifOutDiscards = Adapter->Statistics.TxDiscards;
    return NicAnswer(Request, &Info, sizeof(Info));
}

static NDIS_STATUS NicAnswerModeration(PNDIS_OID_REQUEST Request)
{
    NDIS_INTERRUPT_MODERATION_PARAMETERS Parameters;

    NdisZeroMemory(&Parameters, sizeof(Parameters));
    Parameters.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Parameters.Header.Revision = NDIS_INTERRUPT_MODERATION_PARAMETERS_REVISION_1;
    Parameters.Header.Size = NDIS_SIZEOF_INTERRUPT_MODERATION_PARAMETERS_REVISION_1;
    Parameters.InterruptModeration = NdisInterruptModerationNotSupported;
    return NicAnswer(Request, &Parameters, sizeof(Parameters));
}

static NDIS_STATUS NicAnswerMulticastList(PNIC_ADAPTER Adapter, PNDIS_OID_REQUEST Request)
{
    NDIS_STATUS Status;

    NdisAcquireSpinLock(&Adapter->Lock);
    Status = NicAnswer(Request, Adapter->MulticastList, Adapter->MulticastCount * NIC_ADDRESS_LENGTH);
    NdisReleaseSpinLock(&Adapter->Lock);
    return Status;
}

static NDIS_STATUS NicQuery(PNIC_ADAPTER Adapter, PNDIS_OID_REQUEST Request)
{
    static const char Vendor[] = "haltex model NIC";
    NIC_STATISTICS *Statistics = &Adapter->Statistics;

    switch (Request->DATA.QUERY_INFORMATION.Oid) {
    case OID_GEN_HARDWARE_STATUS:
        return NicAnswerUlong(Request, NicHardwareReady(Adapter) ? NdisHardwareStatusReady
                                                                 : NdisHardwareStatusNotReady);
    case OID_GEN_TRANSMIT_BUFFER_SPACE:
        return NicAnswerUlong(Request, NIC_TX_DESCRIPTORS * NIC_MAX_FRAME);
    case OID_GEN_RECEIVE_BUFFER_SPACE:
        return NicAnswerUlong(Request, NIC_RX_SLOTS * NIC_BUFFER_LENGTH);
    case OID_GEN_TRANSMIT_BLOCK_SIZE:
    case OID_GEN_MAXIMUM_TOTAL_SIZE:
        return NicAnswerUlong(Request, NIC_MAX_FRAME);
    case OID_GEN_RECEIVE_BLOCK_SIZE:
        return NicAnswerUlong(Request, NIC_BUFFER_LENGTH);
    case OID_GEN_VENDOR_ID:
        return NicAnswerUlong(Request, NIC_VENDOR_ID);
    case OID_GEN_VENDOR_DESCRIPTION:
        return NicAnswer(Request, Vendor, sizeof(Vendor));
    case OID_GEN_VENDOR_DRIVER_VERSION:
        return NicAnswerUlong(Request, NIC_DRIVER_VERSION);
    case OID_GEN_CURRENT_PACKET_FILTER:
        return NicAnswerUlong(Request, Adapter->PacketFilter);
    case OID_GEN_CURRENT_LOOKAHEAD:
        return NicAnswerUlong(Request, Adapter->Lookahead);
    case OID_GEN_INTERRUPT_MODERATION:
        return NicAnswerModeration(Request);
    case OID_GEN_STATISTICS:
        return NicAnswerStatistics(Adapter, Request);
    case OID_GEN_XMIT_OK:
        return NicAnswerCounter(Request, Statistics->TxFrames);
    case OID_GEN_RCV_OK:
        return NicAnswerCounter(Request, Statistics->RxFrames);
    case OID_GEN_XMIT_ERROR:
        return NicAnswerCounter(Request, Statistics->TxErrors);
    case OID_GEN_RCV_ERROR:
        return NicAnswerCounter(Request, Statistics->RxErrors);
    case OID_GEN_RCV_NO_BUFFER:
        return NicAnswerCounter(Request, Statistics->RxDiscards);
    case OID_802_3_PERMANENT_ADDRESS:
        return NicAnswer(Request, Adapter->PermanentAddress, NIC_ADDRESS_LENGTH);
    case OID_802_3_CURRENT_ADDRESS:
        return NicAnswer(Request, Adapter->CurrentAddress, NIC_ADDRESS_LENGTH);
    case OID_802_3_MULTICAST_LIST:
        return NicAnswerMulticastList(Adapter, Request);
    case OID_802_3_MAXIMUM_LIST_SIZE:
        return NicAnswerUlong(Request, NIC_MAX_MULTICAST);
    case OID_802_3_RCV_ERROR_ALIGNMENT:
    case OID_802_3_XMIT_ONE_COLLISION:
    case OID_802_3_XMIT_MORE_COLLISIONS:
        return NicAnswerUlong(Request, 0);
    case OID_PNP_QUERY_POWER:
        return NDIS_STATUS_SUCCESS;
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

static NDIS_STATUS NicSetMulticastList(PNIC_ADAPTER Adapter, PNDIS_OID_REQUEST Request)
{
    UINT Length = Request->DATA.SET_INFORMATION.InformationBufferLength;

    if (Length % NIC_ADDRESS_LENGTH != 0) {
        return NDIS_STATUS_INVALID_LENGTH;
    }
    if (Length > NIC_MAX_MULTICAST * NIC_ADDRESS_LENGTH) {
        Request->DATA.SET_INFORMATION.BytesNeeded = NIC_MAX_MULTICAST * NIC_ADDRESS_LENGTH;
        return NDIS_STATUS_MULTICAST_FULL;
    }
    NdisAcquireSpinLock(&Adapter->Lock);
    NdisMoveMemory(Adapter->MulticastList, Request->DATA.SET_INFORMATION.InformationBuffer, Length);
    Adapter->MulticastCount = Length / NIC_ADDRESS_LENGTH;
    NdisReleaseSpinLock(&Adapter->Lock);
    Request->DATA.SET_INFORMATION.BytesRead = Length;
    return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NicSetValue(PNIC_ADAPTER Adapter, NDIS_OID Oid, ULONG Value)
{
    switch (Oid) {
    case OID_GEN_CURRENT_PACKET_FILTER:
        if (Value & ~NIC_PACKET_FILTERS) {
            return NDIS_STATUS_NOT_SUPPORTED;
        }
        NdisAcquireSpinLock(&Adapter->Lock);
        Adapter->PacketFilter = Value;
        NdisReleaseSpinLock(&Adapter->Lock);
        return NDIS_STATUS_SUCCESS;
    case OID_GEN_CURRENT_LOOKAHEAD:
        if (Value > NIC_MTU) {
            return NDIS_STATUS_INVALID_DATA;
        }
        Adapter->Lookahead = Value;
        return NDIS_STATUS_SUCCESS;
    default:
        return NicSetPower(Adapter, (NDIS_DEVICE_POWER_STATE)Value);
    }
}

static NDIS_STATUS NicSet(PNIC_ADAPTER Adapter, PNDIS_OID_REQUEST Request)
{
    NDIS_OID Oid = Request->DATA.SET_INFORMATION.Oid;

    switch (Oid) {
    case OID_802_3_MULTICAST_LIST:
        return NicSetMulticastList(Adapter, Request);
    case OID_GEN_CURRENT_PACKET_FILTER:
    case OID_GEN_CURRENT_LOOKAHEAD:
    case OID_PNP_SET_POWER:
        if (Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof(ULONG)) {
            Request->DATA.SET_INFORMATION.BytesNeeded = sizeof(ULONG);
            return NDIS_STATUS_INVALID_LENGTH;
        }
        Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
        return NicSetValue(Adapter, Oid, *(PULONG)Request->DATA.SET_INFORMATION.InformationBuffer);
    case OID_GEN_INTERRUPT_MODERATION:
    case OID_GEN_LINK_PARAMETERS:
        return NDIS_STATUS_INVALID_DATA;
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

/* PASSIVE_LEVEL */
NDIS_STATUS NicOidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request)
{
    PNIC_ADAPTER Adapter = Context;

    switch (Request->RequestType) {
    case NdisRequestQueryInformation:
    case NdisRequestQueryStatistics:
        return NicQuery(Adapter, Request);
    case NdisRequestSetInformation:
        return NicSet(Adapter, Request);
    default:
        return NDIS_STATUS_NOT_SUPPORTED;
    }
}

/* None is ever pending. */
VOID NicCancelOidRequest(NDIS_HANDLE Context, PVOID RequestId)
{
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(RequestId);
}
