/** Numbers a miniport writes and reads, by the names ndis.h and ntddndis.h of the 10.0.16299 kit give them. */
import { Attributes } from './driver-structures.ts';
import { HaltAction, ShutdownAction } from './lifecycle.ts';
import { ObjectType } from './object-header.ts';
import { RequestType } from './oids.ts';
import { NetEvent } from './ports.ts';

// Header.Type
export const NDIS_OBJECT_TYPE_DEFAULT = ObjectType.DEFAULT;
export const NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION = ObjectType.SG_DMA_DESCRIPTION;
export const NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT = ObjectType.MINIPORT_INTERRUPT;
export const NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES = ObjectType.DEVICE_OBJECT_ATTRIBUTES;
export const NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS = ObjectType.MINIPORT_DRIVER_CHARACTERISTICS;
export const NDIS_OBJECT_TYPE_MINIPORT_PNP_CHARACTERISTICS = ObjectType.MINIPORT_PNP_CHARACTERISTICS;
export const NDIS_OBJECT_TYPE_MINIPORT_SS_CHARACTERISTICS = ObjectType.MINIPORT_SS_CHARACTERISTICS;
export const NDIS_OBJECT_TYPE_OID_REQUEST = ObjectType.OID_REQUEST;
export const NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS = ObjectType.TIMER_CHARACTERISTICS;
export const NDIS_OBJECT_TYPE_STATUS_INDICATION = ObjectType.STATUS_INDICATION;
export const NDIS_OBJECT_TYPE_PORT_CHARACTERISTICS = ObjectType.PORT_CHARACTERISTICS;
export const NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT = ObjectType.CONFIGURATION_OBJECT;
export const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES =
  ObjectType.MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
export const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = ObjectType.MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;
export const NDIS_OBJECT_TYPE_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES =
  ObjectType.MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES;

// AttributeFlags of the registration attributes
export const NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE = Attributes.HARDWARE_DEVICE;
export const NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM = Attributes.NDIS_WDM;
export const NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK = Attributes.SURPRISE_REMOVE_OK;
export const NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND = Attributes.NO_HALT_ON_SUSPEND;
export const NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER = Attributes.BUS_MASTER;
export const NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT = Attributes.CONTROLS_DEFAULT_PORT;
export const NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND = Attributes.NO_PAUSE_ON_SUSPEND;
export const NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK = Attributes.REGISTER_BUGCHECK_CALLBACK;

// NDIS_HALT_ACTION, NDIS_SHUTDOWN_ACTION
export const NdisHaltDeviceDisabled = HaltAction.DeviceDisabled;
export const NdisHaltDeviceInstanceDeInitialized = HaltAction.DeviceInstanceDeInitialized;
export const NdisHaltDevicePoweredDown = HaltAction.DevicePoweredDown;
export const NdisHaltDeviceSurpriseRemoved = HaltAction.DeviceSurpriseRemoved;
export const NdisHaltDeviceFailed = HaltAction.DeviceFailed;
export const NdisHaltDeviceInitializationFailed = HaltAction.DeviceInitializationFailed;
export const NdisHaltDeviceStopped = HaltAction.DeviceStopped;
export const NdisShutdownPowerOff = ShutdownAction.PowerOff;
export const NdisShutdownBugCheck = ShutdownAction.BugCheck;

// NDIS_DEVICE_PNP_EVENT
export const NdisDevicePnPEventQueryRemoved = 0;
export const NdisDevicePnPEventRemoved = 1;
export const NdisDevicePnPEventSurpriseRemoved = 2;
export const NdisDevicePnPEventQueryStopped = 3;
export const NdisDevicePnPEventStopped = 4;
export const NdisDevicePnPEventPowerProfileChanged = 5;

// resources of the device
export const CmResourceTypePort = 1;
export const CmResourceTypeInterrupt = 2;
export const CmResourceTypeMemory = 3;
export const NdisInterfacePci = 5;

// memory, NDIS ports, interrupts, DMA
export const NormalPoolPriority = 16;
export const NDIS_DEFAULT_PORT_NUMBER = 0;
export const NDIS_PORT_CHAR_USE_DEFAULT_AUTH_SETTINGS = 0x1;
export const NetEventPortActivation = NetEvent.PortActivation;
export const NetEventPortDeactivation = NetEvent.PortDeactivation;
export const NDIS_CONNECT_LINE_BASED = 1;
export const NDIS_CONNECT_MESSAGE_BASED = 2;
export const NDIS_SG_DMA_64_BIT_ADDRESS = 0x1;
export const NDIS_SG_LIST_WRITE_TO_DEVICE = 0x1;

// configuration
export const NdisParameterInteger = 0;
export const NdisParameterHexInteger = 1;
export const NdisParameterString = 2;
export const NdisParameterMultiString = 3;
export const NdisParameterBinary = 4;

