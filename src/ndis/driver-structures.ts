/**
 * Structures that pass between NDIS and a miniport when it registers and initializes. Member order and sizes: ndis.h of the
 * 10.0.16299 kit; meaning: the `ns-ndis-…` page of each name.
 */
import { array, bool8, bytes, code, pointer, struct, u8, u16, u32, u64 } from '../kernel/layout.ts';
import { NDIS_OBJECT_HEADER } from './object-header.ts';

const Header = NDIS_OBJECT_HEADER;

export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS = struct('NDIS_MINIPORT_DRIVER_CHARACTERISTICS', {
  Header,
  MajorNdisVersion: u8,
  MinorNdisVersion: u8,
  MajorDriverVersion: u8,
  MinorDriverVersion: u8,
  Flags: u32,
  SetOptionsHandler: code,
  InitializeHandlerEx: code,
  HaltHandlerEx: code,
  UnloadHandler: code,
  PauseHandler: code,
  RestartHandler: code,
  OidRequestHandler: code,
  SendNetBufferListsHandler: code,
  ReturnNetBufferListsHandler: code,
  CancelSendHandler: code,
  CheckForHangHandlerEx: code,
  ResetHandlerEx: code,
  DevicePnPEventNotifyHandler: code,
  ShutdownHandlerEx: code,
  CancelOidRequestHandler: code,
  // revision 2 (NDIS 6.1)
  DirectOidRequestHandler: code,
  CancelDirectOidRequestHandler: code,
  // revision 3 (NDIS 6.80)
  SynchronousOidRequestHandler: code,
});

/** Sizes of revisions 1 to 3 of the characteristics. */
export const CHARACTERISTICS_SIZES = [
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS.offset('DirectOidRequestHandler'),
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS.offset('SynchronousOidRequestHandler'),
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS.size,
] as const;

/**
 * The smallest Size NDIS accepts: that of the revision, or that of the NDIS version the driver is written for where it is
 * smaller (documented: the size must fit the version; observed: drivers of NDIS 6.30 say revision 3 with the size of 2).
 */
export function leastCharacteristicsSize(revision: number, minorVersion: number): number {
  const [first, second, third] = CHARACTERISTICS_SIZES;
  const ofVersion = minorVersion >= 80 ? third : minorVersion >= 1 ? second : first;
  const ofRevision = revision >= 3 ? third : revision === 2 ? second : first;
  return Math.min(ofVersion, ofRevision);
}

export const NDIS_MINIPORT_PNP_CHARACTERISTICS = struct('NDIS_MINIPORT_PNP_CHARACTERISTICS', {
  Header,
  MiniportAddDeviceHandler: code,
  MiniportRemoveDeviceHandler: code,
  MiniportFilterResourceRequirementsHandler: code,
  MiniportStartDeviceHandler: code,
  Flags: u32,
});

export const NDIS_MINIPORT_SS_CHARACTERISTICS = struct('NDIS_MINIPORT_SS_CHARACTERISTICS', {
  Header,
  Flags: u32,
  IdleNotificationHandler: code,
  CancelIdleNotificationHandler: code,
});

export const NDIS_MINIPORT_INIT_PARAMETERS = struct('NDIS_MINIPORT_INIT_PARAMETERS', {
  Header,
  Flags: u32,
  AllocatedResources: pointer,
  IMDeviceInstanceContext: pointer,
  MiniportAddDeviceContext: pointer,
  IfIndex: u32,
  NetLuid: u64,
  DefaultPortAuthStates: pointer,
  PciDeviceCustomProperties: pointer,
});

export const NDIS_PORT_AUTHENTICATION_PARAMETERS = struct('NDIS_PORT_AUTHENTICATION_PARAMETERS', {
  Header,
  SendControlState: u32,
  RcvControlState: u32,
  SendAuthorizationState: u32,
  RcvAuthorizationState: u32,
});

export const NDIS_MINIPORT_RESTART_PARAMETERS = struct('NDIS_MINIPORT_RESTART_PARAMETERS', {
  Header,
  RestartAttributes: pointer,
  Flags: u32,
});

export const NDIS_MINIPORT_PAUSE_PARAMETERS = struct('NDIS_MINIPORT_PAUSE_PARAMETERS', {
  Header,
  Flags: u32,
  PauseReason: u32,
});

export const NDIS_RESTART_ATTRIBUTES = struct('NDIS_RESTART_ATTRIBUTES', {
  Next: pointer,
  Oid: u32,
  DataLength: u32,
  Data: bytes(0, 16),
});

