/** What the seeded races share: a miniport whose adapter is one block of memory, with room for what each case needs. */
import {
  type Coroutine,
  defineMiniport,
  type Handle,
  type Handler,
  header,
  type Miniport,
  NDIS_EVENT,
  NDIS_SPIN_LOCK,
  NDIS_STATUS_PAUSED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NET_BUFFER_LIST,
  NULL,
  pointer,
  struct,
  u8,
  u32,
  type View,
  type Wdk,
} from '../../src/index.ts';
import { KDPC } from '../../src/kernel/dpcs.ts';
import { KTIMER } from '../../src/kernel/timers.ts';
import { idle, setAttributes } from '../miniport.ts';

export const ADAPTER = struct('ADAPTER', {
  AdapterHandle: pointer,
  Timer: pointer,
  WorkItem: pointer,
  Interrupt: pointer,
  Thread: pointer,
  Buffer: pointer,
  Lock: NDIS_SPIN_LOCK,
  Other: NDIS_SPIN_LOCK,
  Done: NDIS_EVENT,
  Stop: NDIS_EVENT,
  KernelTimer: KTIMER,
  Dpc: KDPC,
  Count: u32,
  Stopping: u8,
});
export type Adapter = View<typeof ADAPTER.fields>;
export const TAG = 0x6563_6172; // 'race'

/** The context of a callback. */
export const adapterAt = (wdk: Wdk, address: number): Adapter => ADAPTER.at(wdk.memory, address as never);

export interface RaceParts {
  /** At the end of MiniportInitializeEx: what runs beside halt is set up. */
  begin(wdk: Wdk, adapter: Adapter): Coroutine<void>;
  /** MiniportHaltEx, up to freeing the adapter. */
  end(wdk: Wdk, adapter: Adapter): Coroutine<void>;
}

/** A timer in half a second: not yet due when the adapter halts, unless it is held up. */
export function* startTimer(wdk: Wdk, adapter: Adapter, TimerFunction: Handler<'NetTimerCallback'>): Coroutine<void> {
  const { pTimerObject } = yield* wdk.NdisAllocateTimerObject({
    NdisHandle: adapter.AdapterHandle,
    TimerCharacteristics: {
      Header: header('NDIS_TIMER_CHARACTERISTICS'),
      AllocationTag: TAG,
      TimerFunction,
      FunctionContext: adapter.address,
    },
  });
  adapter.Timer = pTimerObject;
  yield* setTimer(wdk, adapter);
}

export function* setTimer(wdk: Wdk, { Timer }: Adapter): Coroutine<void> {
  const DueTime = -10_000 * 2000;
  yield* wdk.NdisSetTimerObject({ TimerObject: Timer, DueTime, MillisecondsPeriod: 0, FunctionContext: NULL });
}

/** True: the callback will not come. */
export const cancelTimer = (wdk: Wdk, { Timer }: Adapter): Coroutine<boolean> =>
  wdk.NdisCancelTimerObject({ TimerObject: Timer });

export const freeTimer = (wdk: Wdk, { Timer }: Adapter): Coroutine<void> =>
  wdk.NdisFreeTimerObject({ TimerObject: Timer }) as Coroutine<void>;

export const waitDone = (wdk: Wdk, { Done }: Adapter): Coroutine<boolean> =>
  wdk.NdisWaitEvent({ Event: Done.address, MsToWait: 0 });

export const setDone = (wdk: Wdk, { Done }: Adapter): Coroutine<void> =>
  wdk.NdisSetEvent({ Event: Done.address }) as Coroutine<void>;

export const free = (wdk: Wdk, VirtualAddress: number): Coroutine<void> =>
  wdk.NdisFreeMemory({ VirtualAddress: VirtualAddress as never, Length: 0, MemoryFlags: 0 }) as Coroutine<void>;

export function raceMiniport({ begin, end }: RaceParts): Miniport {
  return defineMiniport((wdk) => {
    let NdisMiniportDriverHandle: Handle = NULL as never;

    const MiniportInitializeEx: Handler<'MiniportInitializeEx'> = function* ({ NdisMiniportHandle }) {
      const adapter = yield* wdk.allocate(ADAPTER, { NdisHandle: NdisMiniportHandle, Tag: TAG });
      if (adapter === undefined) return NDIS_STATUS_RESOURCES;
      adapter.AdapterHandle = NdisMiniportHandle;
      yield* wdk.NdisInitializeEvent({ Event: adapter.Done.address });
      yield* wdk.NdisInitializeEvent({ Event: adapter.Stop.address });
      yield* wdk.NdisAllocateSpinLock({ SpinLock: adapter.Lock.address });
      yield* wdk.NdisAllocateSpinLock({ SpinLock: adapter.Other.address });
      yield* setAttributes(wdk, NdisMiniportHandle, adapter.address);
      yield* begin(wdk, adapter);
      return NDIS_STATUS_SUCCESS;
    };

    const MiniportHaltEx: Handler<'MiniportHaltEx'> = function* ({ MiniportAdapterContext }) {
      const adapter = adapterAt(wdk, MiniportAdapterContext);
      yield* end(wdk, adapter);
      yield* wdk.NdisFreeSpinLock({ SpinLock: adapter.Lock.address });
      yield* wdk.NdisFreeSpinLock({ SpinLock: adapter.Other.address });
      yield* free(wdk, MiniportAdapterContext);
    };

    const MiniportSendNetBufferLists: Handler<'MiniportSendNetBufferLists'> = function* (args) {
      const { AdapterHandle: MiniportAdapterHandle } = adapterAt(wdk, args.MiniportAdapterContext);
      for (let next = args.NetBufferList; next !== NULL; ) {
        const list = NET_BUFFER_LIST.at(wdk.memory, next);
        next = list.Next;
        list.Next = NULL;
        list.Status = NDIS_STATUS_PAUSED;
        const NetBufferList = list.address;
        yield* wdk.NdisMSendNetBufferListsComplete({ MiniportAdapterHandle, NetBufferList, SendCompleteFlags: 0 });
      }
    };

    const DriverEntry: Handler<'DriverEntry'> = function* ({ DriverObject, RegistryPath }) {
      const registered = yield* wdk.NdisMRegisterMiniportDriver({
        DriverObject,
        RegistryPath,
        MiniportDriverContext: NULL,
        MiniportDriverCharacteristics: {
          ...idle,
          InitializeHandlerEx: MiniportInitializeEx,
          HaltHandlerEx: MiniportHaltEx,
          UnloadHandler: function* MiniportDriverUnload() {
            yield* wdk.NdisMDeregisterMiniportDriver({ NdisMiniportDriverHandle });
          },
          SendNetBufferListsHandler: MiniportSendNetBufferLists,
        },
      });
      NdisMiniportDriverHandle = registered.NdisMiniportDriverHandle;
      return registered.result;
    };

    return { DriverEntry };
  });
}