// data path
export const NDIS_SEND_FLAGS_DISPATCH_LEVEL = 0x1;
export const NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL = 0x1;
export const NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL = 0x1;
export const NDIS_RETURN_FLAGS_DISPATCH_LEVEL = 0x1;
export const NDIS_PACKET_TYPE_DIRECTED = 0x1;
export const NDIS_PACKET_TYPE_MULTICAST = 0x2;
export const NDIS_PACKET_TYPE_ALL_MULTICAST = 0x4;
export const NDIS_PACKET_TYPE_BROADCAST = 0x8;
export const NDIS_PACKET_TYPE_PROMISCUOUS = 0x20;

// general attributes and link state
export const NdisMedium802_3 = 0;
export const NdisPhysicalMedium802_3 = 14;
export const IF_TYPE_ETHERNET_CSMACD = 6;
export const NET_IF_ACCESS_BROADCAST = 2;
export const NET_IF_DIRECTION_SENDRECEIVE = 0;
export const NET_IF_CONNECTION_DEDICATED = 1;
export const MediaConnectStateUnknown = 0;
export const MediaConnectStateConnected = 1;
export const MediaConnectStateDisconnected = 2;
export const MediaDuplexStateUnknown = 0;
export const MediaDuplexStateFull = 2;
export const NDIS_LINK_SPEED_UNKNOWN = 0xffff_ffff_ffff_ffffn;
export const NDIS_MAC_OPTION_COPY_LOOKAHEAD_DATA = 0x1;
export const NDIS_MAC_OPTION_TRANSFERS_NOT_PEND = 0x4;
export const NDIS_MAC_OPTION_NO_LOOPBACK = 0x8;
export const NDIS_MAC_OPTION_FULL_DUPLEX = 0x10;
export const NDIS_STATISTICS_XMIT_OK_SUPPORTED = 0x1;
export const NDIS_STATISTICS_RCV_OK_SUPPORTED = 0x2;

// OID requests
export const NdisRequestQueryInformation = RequestType.QueryInformation;
export const NdisRequestSetInformation = RequestType.SetInformation;
export const NdisRequestQueryStatistics = RequestType.QueryStatistics;
export const NdisRequestMethod = RequestType.Method;
export const OID_GEN_SUPPORTED_LIST = 0x0001_0101;
export const OID_GEN_HARDWARE_STATUS = 0x0001_0102;
export const OID_GEN_TRANSMIT_BUFFER_SPACE = 0x0001_0108;
export const OID_GEN_RECEIVE_BUFFER_SPACE = 0x0001_0109;
export const OID_GEN_TRANSMIT_BLOCK_SIZE = 0x0001_010a;
export const OID_GEN_RECEIVE_BLOCK_SIZE = 0x0001_010b;
export const OID_GEN_VENDOR_ID = 0x0001_010c;
export const OID_GEN_VENDOR_DESCRIPTION = 0x0001_010d;
export const OID_GEN_CURRENT_PACKET_FILTER = 0x0001_010e;
export const OID_GEN_CURRENT_LOOKAHEAD = 0x0001_010f;
export const OID_GEN_MAXIMUM_TOTAL_SIZE = 0x0001_0111;
export const OID_GEN_VENDOR_DRIVER_VERSION = 0x0001_0116;
export const OID_GEN_LINK_PARAMETERS = 0x0001_0208;
export const OID_GEN_INTERRUPT_MODERATION = 0x0001_0209;
export const OID_GEN_XMIT_OK = 0x0002_0101;
export const OID_GEN_RCV_OK = 0x0002_0102;
export const OID_GEN_XMIT_ERROR = 0x0002_0103;
export const OID_GEN_RCV_ERROR = 0x0002_0104;
export const OID_GEN_RCV_NO_BUFFER = 0x0002_0105;
export const OID_GEN_STATISTICS = 0x0002_0106;
export const OID_802_3_PERMANENT_ADDRESS = 0x0101_0101;
export const OID_802_3_CURRENT_ADDRESS = 0x0101_0102;
export const OID_802_3_MULTICAST_LIST = 0x0101_0103;
export const OID_802_3_MAXIMUM_LIST_SIZE = 0x0101_0104;
export const OID_PNP_SET_POWER = 0xfd01_0101;
export const OID_PNP_QUERY_POWER = 0xfd01_0102;
export const NdisDeviceStateD0 = 1;
export const NdisDeviceStateD3 = 4;

// error log
export const NDIS_ERROR_CODE_RESOURCE_CONFLICT = 0xc000_1388;
export const NDIS_ERROR_CODE_OUT_OF_RESOURCES = 0xc000_1389;
export const NDIS_ERROR_CODE_HARDWARE_FAILURE = 0xc000_138a;
export const NDIS_ERROR_CODE_INTERRUPT_CONNECT = 0xc000_138c;
export const NDIS_ERROR_CODE_INVALID_VALUE_FROM_ADAPTER = 0xc000_1392;
export const NDIS_ERROR_CODE_BAD_IO_BASE_ADDRESS = 0xc000_1394;
