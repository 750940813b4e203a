/**
 * A miniport without hardware that holds one thing of a kind: the adapter from initialize to halt, or the driver from DriverEntry
 * to unload. A seed forgets to give it back in one of the places where it must.
 */
import {
  type Address,
  type Coroutine,
  type DeviceFactory,
  defineMiniport,
  type Handle,
  type Handler,
  type Miniport,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_STATUS_PAUSED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NET_BUFFER_LIST,
  NULL,
  type Wdk,
} from '../../../src/authoring.ts';
import { idle, setAttributes } from '../../miniport.ts';

/** 'kind'. */
export const TAG = 0x646e_696b;

/** Whose the thing is to be. */
export interface From {
  readonly DriverObject: Address;
  /** The adapter's handle, or the driver's. */
  readonly handle: Handle;
  /** The adapter's physical device object; NULL for the driver. */
  readonly device: Address;
}

/** Gives back. */
export type Undo = () => Coroutine<unknown>;

/** A thing that is held. */
export interface Held {
  readonly own: Undo;
  /** What it was made of, and what was made for it. */
  readonly rest?: Undo;
}

export interface Kind {
  /** As the ledger calls it. */
  readonly name: string;
  /** The rule that a halt breaks which forgets it; of what a driver has for itself, the rule that unload breaks. */
  readonly rule: string;
  /** Who can have it; both unless given. */
  readonly only?: 'adapter' | 'driver';
  /** Only an adapter with DMA can have it. */
  readonly busMaster?: true;
  /** A device to make it with, where there must be one. */
  readonly device?: DeviceFactory;
  /** Undefined when it cannot be had: nothing is held then. */
  acquire(wdk: Wdk, from: From): Coroutine<Held | undefined>;
}

/** What one call gives and another takes; nothing else is needed. */
export const simple = (
  name: string,
  rule: string,
  make: (wdk: Wdk, from: From) => Coroutine<(() => Coroutine<unknown>) | undefined>,
  more: Partial<Kind> = {},
): Kind => ({
  name,
  rule,
  ...more,
  *acquire(wdk, from) {
    const own = yield* make(wdk, from);
    return own === undefined ? undefined : { own };
  },
});

/** Where it is not given back: in MiniportHaltEx, in a MiniportInitializeEx that fails behind it, in MiniportDriverUnload. */
export type Seed = 'halt' | 'initialize' | 'unload';

/** Of the driver (`unload`) or of the adapter; without a seed it keeps every rule. */
export function holder(kind: Kind, whose: 'adapter' | 'driver', seed?: Seed): Miniport {
  return defineMiniport((wdk) => {
    const adapters = new Map<number, { readonly handle: Handle; readonly held: Held | undefined }>();
    let driver: Handle = NULL;
    let driverObject: Address = NULL;
    let ofDriver: Held | undefined;
    const flags = kind.busMaster === true ? NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER : 0;

    function* giveBack(held: Held | undefined, here: Seed): Coroutine<void> {
      if (held === undefined) return;
      if (seed !== here) yield* held.own();
      yield* held.rest?.() ?? [];
    }

    const MiniportInitializeEx: Handler<'MiniportInitializeEx'> = function* ({ NdisMiniportHandle: handle }) {
      const context = yield* allocate(wdk, handle, 64);
      if (context === NULL) return NDIS_STATUS_RESOURCES;
      const status = yield* setAttributes(wdk, handle, context, flags);
      if (status !== NDIS_STATUS_SUCCESS) {
        yield* free(wdk, context);
        return status;
      }
      const held = whose === 'driver' ? undefined : yield* acquireFor(handle);
      const last = yield* allocate(wdk, handle, 128);
      if (last === NULL || (held === undefined && whose === 'adapter')) {
        yield* giveBack(held, 'initialize');
        if (last !== NULL) yield* free(wdk, last);
        yield* free(wdk, context);
        return NDIS_STATUS_RESOURCES;
      }
      yield* free(wdk, last);
      adapters.set(context, { handle, held });
      return NDIS_STATUS_SUCCESS;
    };

    function* acquireFor(handle: Handle): Coroutine<Held | undefined> {
      const { PhysicalDeviceObject } = yield* wdk.NdisMGetDeviceProperty({ MiniportAdapterHandle: handle } as never);
      return yield* kind.acquire(wdk, { handle, device: PhysicalDeviceObject, DriverObject: driverObject });
    }

    const MiniportHaltEx: Handler<'MiniportHaltEx'> = function* ({ MiniportAdapterContext }) {
      yield* giveBack(adapters.get(MiniportAdapterContext)?.held, 'halt');
      adapters.delete(MiniportAdapterContext);
      yield* free(wdk, MiniportAdapterContext);
    };

    const MiniportSendNetBufferLists: Handler<'MiniportSendNetBufferLists'> = function* (args) {
      for (let next = args.NetBufferList; next !== NULL; ) {
        const list = NET_BUFFER_LIST.at(wdk.memory, next);
        next = list.Next;
        list.Next = NULL;
        list.Status = NDIS_STATUS_PAUSED;
        yield* wdk.NdisMSendNetBufferListsComplete({
          MiniportAdapterHandle: adapters.get(args.MiniportAdapterContext)?.handle ?? NULL,
          NetBufferList: list.address,
          SendCompleteFlags: args.SendFlags & 1,
        });
      }
    };

    const DriverEntry: Handler<'DriverEntry'> = function* ({ DriverObject, RegistryPath }) {
      driverObject = DriverObject;
      const { result, NdisMiniportDriverHandle } = yield* wdk.NdisMRegisterMiniportDriver({
        DriverObject,
        RegistryPath,
        MiniportDriverContext: NULL,
        MiniportDriverCharacteristics: {
          ...idle,
          InitializeHandlerEx: MiniportInitializeEx,
          HaltHandlerEx: MiniportHaltEx,
          UnloadHandler: function* MiniportDriverUnload() {
            yield* giveBack(ofDriver, 'unload');
            yield* wdk.NdisMDeregisterMiniportDriver({ NdisMiniportDriverHandle: driver });
          },
          SendNetBufferListsHandler: MiniportSendNetBufferLists,
        },
      });
      driver = NdisMiniportDriverHandle;
      if (result === NDIS_STATUS_SUCCESS && whose === 'driver') {
        ofDriver = yield* kind.acquire(wdk, { handle: driver, device: NULL, DriverObject });
      }
      return result;
    };

    return { DriverEntry };
  });
}

/** Memory of NdisAllocateMemoryWithTagPriority; NULL when there is none. */
export const allocate = (wdk: Wdk, NdisHandle: Handle, Length: number) =>
  wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length, Tag: TAG, Priority: 16 });
export const free = (wdk: Wdk, VirtualAddress: number) =>
  wdk.NdisFreeMemory({ VirtualAddress: VirtualAddress as Address, Length: 0, MemoryFlags: 0 });