export const NDIS_RESTART_GENERAL_ATTRIBUTES = struct('NDIS_RESTART_GENERAL_ATTRIBUTES', {
  Header,
  MtuSize: u32,
  MaxXmitLinkSpeed: u64,
  MaxRcvLinkSpeed: u64,
  LookaheadSize: u32,
  MacOptions: u32,
  SupportedPacketFilters: u32,
  MaxMulticastListSize: u32,
  RecvScaleCapabilities: pointer,
  AccessType: u32,
  Flags: u32,
  ConnectionType: u32,
  SupportedStatistics: u32,
  DataBackFillSize: u32,
  ContextBackFillSize: u32,
  SupportedOidList: pointer,
  SupportedOidListLength: u32,
  MaxLookaheadSizeAccessed: u32,
});

export const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES = struct('NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES', {
  Header,
  MiniportAdapterContext: pointer,
  AttributeFlags: u32,
  CheckForHangTimeInSeconds: u32,
  InterfaceType: u32,
});

export const NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES = struct(
  'NDIS_MINIPORT_ADD_DEVICE_REGISTRATION_ATTRIBUTES',
  {
    Header,
    MiniportAddDeviceContext: pointer,
    Flags: u32,
  },
);

export const NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = struct('NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES', {
  Header,
  Flags: u32,
  MediaType: u32,
  PhysicalMediumType: u32,
  MtuSize: u32,
  MaxXmitLinkSpeed: u64,
  XmitLinkSpeed: u64,
  MaxRcvLinkSpeed: u64,
  RcvLinkSpeed: u64,
  MediaConnectState: u32,
  MediaDuplexState: u32,
  LookaheadSize: u32,
  PowerManagementCapabilities: pointer,
  MacOptions: u32,
  SupportedPacketFilters: u32,
  MaxMulticastListSize: u32,
  MacAddressLength: u16,
  PermanentMacAddress: bytes(32),
  CurrentMacAddress: bytes(32),
  RecvScaleCapabilities: pointer,
  AccessType: u32,
  DirectionType: u32,
  ConnectionType: u32,
  IfType: u16,
  IfConnectorPresent: bool8,
  SupportedStatistics: u32,
  SupportedPauseFunctions: u32,
  DataBackFillSize: u32,
  ContextBackFillSize: u32,
  SupportedOidList: pointer,
  SupportedOidListLength: u32,
  AutoNegotiationFlags: u32,
  // revision 2 (NDIS 6.20)
  PowerManagementCapabilitiesEx: pointer,
});

/** Sizes of revisions 1 and 2 of the general attributes. */
export const GENERAL_ATTRIBUTES_SIZES = [
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES.offset('AutoNegotiationFlags') + 4,
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES.size,
];

/** AttributeFlags of the registration attributes. */
export const Attributes = {
  HARDWARE_DEVICE: 0x1,
  NDIS_WDM: 0x2,
  SURPRISE_REMOVE_OK: 0x4,
  NO_HALT_ON_SUSPEND: 0x20,
  BUS_MASTER: 0x40,
  CONTROLS_DEFAULT_PORT: 0x80,
  NO_PAUSE_ON_SUSPEND: 0x100,
  REGISTER_BUGCHECK_CALLBACK: 0x400,
} as const;

export const NDIS_OID_REQUEST = struct('NDIS_OID_REQUEST', {
  Header,
  RequestType: u32,
  PortNumber: u32,
  Timeout: u32,
  RequestId: pointer,
  RequestHandle: pointer,
  // the QUERY_INFORMATION and SET_INFORMATION members of DATA agree up to here; METHOD_INFORMATION follows below
  Oid: u32,
  InformationBuffer: pointer,
  InformationBufferLength: u32,
  /** BytesWritten of a query, BytesRead of a set, OutputBufferLength of a method. */
  BytesDone: u32,
  /** BytesNeeded of a query or set, MethodId of a method. */
  BytesNeeded: u32,
  /** Method: BytesWritten, BytesRead, BytesNeeded. */
  MethodBytes: array(u32, 3),
  NdisReserved: bytes(16 * 8),
  MiniportReserved: bytes(2 * 8),
  SourceReserved: bytes(2 * 8),
  SupportedRevision: u8,
  Reserved1: u8,
  Reserved2: u16,
  SwitchId: u32,
  VPortId: u32,
  Flags: u32,
});

export const NET_DEVICE_PNP_EVENT = struct('NET_DEVICE_PNP_EVENT', {
  Header,
  PortNumber: u32,
  DevicePnPEvent: u32,
  InformationBuffer: pointer,
  InformationBufferLength: u32,
  NdisReserved: bytes(16),
});
