/* What NDIS is told about the adapter while it initializes. */
#include "nic.h"

static const NDIS_OID NicSupportedOids[] = {
    OID_GEN_SUPPORTED_LIST, OID_GEN_HARDWARE_STATUS, OID_GEN_TRANSMIT_BUFFER_SPACE, OID_GEN_RECEIVE_BUFFER_SPACE,
    OID_GEN_TRANSMIT_BLOCK_SIZE, OID_GEN_RECEIVE_BLOCK_SIZE, OID_GEN_VENDOR_ID, OID_GEN_VENDOR_DESCRIPTION,
    OID_GEN_VENDOR_DRIVER_VERSION, OID_GEN_CURRENT_PACKET_FILTER, OID_GEN_CURRENT_LOOKAHEAD,
    OID_GEN_MAXIMUM_TOTAL_SIZE, OID_GEN_INTERRUPT_MODERATION, OID_GEN_LINK_PARAMETERS, OID_GEN_STATISTICS,
    OID_GEN_XMIT_OK, OID_GEN_RCV_OK, OID_GEN_XMIT_ERROR, OID_GEN_RCV_ERROR, OID_GEN_RCV_NO_BUFFER,
    OID_802_3_PERMANENT_ADDRESS, OID_802_3_CURRENT_ADDRESS, OID_802_3_MULTICAST_LIST, OID_802_3_MAXIMUM_LIST_SIZE,
    OID_802_3_RCV_ERROR_ALIGNMENT, OID_802_3_XMIT_ONE_COLLISION, OID_802_3_XMIT_MORE_COLLISIONS,
    OID_PNP_SET_POWER, OID_PNP_QUERY_POWER,
};

/* Rule init-attributes-before-hardware: before any port, register, interrupt, DMA channel or NDIS port. */
NDIS_STATUS NicSetRegistrationAttributes(PNIC_ADAPTER Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES *Registration = &Attributes.RegistrationAttributes;

    NdisZeroMemory(&Attributes, sizeof(Attributes));
    Registration->Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    Registration->Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2;
    Registration->Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    Registration->MiniportAdapterContext = Adapter;
    Registration->AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER |
                                   NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK |
                                   NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT |
                                   NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK;
    Registration->InterfaceType = NdisInterfacePci;

    return NdisMSetMiniportAttributes(Adapter->AdapterHandle, &Attributes);
}

/* Rule init-attributes-order: the general attributes come second. They carry the address, so the EEPROM was read. */
NDIS_STATUS NicSetGeneralAttributes(PNIC_ADAPTER Adapter)
{
    NDIS_MINIPORT_ADAPTER_ATTRIBUTES Attributes;
    NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES *General = &Attributes.GeneralAttributes;
    NDIS_PM_CAPABILITIES Power;
    ULONG64 Speed = (ULONG64)Adapter->LinkSpeed * 1000000;

    /* Power managed, without any wake-up: NDIS sends OID_PNP_SET_POWER instead of halting when the system sleeps. */
    NdisZeroMemory(&Power, sizeof(Power));
    Power.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
    Power.Header.Revision = NDIS_PM_CAPABILITIES_REVISION_2;
    Power.Header.Size = NDIS_SIZEOF_NDIS_PM_CAPABILITIES_REVISION_2;

    NdisZeroMemory(&Attributes, sizeof(Attributes));
    General->Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
    General->Header.Revision = NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    General->Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES_REVISION_2;
    General->MediaType = NdisMedium802_3;
    General->PhysicalMediumType = NdisPhysicalMedium802_3;
    General->MtuSize = NIC_MTU;
    General->MaxXmitLinkSpeed = 1000000000ULL;
    General->MaxRcvLinkSpeed = 1000000000ULL;
    General->XmitLinkSpeed = Adapter->LinkUp ? Speed : NDIS_LINK_SPEED_UNKNOWN;
    General->RcvLinkSpeed = General->XmitLinkSpeed;
    General->MediaConnectState = Adapter->LinkUp ? MediaConnectStateConnected : MediaConnectStateDisconnected;
    General->MediaDuplexState = Adapter->LinkUp ? MediaDuplexStateFull : MediaDuplexStateUnknown;
    General->LookaheadSize = NIC_MTU;
    General->MacOptions = NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA | NDIS_MAC_OPTION_TRANSFERS_NOT_PEND |
                          NDIS_MAC_OPTION_NO_LOOPBACK | NDIS_MAC_OPTION_FULL_DUPLEX;
    General->SupportedPacketFilters = NIC_PACKET_FILTERS;
    General->MaxMulticastListSize = NIC_MAX_MULTICAST;
    General->MacAddressLength = NIC_ADDRESS_LENGTH;
    NdisMoveMemory(General->PermanentMacAddress, Adapter->PermanentAddress, NIC_ADDRESS_LENGTH);
    NdisMoveMemory(General->CurrentMacAddress, Adapter->CurrentAddress, NIC_ADDRESS_LENGTH);
    General->AccessType = NET_IF_ACCESS_BROADCAST;
    General->DirectionType = NET_IF_DIRECTION_SENDRECEIVE;
    General->ConnectionType = NET_IF_CONNECTION_DEDICATED;
    General->IfType = IF_TYPE_ETHERNET_CSMACD;
    General->IfConnectorPresent = TRUE;
    General->SupportedStatistics = NDIS_STATISTICS_XMIT_OK_SUPPORTED | NDIS_STATISTICS_RCV_OK_SUPPORTED |
                                   NDIS_STATISTICS_XMIT_ERROR_SUPPORTED | NDIS_STATISTICS_RCV_ERROR_SUPPORTED |
                                   NDIS_STATISTICS_RCV_NO_BUFFER_SUPPORTED | NDIS_STATISTICS_BYTES_XMIT_SUPPORTED |
                                   NDIS_STATISTICS_BYTES_RCV_SUPPORTED | NDIS_STATISTICS_GEN_STATISTICS_SUPPORTED;
    General->SupportedPauseFunctions = NdisPauseFunctionsUnsupported;
    General->SupportedOidList = (PNDIS_OID)NicSupportedOids;
    General->SupportedOidListLength = sizeof(NicSupportedOids);
    General->AutoNegotiationFlags = NDIS_LINK_STATE_XMIT_LINK_SPEED_AUTO_NEGOTIATED |
                                    NDIS_LINK_STATE_RCV_LINK_SPEED_AUTO_NEGOTIATED |
                                    NDIS_LINK_STATE_DUPLEX_AUTO_NEGOTIATED;
    General->PowerManagementCapabilitiesEx = &Power;

    return NdisMSetMiniportAttributes(Adapter->AdapterHandle, &Attributes);
}
