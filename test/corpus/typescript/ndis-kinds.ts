/** Kinds of things that NDIS gives. */
import {
  type Address,
  type Coroutine,
  type DeviceFactory,
  type Handle,
  header,
  NDIS_CONFIGURATION_OBJECT,
  NDIS_OID_REQUEST,
  NDIS_SHARED_MEMORY_PARAMETERS,
  NDIS_STATUS_SUCCESS,
  NET_BUFFER_LIST,
  NULL,
  type Wdk,
} from '../../../src/authoring.ts';
import { genericFor } from '../../../src/devices/registry.ts';
import { allocate, type From, free, type Kind, simple, TAG } from './holder.ts';

const HOUR = 36_000_000_000;

function* pool(wdk: Wdk, NdisHandle: Handle): Coroutine<Handle> {
  return yield* wdk.NdisAllocateNetBufferListPool({
    NdisHandle,
    Parameters: {
      Header: header('NET_BUFFER_LIST_POOL_PARAMETERS'),
      fAllocateNetBuffer: true,
      PoolTag: TAG,
      DataSize: 256,
    },
  });
}

function* bufferPool(wdk: Wdk, NdisHandle: Handle): Coroutine<Handle> {
  return yield* wdk.NdisAllocateNetBufferPool({
    NdisHandle,
    Parameters: { Header: header('NET_BUFFER_POOL_PARAMETERS'), PoolTag: TAG, DataSize: 256 },
  });
}

/** A list of a pool of its own. */
function* list(
  wdk: Wdk,
  { handle }: From,
): Coroutine<{ readonly address: Address; rest(): Coroutine<void> } | undefined> {
  const PoolHandle = yield* pool(wdk, handle);
  if (PoolHandle === NULL) return undefined;
  const address = yield* wdk.NdisAllocateNetBufferList({ PoolHandle, ContextSize: 0, ContextBackFill: 0 });
  if (address !== NULL) {
    return {
      address,
      *rest() {
        yield* wdk.NdisFreeNetBufferList({ NetBufferList: address });
        yield* wdk.NdisFreeNetBufferListPool({ PoolHandle });
      },
    };
  }
  yield* wdk.NdisFreeNetBufferListPool({ PoolHandle });
  return undefined;
}

function* configuration(wdk: Wdk, NdisHandle: Handle): Coroutine<Handle | undefined> {
  const { result, ConfigurationHandle } = yield* wdk.NdisOpenConfigurationEx({
    ConfigObject: {
      Header: { Type: 0xa9, Revision: 1, Size: NDIS_CONFIGURATION_OBJECT.offset('Flags') + 4 },
      NdisHandle,
    },
  });
  return result === NDIS_STATUS_SUCCESS ? ConfigurationHandle : undefined;
}

/** A device with an SR-IOV capability in its extended configuration space, and no more of a function than that. */
const physicalFunction: DeviceFactory = (kernel, plugging) => {
  const device = (genericFor('PCI\\VEN_4858&DEV_0002') as DeviceFactory)(kernel, plugging);
  const { readConfig, writeConfig } = device;
  const capability = new DataView(new ArrayBuffer(0x40));
  capability.setUint32(0, 0x0001_0010, true);
  const get = { 1: 'getUint8', 2: 'getUint16', 4: 'getUint32' } as const;
  const set = { 1: 'setUint8', 2: 'setUint16', 4: 'setUint32' } as const;
  const within = (offset: number) => offset >= 0x100 && offset < 0x140;
  return Object.assign(device, {
    readConfig: (offset: number, size: 1 | 2 | 4) =>
      within(offset) ? capability[get[size]](offset - 0x100, true) : readConfig.call(device, offset, size),
    writeConfig: (offset: number, size: 1 | 2 | 4, value: number) =>
      within(offset)
        ? capability[set[size]](offset - 0x100, value, true)
        : writeConfig.call(device, offset, size, value),
  });
};

