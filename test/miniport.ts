/** What the miniports of the tests share: attributes of an adapter that keep NDIS content, and routines that do nothing. */
import {
  type Address,
  type Coroutine,
  type Handle,
  header,
  IF_TYPE_ETHERNET_CSMACD,
  MediaConnectStateDisconnected,
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_SUCCESS,
  NdisMedium802_3,
  type Wdk,
} from '../src/authoring.ts';

/** The status of the first NdisMSetMiniportAttributes that fails, or success. */
export function* setAttributes(
  wdk: Wdk,
  NdisMiniportHandle: Handle,
  MiniportAdapterContext: Address,
  AttributeFlags = 0,
): Coroutine<number> {
  const registration = wdk.local(NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, {
    Header: header('NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES'),
    MiniportAdapterContext,
    AttributeFlags,
  });
  const general = wdk.local(NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES, {
    Header: header('NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES'),
    MediaType: NdisMedium802_3,
    MtuSize: 1500,
    MediaConnectState: MediaConnectStateDisconnected,
    LookaheadSize: 1500,
    MacAddressLength: 6,
    IfType: IF_TYPE_ETHERNET_CSMACD,
  });
  for (const { address } of [registration, general]) {
    const status = yield* wdk.NdisMSetMiniportAttributes({ NdisMiniportHandle, MiniportAttributes: address });
    if (status !== NDIS_STATUS_SUCCESS) return status;
  }
  return NDIS_STATUS_SUCCESS;
}

/** The beginning of NDIS 6.30's characteristics, and the routines that a miniport without work of its own has to have. */
export const idle = {
  Header: header('NDIS_MINIPORT_DRIVER_CHARACTERISTICS', 2),
  MajorNdisVersion: 6,
  MinorNdisVersion: 30,
  PauseHandler: () => NDIS_STATUS_SUCCESS,
  RestartHandler: () => NDIS_STATUS_SUCCESS,
  OidRequestHandler: () => NDIS_STATUS_NOT_SUPPORTED,
  ReturnNetBufferListsHandler: () => {},
  CancelSendHandler: () => {},
  DevicePnPEventNotifyHandler: () => {},
  ShutdownHandlerEx: () => {},
  CancelOidRequestHandler: () => {},
};
