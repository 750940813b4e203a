/** What NDIS is told about the adapter while it initializes. */
import {
  array,
  type Coroutine,
  header,
  IF_TYPE_ETHERNET_CSMACD,
  NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA,
  NDIS_MAC_OPTION_FULL_DUPLEX,
  NDIS_MAC_OPTION_NO_LOOPBACK,
  NDIS_MAC_OPTION_TRANSFERS_NOT_PEND,
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT,
  NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE,
  NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK,
  NDIS_PACKET_TYPE_ALL_MULTICAST,
  NDIS_PACKET_TYPE_BROADCAST,
  NDIS_PACKET_TYPE_DIRECTED,
  NDIS_PACKET_TYPE_MULTICAST,
  NDIS_PACKET_TYPE_PROMISCUOUS,
  NDIS_STATISTICS_RCV_OK_SUPPORTED,
  NDIS_STATISTICS_XMIT_OK_SUPPORTED,
  NdisInterfacePci,
  NdisMedium802_3,
  NdisPhysicalMedium802_3,
  NET_IF_ACCESS_BROADCAST,
  NET_IF_CONNECTION_DEDICATED,
  NET_IF_DIRECTION_SENDRECEIVE,
  OID_802_3_CURRENT_ADDRESS,
  OID_802_3_MAXIMUM_LIST_SIZE,
  OID_802_3_MULTICAST_LIST,
  OID_802_3_PERMANENT_ADDRESS,
  OID_GEN_CURRENT_LOOKAHEAD,
  OID_GEN_CURRENT_PACKET_FILTER,
  OID_GEN_MAXIMUM_TOTAL_SIZE,
  OID_GEN_RCV_OK,
  OID_GEN_RECEIVE_BUFFER_SPACE,
  OID_GEN_TRANSMIT_BUFFER_SPACE,
  OID_GEN_VENDOR_DESCRIPTION,
  OID_GEN_VENDOR_DRIVER_VERSION,
  OID_GEN_VENDOR_ID,
  OID_GEN_XMIT_OK,
  u32,
} from 'haltex';
import { ADDRESS_LENGTH, type Adapter, MAX_MULTICAST, type Nic } from './adapter.ts';
import { linkState } from './link.ts';

const MTU = 1500;
const GIGABIT = 1_000_000_000n;
const supportedOids = [
  OID_GEN_TRANSMIT_BUFFER_SPACE,
  OID_GEN_RECEIVE_BUFFER_SPACE,
  OID_GEN_MAXIMUM_TOTAL_SIZE,
  OID_GEN_VENDOR_ID,
  OID_GEN_VENDOR_DESCRIPTION,
  OID_GEN_VENDOR_DRIVER_VERSION,
  OID_GEN_CURRENT_PACKET_FILTER,
  OID_GEN_CURRENT_LOOKAHEAD,
  OID_GEN_XMIT_OK,
  OID_GEN_RCV_OK,
  OID_802_3_PERMANENT_ADDRESS,
  OID_802_3_CURRENT_ADDRESS,
  OID_802_3_MULTICAST_LIST,
  OID_802_3_MAXIMUM_LIST_SIZE,
];

/** `more` are attribute flags beyond those that every NIC of this kind has. */
export function* register({ wdk }: Nic, adapter: Adapter, more: number): Coroutine<number> {
  const { address } = wdk.local(NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, {
    Header: header('NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES'),
    MiniportAdapterContext: adapter.address,
    AttributeFlags:
      NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE |
      NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER |
      NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK |
      NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT |
      more,
    InterfaceType: NdisInterfacePci,
  });
  return yield* wdk.NdisMSetMiniportAttributes({
    NdisMiniportHandle: adapter.AdapterHandle,
    MiniportAttributes: address,
  });
}

export const attributes = {
  /** Rule init-attributes-before-hardware: before any port, register, interrupt, DMA or NDIS port. */
  registration: (nic: Nic, adapter: Adapter): Coroutine<number> => register(nic, adapter, 0),

  /** Rule init-attributes-order: the general attributes come second. They carry the address, so the EEPROM was read. */
  *general({ wdk }: Nic, adapter: Adapter): Coroutine<number> {
    const { address } = wdk.local(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, {
      Header: header('NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES', 2),
      MediaType: NdisMedium802_3,
      PhysicalMediumType: NdisPhysicalMedium802_3,
      MtuSize: MTU,
      MaxXmitLinkSpeed: GIGABIT,
      MaxRcvLinkSpeed: GIGABIT,
      ...linkState(adapter),
      LookaheadSize: MTU,
      MacOptions:
        NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA |
        NDIS_MAC_OPTION_TRANSFERS_NOT_PEND |
        NDIS_MAC_OPTION_NO_LOOPBACK |
        NDIS_MAC_OPTION_FULL_DUPLEX,
      SupportedPacketFilters:
        NDIS_PACKET_TYPE_DIRECTED |
        NDIS_PACKET_TYPE_MULTICAST |
        NDIS_PACKET_TYPE_ALL_MULTICAST |
        NDIS_PACKET_TYPE_BROADCAST |
        NDIS_PACKET_TYPE_PROMISCUOUS,
      MaxMulticastListSize: MAX_MULTICAST,
      MacAddressLength: ADDRESS_LENGTH,
      PermanentMacAddress: adapter.PermanentAddress,
      CurrentMacAddress: adapter.CurrentAddress,
      AccessType: NET_IF_ACCESS_BROADCAST,
      DirectionType: NET_IF_DIRECTION_SENDRECEIVE,
      ConnectionType: NET_IF_CONNECTION_DEDICATED,
      IfType: IF_TYPE_ETHERNET_CSMACD,
      IfConnectorPresent: true,
      SupportedStatistics: NDIS_STATISTICS_XMIT_OK_SUPPORTED | NDIS_STATISTICS_RCV_OK_SUPPORTED,
      SupportedOidList: wdk.constant(array(u32, supportedOids.length), supportedOids),
      SupportedOidListLength: supportedOids.length * u32.size,
    });
    return yield* wdk.NdisMSetMiniportAttributes({
      NdisMiniportHandle: adapter.AdapterHandle,
      MiniportAttributes: address,
    });
  },
};
