/** NDIS ports: one more port besides the default one, and the default port, which this driver controls. */
import {
  type Coroutine,
  header,
  MediaConnectStateUnknown,
  NDIS_DEFAULT_PORT_NUMBER,
  NDIS_LINK_SPEED_UNKNOWN,
  NDIS_PORT,
  NDIS_PORT_CHAR_USE_DEFAULT_AUTH_SETTINGS,
  NDIS_PORT_CHARACTERISTICS,
  NDIS_STATUS_SUCCESS,
  NetEventPortActivation,
  NetEventPortDeactivation,
  struct,
  u32,
  type View,
} from 'haltex';
import type { Adapter, Nic } from './adapter.ts';

const NDIS_PORT_NUMBER = struct('NDIS_PORT_NUMBER', { Number: u32 });

const characteristics = {
  Header: header('NDIS_PORT_CHARACTERISTICS'),
  Flags: NDIS_PORT_CHAR_USE_DEFAULT_AUTH_SETTINGS,
  MediaConnectState: MediaConnectStateUnknown,
  XmitLinkSpeed: NDIS_LINK_SPEED_UNKNOWN,
  RcvLinkSpeed: NDIS_LINK_SPEED_UNKNOWN,
};

/** One port at a time: the default port must be alone in its list. */
function* activate({ wdk }: Nic, adapter: Adapter, port: View<typeof NDIS_PORT.fields>): Coroutine<number> {
  return yield* wdk.NdisMNetPnPEvent({
    MiniportAdapterHandle: adapter.AdapterHandle,
    NetPnPEventNotification: {
      Header: header('NET_PNP_EVENT_NOTIFICATION'),
      NetEvent: NetEventPortActivation,
      Buffer: port.address,
      BufferLength: NDIS_PORT.size,
    },
  });
}

export function* deactivate({ wdk }: Nic, adapter: Adapter, port: number): Coroutine<void> {
  const number = wdk.local(NDIS_PORT_NUMBER, { Number: port });
  yield* wdk.NdisMNetPnPEvent({
    MiniportAdapterHandle: adapter.AdapterHandle,
    NetPnPEventNotification: {
      Header: header('NET_PNP_EVENT_NOTIFICATION'),
      NetEvent: NetEventPortDeactivation,
      Buffer: number.address,
      BufferLength: NDIS_PORT_NUMBER.size,
    },
  });
}

export const ports = {
  /** The default port comes last: activating it lets the protocols bind. */
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    const { wdk } = nic;
    const port = adapter.Port;
    NDIS_PORT_CHARACTERISTICS.write(wdk.memory, port.PortCharacteristics.address, characteristics);
    let status = yield* wdk.NdisMAllocatePort({
      NdisMiniportHandle: adapter.AdapterHandle,
      PortCharacteristics: port.PortCharacteristics,
    });
    if (status !== NDIS_STATUS_SUCCESS) return status;
    adapter.PortAllocated = true;
    status = yield* activate(nic, adapter, port);
    if (status === NDIS_STATUS_SUCCESS) {
      adapter.PortActive = true;
      status = yield* activate(nic, adapter, wdk.local(NDIS_PORT, { PortCharacteristics: characteristics }));
    }
    if (status === NDIS_STATUS_SUCCESS) adapter.DefaultPortActive = true;
    else yield* nic.parts.ports.release(nic, adapter);
    return status;
  },

  /**
   * PASSIVE_LEVEL. The adapter is paused, so nothing is being indicated on a port and nothing will be (rule
   * port-deactivate-with-traffic). NDIS frees the default port itself (port-free-default).
   */
  *release(nic: Nic, adapter: Adapter): Coroutine<void> {
    const { PortNumber } = adapter.Port.PortCharacteristics;
    // Rule halt-leaves-default-port-active.
    if (adapter.DefaultPortActive) yield* deactivate(nic, adapter, NDIS_DEFAULT_PORT_NUMBER);
    // Rule port-free-active: first inactive, then free.
    if (adapter.PortActive) yield* deactivate(nic, adapter, PortNumber);
    // Rules halt-leaks-port, port-double-free.
    if (adapter.PortAllocated) {
      yield* nic.wdk.NdisMFreePort({ NdisMiniportHandle: adapter.AdapterHandle, PortNumber });
    }
    adapter.DefaultPortActive = false;
    adapter.PortActive = false;
    adapter.PortAllocated = false;
  },
};
