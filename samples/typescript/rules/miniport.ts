/**
 * What the pairs of rules/ share: a miniport that registers, sets its attributes and allocates its adapter, and gives all of it
 * back. A pair says only what its rule is about. It touches no hardware.
 */
import {
  type Coroutine,
  defineMiniport,
  type Handle,
  type Handler,
  header,
  IF_TYPE_ETHERNET_CSMACD,
  MediaConnectStateDisconnected,
  type Miniport,
  NDIS_EVENT,
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_SPIN_LOCK,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_PAUSED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMedium802_3,
  NET_BUFFER_LIST,
  NULL,
  pointer,
  struct,
  u8,
  u32,
  type View,
  type Wdk,
} from 'haltex';

/** The adapter's context. What a pair acquires it keeps in one of these. */
const ADAPTER = struct('ADAPTER', {
  AdapterHandle: pointer,
  Buffer: pointer,
  Pool: pointer,
  NetBufferList: pointer,
  Mdl: pointer,
  Timer: pointer,
  WorkItem: pointer,
  RwLock: pointer,
  Thread: pointer,
  Lock: NDIS_SPIN_LOCK,
  Other: NDIS_SPIN_LOCK,
  Done: NDIS_EVENT,
  Stop: NDIS_EVENT,
  Setting: u32,
  Stopping: u8,
});
export type Adapter = View<typeof ADAPTER.fields>;

/** A pool tag, 'rule'. */
export const TAG = 0x656c_7572;
/** The adapter of a callback that was given its context. */
export const adapterAt = (wdk: Wdk, context: number): Adapter => ADAPTER.at(wdk.memory, context as never);

/** MEMORY of NdisAllocateMemoryWithTagPriority; NULL when there is none. */
export const allocate = (wdk: Wdk, NdisHandle: Handle, Length: number) =>
  wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length, Tag: TAG, Priority: 16 });
export const free = (wdk: Wdk, VirtualAddress: number) =>
  wdk.NdisFreeMemory({ VirtualAddress: VirtualAddress as never, Length: 0, MemoryFlags: 0 });

export interface Parts {
  /** The end of MiniportInitializeEx. What gives a failure has undone its own work. */
  initialize?(adapter: Adapter): Coroutine<number>;
  /** The beginning of MiniportHaltEx; the adapter itself is freed afterwards. */
  halt?(adapter: Adapter): Coroutine<void>;
  /** MiniportPause and MiniportRestart: success unless given. */
  pause?(adapter: Adapter): Coroutine<number>;
  restart?(adapter: Adapter): Coroutine<number>;
  /** The end of DriverEntry, with the result of the registration. */
  entry?(status: number, driver: Handle): Coroutine<number>;
  /** The beginning of MiniportDriverUnload. */
  unload?(): Coroutine<void>;
  /** How a send ends: with NDIS_STATUS_PAUSED unless given. */
  send?(adapter: Adapter, list: number): Coroutine<void>;
  /** Entries of the characteristics in place of these, or beside them. */
  readonly characteristics?: object;
}

/** Completes one send. */
export const completeSend = (wdk: Wdk, { AdapterHandle }: Adapter, list: number): Coroutine<void> =>
  wdk.NdisMSendNetBufferListsComplete({
    MiniportAdapterHandle: AdapterHandle,
    NetBufferList: list as never,
    SendCompleteFlags: 0,
  });