export const ndisKinds: readonly Kind[] = [
  simple('memory', 'halt-leaks-memory', function* (wdk, { handle }) {
    const block = yield* allocate(wdk, handle, 512);
    return block === NULL ? undefined : () => free(wdk, block);
  }),
  simple('nbl-pool', 'halt-leaks-nbl-pool', function* (wdk, { handle }) {
    const PoolHandle = yield* pool(wdk, handle);
    return PoolHandle === NULL ? undefined : () => wdk.NdisFreeNetBufferListPool({ PoolHandle });
  }),
  simple('nb-pool', 'halt-leaks-nb-pool', function* (wdk, { handle }) {
    const PoolHandle = yield* bufferPool(wdk, handle);
    return PoolHandle === NULL ? undefined : () => wdk.NdisFreeNetBufferPool({ PoolHandle });
  }),
  {
    name: 'nbl',
    rule: 'halt-leaks-nbl',
    *acquire(wdk, { handle }) {
      const PoolHandle = yield* pool(wdk, handle);
      if (PoolHandle === NULL) return undefined;
      const rest = () => wdk.NdisFreeNetBufferListPool({ PoolHandle });
      const NetBufferList = yield* wdk.NdisAllocateNetBufferList({ PoolHandle, ContextSize: 0, ContextBackFill: 0 });
      if (NetBufferList !== NULL) return { own: () => wdk.NdisFreeNetBufferList({ NetBufferList }), rest };
      yield* rest();
      return undefined;
    },
  },
  {
    name: 'nb',
    rule: 'halt-leaks-nb',
    *acquire(wdk, { handle }) {
      const PoolHandle = yield* bufferPool(wdk, handle);
      if (PoolHandle === NULL) return undefined;
      const rest = () => wdk.NdisFreeNetBufferPool({ PoolHandle });
      const NetBuffer = yield* wdk.NdisAllocateNetBufferMdlAndData({ PoolHandle });
      if (NetBuffer !== NULL) return { own: () => wdk.NdisFreeNetBuffer({ NetBuffer }), rest };
      yield* rest();
      return undefined;
    },
  },
  {
    name: 'nbl-context',
    rule: 'halt-leaks-nbl-context',
    *acquire(wdk, from) {
      const made = yield* list(wdk, from);
      if (made === undefined) return undefined;
      const NetBufferList = made.address;
      const asked = { NetBufferList, ContextSize: 16 };
      const status = yield* wdk.NdisAllocateNetBufferListContext({ ...asked, ContextBackFill: 0, PoolTag: TAG });
      if (status === NDIS_STATUS_SUCCESS) {
        return { own: () => wdk.NdisFreeNetBufferListContext(asked), rest: made.rest };
      }
      yield* made.rest();
      return undefined;
    },
  },
  {
    name: 'clone-nbl',
    rule: 'halt-leaks-clone-nbl',
    *acquire(wdk, from) {
      const made = yield* list(wdk, from);
      if (made === undefined) return undefined;
      const CloneNetBufferList = yield* wdk.NdisAllocateCloneNetBufferList({
        OriginalNetBufferList: made.address,
        NetBufferListPoolHandle: NULL,
        NetBufferPoolHandle: NULL,
        AllocateCloneFlags: 0,
      });
      if (CloneNetBufferList !== NULL) {
        return {
          own: () => wdk.NdisFreeCloneNetBufferList({ CloneNetBufferList, FreeCloneFlags: 0 }),
          rest: made.rest,
        };
      }
      yield* made.rest();
      return undefined;
    },
  },
  {
    name: 'data-start',
    rule: 'halt-leaks-data-start',
    *acquire(wdk, { handle }) {
      const PoolHandle = yield* pool(wdk, handle);
      if (PoolHandle === NULL) return undefined;
      const NetBufferList = yield* wdk.NdisAllocateNetBufferList({ PoolHandle, ContextSize: 0, ContextBackFill: 0 });
      const rest = function* () {
        if (NetBufferList !== NULL) yield* wdk.NdisFreeNetBufferList({ NetBufferList });
        yield* wdk.NdisFreeNetBufferListPool({ PoolHandle });
      };
      // More than the list has room for in front: NDIS makes an MDL for the rest.
      const moved = { NetBuffer: NULL as Address, DataOffsetDelta: 512 };
      if (NetBufferList !== NULL) {
        moved.NetBuffer = NET_BUFFER_LIST.at(wdk.memory, NetBufferList).FirstNetBuffer;
        const asked = { ...moved, DataBackFill: 0, AllocateMdlHandler: NULL };
        if ((yield* wdk.NdisRetreatNetBufferDataStart(asked)) === NDIS_STATUS_SUCCESS) {
          return {
            own: () => wdk.NdisAdvanceNetBufferDataStart({ ...moved, FreeMdl: true, FreeMdlHandler: NULL }),
            rest,
          };
        }
      }
      yield* rest();
      return undefined;
    },
  },
  {
    name: 'mdl',
    rule: 'halt-leaks-mdl',
    *acquire(wdk, { handle }) {
      const VirtualAddress = yield* allocate(wdk, handle, 256);
      if (VirtualAddress === NULL) return undefined;
      const rest = () => free(wdk, VirtualAddress);
      const Mdl = yield* wdk.NdisAllocateMdl({ NdisHandle: handle, VirtualAddress, Length: 256 });
      if (Mdl !== NULL) return { own: () => wdk.NdisFreeMdl({ Mdl }), rest };
      yield* rest();
      return undefined;
    },
  },
  simple(
    'config-handle',
    'halt-leaks-config-handle',
    function* (wdk, { handle }) {
      const ConfigurationHandle = yield* configuration(wdk, handle);
      return ConfigurationHandle === undefined ? undefined : () => wdk.NdisCloseConfiguration({ ConfigurationHandle });
    },
    // No INF here makes the driver's own key.
    { only: 'adapter' },
  ),
  {
    name: 'config-subkey',
    rule: 'halt-leaks-config-subkey',
    only: 'adapter',
    *acquire(wdk, { handle }) {
      const ConfigurationHandle = yield* configuration(wdk, handle);
      if (ConfigurationHandle === undefined) return undefined;
      const rest = () => wdk.NdisCloseConfiguration({ ConfigurationHandle });
      const { Status, SubKeyHandle } = yield* wdk.NdisOpenConfigurationKeyByName({
        ConfigurationHandle,
        SubKeyName: wdk.string('Queues'),
      });
      // The key is optional; without it the configuration alone is held.
      const subkey = Status === NDIS_STATUS_SUCCESS ? SubKeyHandle : undefined;
      return {
        *own() {
          if (subkey !== undefined) yield* wdk.NdisCloseConfiguration({ ConfigurationHandle: subkey });
        },
        rest,
      };
    },
  },
  simple('work-item', 'halt-leaks-work-item', function* (wdk, { handle }) {
    const NdisIoWorkItemHandle = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: handle });
    return NdisIoWorkItemHandle === NULL ? undefined : () => wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle });
  }),
  simple('timer-object', 'halt-leaks-timer-object', (wdk, from) => timer(wdk, from, false)),
  simple('timer-set', 'halt-leaves-timer-set', (wdk, from) => timer(wdk, from, true)),
  simple('generic-object', 'halt-leaks-generic-object', function* (wdk, { DriverObject }) {
    const NdisObject = yield* wdk.NdisAllocateGenericObject({ DriverObject, Tag: TAG, Size: 64 });
    return NdisObject === NULL ? undefined : () => wdk.NdisFreeGenericObject({ NdisObject });
  }),
  simple('rw-lock', 'halt-leaks-rw-lock', function* (wdk, { handle }) {
    const Lock = yield* wdk.NdisAllocateRWLock({ NdisHandle: handle });
    return Lock === NULL ? undefined : () => wdk.NdisFreeRWLock({ Lock });
  }),
  {
    name: 'lookaside-list',
    rule: 'halt-leaks-lookaside-list',
    *acquire(wdk, { handle }) {
      const Lookaside = yield* lookaside(wdk, handle);
      if (Lookaside === undefined) return undefined;
      return { own: () => wdk.NdisDeleteNPagedLookasideList({ Lookaside }), rest: () => free(wdk, Lookaside) };
    },
  },
  {
    name: 'lookaside-entry',
    rule: 'halt-leaks-lookaside-entry',
    *acquire(wdk, { handle }) {
      const Lookaside = yield* lookaside(wdk, handle);
      if (Lookaside === undefined) return undefined;
      const rest = function* () {
        yield* wdk.NdisDeleteNPagedLookasideList({ Lookaside });
        yield* free(wdk, Lookaside);
      };
      const Entry = yield* wdk.NdisAllocateFromNPagedLookasideList({ Lookaside });
      if (Entry !== NULL) return { own: () => wdk.NdisFreeToNPagedLookasideList({ Lookaside, Entry }), rest };
      yield* rest();
      return undefined;
    },
  },
  simple(
    'log',
    'halt-leaks-log',
    function* (wdk, { handle }) {
      const { result, LogHandle } = yield* wdk.NdisMCreateLog({ MiniportAdapterHandle: handle, Size: 1024 });
      return result === NDIS_STATUS_SUCCESS ? () => wdk.NdisMCloseLog({ LogHandle }) : undefined;
    },
    { only: 'adapter' },
  ),
  simple(
    'adapter-instance-name',
    'halt-leaks-adapter-instance-name',
    function* (wdk, { handle }) {
      const { result, pAdapterInstanceName } = yield* wdk.NdisMQueryAdapterInstanceName({ MiniportHandle: handle });
      return result === NDIS_STATUS_SUCCESS ? () => free(wdk, pAdapterInstanceName.Buffer) : undefined;
    },
    { only: 'adapter' },
  ),
  simple(
    'clone-oid',
    'halt-leaks-clone-oid',
    function* (wdk, { handle: SourceHandle }) {
      const { result, ClonedOidRequest } = yield* wdk.NdisAllocateCloneOidRequest({
        SourceHandle,
        OidRequest: { Header: { Type: 0x96, Revision: 1, Size: NDIS_OID_REQUEST.size } },
        PoolTag: TAG,
      });
      if (result !== NDIS_STATUS_SUCCESS) return undefined;
      return () => wdk.NdisFreeCloneOidRequest({ SourceHandle, Request: ClonedOidRequest });
    },
    { only: 'adapter' },
  ),
  simple(
    'if-provider',
    'unload-leaks-if-provider',
    function* (wdk) {
      const provider = yield* interfaceProvider(wdk);
      return provider === undefined ? undefined : () => wdk.NdisIfDeregisterProvider({ NdisProviderHandle: provider });
    },
    { only: 'driver' },
  ),
  {
    name: 'if-interface',
    rule: 'halt-leaks-if-interface',
    *acquire(wdk, { handle }) {
      const NdisProviderHandle = yield* interfaceProvider(wdk);
      if (NdisProviderHandle === undefined) return undefined;
      const rest = () => wdk.NdisIfDeregisterProvider({ NdisProviderHandle });
      const { result, pfIndex } = yield* wdk.NdisIfRegisterInterface({
        NdisProviderHandle,
        NetLuid: 0x0006_0001_0000_0000n + BigInt(handle % 0xffff),
        ProviderIfContext: NULL,
        pIfInfo: NULL,
      });
      if (result === NDIS_STATUS_SUCCESS)
        return { own: () => wdk.NdisIfDeregisterInterface({ ifIndex: pfIndex }), rest };
      yield* rest();
      return undefined;
    },
  },
  {
    name: 'provider-shared-memory',
    rule: 'halt-leaks-provider-shared-memory',
    only: 'adapter',
    busMaster: true,
    *acquire(wdk, { handle }) {
      const { result, NdisMiniportDmaHandle } = yield* wdk.NdisMRegisterScatterGatherDma({
        MiniportAdapterHandle: handle,
        DmaDescription: {
          Header: header('NDIS_SG_DMA_DESCRIPTION'),
          Flags: 1,
          MaximumPhysicalMapping: 2048,
          ProcessSGListHandler: () => {},
          SharedMemAllocateCompleteHandler: () => {},
        },
      });
      if (result !== NDIS_STATUS_SUCCESS) return undefined;
      const List = yield* allocate(wdk, handle, 256);
      const rest = function* () {
        if (List !== NULL) yield* free(wdk, List);
        yield* wdk.NdisMDeregisterScatterGatherDma({ NdisMiniportDmaHandle });
      };
      if (List !== NULL) {
        const shared = (yield* wdk.NdisAllocateSharedMemory({
          NdisHandle: handle,
          SharedMemoryParameters: {
            Header: { Type: 0x9d, Revision: 1, Size: NDIS_SHARED_MEMORY_PARAMETERS.offset('VPortId') },
            Length: 4096,
            SGListBufferLength: 256,
            SGListBuffer: List,
          },
        })) as unknown as { result: number; pAllocationHandle: Handle };
        if (shared.result === NDIS_STATUS_SUCCESS) {
          return {
            own: () => wdk.NdisFreeSharedMemory({ NdisHandle: handle, AllocationHandle: shared.pAllocationHandle }),
            rest,
          };
        }
      }
      yield* rest();
      return undefined;
    },
  },
  simple(
    'virtualization',
    'halt-leaks-virtualization',
    function* (wdk, { handle: NdisMiniportHandle }) {
      const flags = { NdisMiniportHandle, EnableVFMigration: false, EnableMigrationInterrupt: false };
      const on = yield* wdk.NdisMEnableVirtualization({ ...flags, NumVFs: 4, EnableVirtualization: true });
      if (on !== NDIS_STATUS_SUCCESS) return undefined;
      return () => wdk.NdisMEnableVirtualization({ ...flags, NumVFs: 0, EnableVirtualization: false });
    },
    { only: 'adapter', device: physicalFunction },
  ),
];

