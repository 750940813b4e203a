/** The smallest miniport that NDIS takes: it allocates its adapter, carries no frames, and gives back what it took. */
import {
  defineMiniport,
  type Handler,
  header,
  IF_TYPE_ETHERNET_CSMACD,
  MediaConnectStateDisconnected,
  NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_PAUSED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMedium802_3,
  NET_BUFFER_LIST,
  NULL,
  pointer,
  struct,
} from 'haltex';

const ADAPTER = struct('ADAPTER', { AdapterHandle: pointer });
const TAG = 0x696e_696d; // 'mini'

export default defineMiniport((wdk) => {
  let NdisMiniportDriverHandle = NULL;

  const MiniportInitializeEx: Handler<'MiniportInitializeEx'> = function* ({ NdisMiniportHandle }) {
    const adapter = yield* wdk.allocate(ADAPTER, { NdisHandle: NdisMiniportHandle, Tag: TAG });
    if (adapter === undefined) return NDIS_STATUS_RESOURCES;
    adapter.AdapterHandle = NdisMiniportHandle;

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
      const status = yield* wdk.NdisMSetMiniportAttributes({ NdisMiniportHandle, MiniportAttributes: address });
      if (status !== NDIS_STATUS_SUCCESS) {
        // Rule init-fail-leaks-memory: NDIS does not call MiniportHaltEx after a failed initialize.
        yield* wdk.NdisFreeMemory({ VirtualAddress: adapter.address, Length: 0, MemoryFlags: 0 });
        return NDIS_STATUS_RESOURCES;
      }
    }
    return NDIS_STATUS_SUCCESS;
  };

  const MiniportHaltEx: Handler<'MiniportHaltEx'> = function* ({ MiniportAdapterContext }) {
    // Rule halt-leaks-memory: this line is all that MiniportHaltEx owes here.
    yield* wdk.NdisFreeMemory({ VirtualAddress: MiniportAdapterContext, Length: 0, MemoryFlags: 0 });
  };

  const MiniportSendNetBufferLists: Handler<'MiniportSendNetBufferLists'> = function* ({
    MiniportAdapterContext,
    NetBufferList,
  }) {
    const { AdapterHandle } = ADAPTER.at(wdk.memory, MiniportAdapterContext);
    for (let next = NetBufferList; next !== NULL; ) {
      const list = NET_BUFFER_LIST.at(wdk.memory, next);
      next = list.Next;
      list.Next = NULL;
      list.Status = NDIS_STATUS_PAUSED;
      yield* wdk.NdisMSendNetBufferListsComplete({
        MiniportAdapterHandle: AdapterHandle,
        NetBufferList: list.address,
        SendCompleteFlags: 0,
      });
    }
  };

  const DriverEntry: Handler<'DriverEntry'> = function* ({ DriverObject, RegistryPath }) {
    const registered = yield* wdk.NdisMRegisterMiniportDriver({
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
          yield* wdk.NdisMDeregisterMiniportDriver({ NdisMiniportDriverHandle });
        },
        PauseHandler: () => NDIS_STATUS_SUCCESS,
        RestartHandler: () => NDIS_STATUS_SUCCESS,
        OidRequestHandler: () => NDIS_STATUS_NOT_SUPPORTED,
        SendNetBufferListsHandler: MiniportSendNetBufferLists,
        ReturnNetBufferListsHandler: () => {},
        CancelSendHandler: () => {},
        DevicePnPEventNotifyHandler: () => {},
        ShutdownHandlerEx: () => {},
        CancelOidRequestHandler: () => {},
      },
    });
    NdisMiniportDriverHandle = registered.NdisMiniportDriverHandle;
    return registered.result;
  };

  return { DriverEntry };
});