function* setAttributes(wdk: Wdk, adapter: Adapter): Coroutine<number> {
  const registration = wdk.local(NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, {
    Header: header('NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES'),
    MiniportAdapterContext: adapter.address,
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
    const NdisMiniportHandle = adapter.AdapterHandle;
    const status = yield* wdk.NdisMSetMiniportAttributes({ NdisMiniportHandle, MiniportAttributes: address });
    if (status !== NDIS_STATUS_SUCCESS) return NDIS_STATUS_RESOURCES;
  }
  return NDIS_STATUS_SUCCESS;
}

/** A miniport with these parts; they are made anew for every run. */
export function miniport(make: (wdk: Wdk) => Parts): Miniport {
  return defineMiniport((wdk) => {
    const parts = make(wdk);
    let driver: Handle = NULL;

    const MiniportInitializeEx: Handler<'MiniportInitializeEx'> = function* ({ NdisMiniportHandle }) {
      const adapter = yield* wdk.allocate(ADAPTER, { NdisHandle: NdisMiniportHandle, Tag: TAG });
      if (adapter === undefined) return NDIS_STATUS_RESOURCES;
      adapter.AdapterHandle = NdisMiniportHandle;
      yield* wdk.NdisAllocateSpinLock({ SpinLock: adapter.Lock.address });
      yield* wdk.NdisAllocateSpinLock({ SpinLock: adapter.Other.address });
      yield* wdk.NdisInitializeEvent({ Event: adapter.Done.address });
      yield* wdk.NdisInitializeEvent({ Event: adapter.Stop.address });
      let status = yield* setAttributes(wdk, adapter);
      if (status === NDIS_STATUS_SUCCESS) status = (yield* parts.initialize?.(adapter) ?? []) ?? NDIS_STATUS_SUCCESS;
      if (status !== NDIS_STATUS_SUCCESS) yield* freeAdapter(adapter);
      return status;
    };

    function* freeAdapter(adapter: Adapter): Coroutine<void> {
      yield* wdk.NdisFreeSpinLock({ SpinLock: adapter.Other.address });
      yield* wdk.NdisFreeSpinLock({ SpinLock: adapter.Lock.address });
      yield* free(wdk, adapter.address);
    }

    const MiniportHaltEx: Handler<'MiniportHaltEx'> = function* ({ MiniportAdapterContext }) {
      const adapter = adapterAt(wdk, MiniportAdapterContext);
      yield* parts.halt?.(adapter) ?? [];
      yield* freeAdapter(adapter);
    };

    const MiniportSendNetBufferLists: Handler<'MiniportSendNetBufferLists'> = function* (args) {
      const adapter = adapterAt(wdk, args.MiniportAdapterContext);
      for (let next = args.NetBufferList; next !== NULL; ) {
        const list = NET_BUFFER_LIST.at(wdk.memory, next);
        next = list.Next;
        list.Next = NULL;
        list.Status = NDIS_STATUS_PAUSED;
        yield* parts.send?.(adapter, list.address) ?? completeSend(wdk, adapter, list.address);
      }
    };

    const DriverEntry: Handler<'DriverEntry'> = function* ({ DriverObject, RegistryPath }) {
      const { result, NdisMiniportDriverHandle } = yield* wdk.NdisMRegisterMiniportDriver({
        DriverObject,
        RegistryPath,
        MiniportDriverContext: NULL,
        MiniportDriverCharacteristics: {
          Header: header('NDIS_MINIPORT_DRIVER_CHARACTERISTICS', 2),
          MajorNdisVersion: 6,
          MinorNdisVersion: 30,
          InitializeHandlerEx: MiniportInitializeEx,
          HaltHandlerEx: MiniportHaltEx,
          UnloadHandler: function* MiniportDriverUnload() {
            yield* parts.unload?.() ?? [];
            yield* wdk.NdisMDeregisterMiniportDriver({ NdisMiniportDriverHandle: driver });
          },
          PauseHandler: function* MiniportPause({ MiniportAdapterContext }: { MiniportAdapterContext: number }) {
            return (yield* parts.pause?.(adapterAt(wdk, MiniportAdapterContext)) ?? []) ?? NDIS_STATUS_SUCCESS;
          } as never,
          RestartHandler: function* MiniportRestart({ MiniportAdapterContext }: { MiniportAdapterContext: number }) {
            return (yield* parts.restart?.(adapterAt(wdk, MiniportAdapterContext)) ?? []) ?? NDIS_STATUS_SUCCESS;
          } as never,
          OidRequestHandler: () => NDIS_STATUS_NOT_SUPPORTED,
          SendNetBufferListsHandler: MiniportSendNetBufferLists,
          ReturnNetBufferListsHandler: () => {},
          CancelSendHandler: () => {},
          DevicePnPEventNotifyHandler: () => {},
          ShutdownHandlerEx: () => {},
          CancelOidRequestHandler: () => {},
          ...parts.characteristics,
        },
      });
      driver = NdisMiniportDriverHandle;
      return (yield* parts.entry?.(result, driver) ?? []) ?? result;
    };

    return { DriverEntry };
  });
}