function* interfaceProvider(wdk: Wdk): Coroutine<Handle | undefined> {
  const { result, pNdisIfProviderHandle } = yield* wdk.NdisIfRegisterProvider({
    ProviderCharacteristics: { Header: { Type: 0x80, Revision: 1, Size: 40 } },
    IfProviderContext: NULL,
  });
  return result === NDIS_STATUS_SUCCESS ? pNdisIfProviderHandle : undefined;
}

function* lookaside(wdk: Wdk, handle: Handle): Coroutine<Address | undefined> {
  const Lookaside = yield* allocate(wdk, handle, 256);
  if (Lookaside === NULL) return undefined;
  const common = { Allocate: NULL, Free: NULL, Flags: 0, Depth: 0 };
  yield* wdk.NdisInitializeNPagedLookasideList({ Lookaside, ...common, Size: 64, Tag: TAG });
  return Lookaside;
}

/** A timer, set for an hour from now or not at all. */
function* timer(wdk: Wdk, { handle }: From, set: boolean): Coroutine<(() => Coroutine<unknown>) | undefined> {
  let called = false;
  const { result, pTimerObject: TimerObject } = yield* wdk.NdisAllocateTimerObject({
    NdisHandle: handle,
    TimerCharacteristics: {
      Header: header('NDIS_TIMER_CHARACTERISTICS'),
      AllocationTag: TAG,
      TimerFunction: () => {
        called = true;
      },
      FunctionContext: NULL,
    },
  });
  if (result !== NDIS_STATUS_SUCCESS) return undefined;
  const DueTime = -HOUR as never;
  if (set) yield* wdk.NdisSetTimerObject({ TimerObject, DueTime, MillisecondsPeriod: 0, FunctionContext: NULL });
  return function* () {
    if (set && !(yield* wdk.NdisCancelTimerObject({ TimerObject }))) {
      while (!called) yield* wdk.NdisMSleep({ MicrosecondsToSleep: 1000 });
    }
    yield* wdk.NdisFreeTimerObject({ TimerObject });
  };
}
