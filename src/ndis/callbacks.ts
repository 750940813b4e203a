/**
 * The prototypes of the MiniportXxx routines NDIS calls, and the IRQL it calls them at (contract.md E1; pages `nc-ndis-…`).
 * Interrupt, timer, DMA and work-item routines stand in their families' files.
 */
import { u8 } from '../kernel/layout.ts';
import { BOOLEAN, callback, D, HANDLE, IN, OUT, P, POINTER, ULONG } from '../kernel/record.ts';
import {
  NDIS_MINIPORT_INIT_PARAMETERS,
  NDIS_MINIPORT_PAUSE_PARAMETERS,
  NDIS_MINIPORT_RESTART_PARAMETERS,
  NDIS_OID_REQUEST,
  NET_DEVICE_PNP_EVENT,
} from './driver-structures.ts';

const MiniportAdapterContext = HANDLE;

export const DriverEntry = callback({
  name: 'DriverEntry',
  page: 'nc-wdm-driver_initialize',
  params: { DriverObject: POINTER, RegistryPath: POINTER },
  returns: 'status',
  irql: P,
});
export const MiniportSetOptions = callback({
  name: 'MiniportSetOptions',
  page: 'nc-ndis-set_options',
  params: { NdisDriverHandle: HANDLE, DriverContext: HANDLE },
  returns: 'status',
  irql: P,
});
export const MiniportDriverUnload = callback({
  name: 'MiniportDriverUnload',
  page: 'nc-ndis-miniport_unload',
  params: { DriverObject: POINTER },
  returns: 'void',
  irql: P,
});
export const MiniportAddDevice = callback({
  name: 'MiniportAddDevice',
  page: 'nc-ndis-miniport_add_device',
  params: { NdisMiniportHandle: HANDLE, MiniportDriverContext: HANDLE },
  returns: 'status',
  irql: P,
});
export const MiniportRemoveDevice = callback({
  name: 'MiniportRemoveDevice',
  page: 'nc-ndis-miniport_remove_device',
  params: { MiniportAddDeviceContext: HANDLE },
  returns: 'void',
  irql: P,
});
export const MiniportFilterResourceRequirements = callback({
  name: 'MiniportFilterResourceRequirements',
  page: 'nc-ndis-miniport_pnp_irp',
  params: { MiniportAddDeviceContext: HANDLE, Irp: POINTER },
  returns: 'status',
  irql: P,
});
export const MiniportStartDevice = callback({
  name: 'MiniportStartDevice',
  page: 'nc-ndis-miniport_pnp_irp',
  params: { MiniportAddDeviceContext: HANDLE, Irp: POINTER },
  returns: 'status',
  irql: P,
});
export const MiniportInitializeEx = callback({
  name: 'MiniportInitializeEx',
  page: 'nc-ndis-miniport_initialize',
  params: {
    NdisMiniportHandle: HANDLE,
    MiniportDriverContext: HANDLE,
    MiniportInitParameters: IN(NDIS_MINIPORT_INIT_PARAMETERS),
  },
  returns: 'status',
  irql: P,
});
export const MiniportHaltEx = callback({
  name: 'MiniportHaltEx',
  page: 'nc-ndis-miniport_halt',
  params: { MiniportAdapterContext, HaltAction: ULONG },
  returns: 'void',
  irql: P,
});
export const MiniportPause = callback({
  name: 'MiniportPause',
  page: 'nc-ndis-miniport_pause',
  params: { MiniportAdapterContext, MiniportPauseParameters: IN(NDIS_MINIPORT_PAUSE_PARAMETERS) },
  returns: 'status',
  irql: P,
});
export const MiniportRestart = callback({
  name: 'MiniportRestart',
  page: 'nc-ndis-miniport_restart',
  params: { MiniportAdapterContext, MiniportRestartParameters: IN(NDIS_MINIPORT_RESTART_PARAMETERS) },
  returns: 'status',
  irql: P,
});
export const MiniportShutdownEx = callback({
  name: 'MiniportShutdownEx',
  page: 'nc-ndis-miniport_shutdown',
  params: { MiniportAdapterContext, ShutdownAction: ULONG },
  returns: 'void',
  irql: { min: P.min, max: 15 as typeof P.max },
});
export const MiniportOidRequest = callback({
  name: 'MiniportOidRequest',
  page: 'nc-ndis-miniport_oid_request',
  params: { MiniportAdapterContext, OidRequest: IN(NDIS_OID_REQUEST) },
  returns: 'status',
  irql: P,
});
export const MiniportCancelOidRequest = callback({
  name: 'MiniportCancelOidRequest',
  page: 'nc-ndis-miniport_cancel_oid_request',
  params: { MiniportAdapterContext, RequestId: POINTER },
  returns: 'void',
  irql: D,
});
export const MiniportDirectOidRequest = callback({
  name: 'MiniportDirectOidRequest',
  page: 'nc-ndis-miniport_direct_oid_request',
  params: { MiniportAdapterContext, OidRequest: IN(NDIS_OID_REQUEST) },
  returns: 'status',
  irql: D,
});
/** No page of its own; the design page says what it has in common with the direct one. */
export const MiniportSynchronousOidRequest = callback({
  name: 'MiniportSynchronousOidRequest',
  page: 'nc-ndis-miniport_synchronous_oid_request',
  params: { MiniportAdapterContext, OidRequest: IN(NDIS_OID_REQUEST) },
  returns: 'status',
  irql: D,
});
export const MiniportSendNetBufferLists = callback({
  name: 'MiniportSendNetBufferLists',
  page: 'nc-ndis-miniport_send_net_buffer_lists',
  params: { MiniportAdapterContext, NetBufferList: POINTER, PortNumber: ULONG, SendFlags: ULONG },
  returns: 'void',
  irql: D,
});
export const MiniportReturnNetBufferLists = callback({
  name: 'MiniportReturnNetBufferLists',
  page: 'nc-ndis-miniport_return_net_buffer_lists',
  params: { MiniportAdapterContext, NetBufferLists: POINTER, ReturnFlags: ULONG },
  returns: 'void',
  irql: D,
});
export const MiniportCancelSend = callback({
  name: 'MiniportCancelSend',
  page: 'nc-ndis-miniport_cancel_send',
  params: { MiniportAdapterContext, CancelId: POINTER },
  returns: 'void',
  irql: D,
});
export const MiniportCheckForHangEx = callback({
  name: 'MiniportCheckForHangEx',
  page: 'nc-ndis-miniport_check_for_hang',
  params: { MiniportAdapterContext },
  returns: 'bool',
  irql: P,
});
export const MiniportResetEx = callback({
  name: 'MiniportResetEx',
  page: 'nc-ndis-miniport_reset',
  params: { MiniportAdapterContext, AddressingReset: OUT(u8) },
  returns: 'status',
  irql: D,
});
export const MiniportDevicePnPEventNotify = callback({
  name: 'MiniportDevicePnPEventNotify',
  page: 'nc-ndis-miniport_device_pnp_event_notify',
  params: { MiniportAdapterContext, NetDevicePnPEvent: IN(NET_DEVICE_PNP_EVENT) },
  returns: 'void',
  irql: P,
});
export const MiniportIdleNotification = callback({
  name: 'MiniportIdleNotification',
  page: 'nc-ndis-miniport_idle_notification',
  params: { MiniportAdapterContext, ForceIdle: BOOLEAN },
  returns: 'status',
  irql: P,
});
