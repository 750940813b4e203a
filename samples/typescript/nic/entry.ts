/** What the driver registers with NDIS, and unloading. */
import {
  type Coroutine,
  type Handle,
  type Handler,
  header,
  type Init,
  type NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
} from 'haltex';
import { adapterAt, type Nic } from './adapter.ts';

type Characteristics = Init<typeof NDIS_MINIPORT_DRIVER_CHARACTERISTICS.fields>;

/** The handlers that only look the adapter up and go on to their part. */
const handlers = (nic: Nic) => {
  const { initialize, halt, pausing, pnp } = nic.parts;
  const MiniportInitializeEx: Handler<'MiniportInitializeEx'> = (args) =>
    initialize.run(nic, args.NdisMiniportHandle, args.MiniportInitParameters.AllocatedResources);
  const MiniportHaltEx: Handler<'MiniportHaltEx'> = ({ MiniportAdapterContext, HaltAction }) =>
    halt.run(nic, adapterAt(nic, MiniportAdapterContext), HaltAction);
  const MiniportPause: Handler<'MiniportPause'> = ({ MiniportAdapterContext }) =>
    pausing.pause(nic, adapterAt(nic, MiniportAdapterContext));
  const MiniportRestart: Handler<'MiniportRestart'> = ({ MiniportAdapterContext }) =>
    pausing.restart(nic, adapterAt(nic, MiniportAdapterContext));
  const MiniportDevicePnPEventNotify: Handler<'MiniportDevicePnPEventNotify'> = (args) =>
    pnp.event(nic, adapterAt(nic, args.MiniportAdapterContext), args.NetDevicePnPEvent.DevicePnPEvent);
  const MiniportShutdownEx: Handler<'MiniportShutdownEx'> = ({ MiniportAdapterContext }) =>
    pnp.shutdown(nic, adapterAt(nic, MiniportAdapterContext));
  /** Nothing is ever queued: what was given to the NIC goes out. */
  const MiniportCancelSend: Handler<'MiniportCancelSend'> = () => {};
  /** No request is ever pending. */
  const MiniportCancelOidRequest: Handler<'MiniportCancelOidRequest'> = () => {};
  return {
    MiniportInitializeEx,
    MiniportHaltEx,
    MiniportPause,
    MiniportRestart,
    MiniportDevicePnPEventNotify,
    MiniportShutdownEx,
    MiniportCancelSend,
    MiniportCancelOidRequest,
  };
};

export const entry = {
  /** Rule reg-missing-required-handler: all of these are required. No CheckForHang, so no Reset either. */
  characteristics(nic: Nic, unload: () => Coroutine<void>): Characteristics {
    const own = handlers(nic);
    return {
      Header: header('NDIS_MINIPORT_DRIVER_CHARACTERISTICS', 2),
      MajorNdisVersion: 6,
      MinorNdisVersion: 30,
      MajorDriverVersion: 1,
      InitializeHandlerEx: own.MiniportInitializeEx,
      HaltHandlerEx: own.MiniportHaltEx,
      UnloadHandler: unload,
      PauseHandler: own.MiniportPause,
      RestartHandler: own.MiniportRestart,
      OidRequestHandler: nic.parts.oids.request(nic),
      SendNetBufferListsHandler: nic.parts.send.sendLists(nic),
      ReturnNetBufferListsHandler: nic.parts.receive.returned(nic),
      CancelSendHandler: own.MiniportCancelSend,
      DevicePnPEventNotifyHandler: own.MiniportDevicePnPEventNotify,
      ShutdownHandlerEx: own.MiniportShutdownEx,
      CancelOidRequestHandler: own.MiniportCancelOidRequest,
    };
  },

  /** PASSIVE_LEVEL, after the last adapter was halted. Rule unload-leaks-driver-registration. */
  *unload({ wdk }: Nic, driver: Handle): Coroutine<void> {
    yield* wdk.NdisMDeregisterMiniportDriver({ NdisMiniportDriverHandle: driver });
  },
};
