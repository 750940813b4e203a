/**
 * Two timer objects: a periodic one that polls the link, and a one-shot one that sets itself again, so that halt meets both
 * ways a timer ends: NDIS waits for a periodic timer's callback, the driver for a one-shot's.
 */
import { type Address, type Coroutine, type Handler, header, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { type Adapter, adapterAt, NIC_TAG, type Nic } from './adapter.ts';

const POLL_MS = 2000;
const WATCHDOG_MS = 3000;
/** Relative due times are negative, in units of 100 ns. */
const dueIn = (milliseconds: number) => -10_000 * milliseconds;

function* allocate(
  { wdk }: Nic,
  adapter: Adapter,
  TimerFunction: Handler<'NetTimerCallback'>,
): Coroutine<{ readonly result: number; readonly pTimerObject: Address }> {
  return yield* wdk.NdisAllocateTimerObject({
    NdisHandle: adapter.AdapterHandle,
    TimerCharacteristics: {
      Header: header('NDIS_TIMER_CHARACTERISTICS'),
      AllocationTag: NIC_TAG,
      TimerFunction,
      FunctionContext: adapter.address,
    },
  });
}

/** DISPATCH_LEVEL. */
const poll = (nic: Nic): Handler<'NetTimerCallback'> =>
  function* NicPoll({ FunctionContext }) {
    yield* nic.parts.link.update(nic, adapterAt(nic, FunctionContext));
  };

/** DISPATCH_LEVEL. */
const watchdog = (nic: Nic): Handler<'NetTimerCallback'> =>
  function* NicWatchdog({ FunctionContext }) {
    const adapter = adapterAt(nic, FunctionContext);
    yield* nic.parts.timers.setWatchdog(nic, adapter);
    // Last: who waits goes on from here.
    yield* nic.wdk.locked(adapter.Lock, () => nic.parts.pending.remove(nic, adapter.WatchdogCallbacks, 1));
  };

export const timers = {
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    const polling = yield* allocate(nic, adapter, poll(nic));
    if (polling.result !== NDIS_STATUS_SUCCESS) return polling.result;
    adapter.PollTimer = polling.pTimerObject;
    const watching = yield* allocate(nic, adapter, watchdog(nic));
    adapter.WatchdogTimer = watching.pTimerObject;
    if (watching.result !== NDIS_STATUS_SUCCESS) {
      // Rule init-fail-leaks-timer-object.
      yield* nic.wdk.NdisFreeTimerObject({ TimerObject: adapter.PollTimer });
    }
    return watching.result;
  },

  *start(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.TimersOn = true;
    });
    yield* nic.wdk.NdisSetTimerObject({
      TimerObject: adapter.PollTimer,
      DueTime: dueIn(POLL_MS),
      MillisecondsPeriod: POLL_MS,
      FunctionContext: NULL,
    });
    yield* nic.parts.timers.setWatchdog(nic, adapter);
  },

  /**
   * Each time the timer was not yet in the queue one more callback will come. Setting it with Lock held keeps it from being
   * set after `stop` looked (rule timer-rearmed-during-halt).
   */
  *setWatchdog(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, function* () {
      if (!adapter.TimersOn) return;
      const wasSet = yield* nic.wdk.NdisSetTimerObject({
        TimerObject: adapter.WatchdogTimer,
        DueTime: dueIn(WATCHDOG_MS),
        MillisecondsPeriod: 0,
        FunctionContext: NULL,
      });
      if (!wasSet) yield* nic.parts.pending.add(nic, adapter.WatchdogCallbacks, 1);
    });
  },

  /** PASSIVE_LEVEL, for one is periodic (rule irql-cancel-periodic-timer). Afterwards no callback is queued or running. */
  *stop(nic: Nic, adapter: Adapter): Coroutine<void> {
    const { wdk, parts } = nic;
    yield* wdk.locked(adapter.Lock, () => {
      adapter.TimersOn = false;
    });
    // Rule halt-leaves-timer-set. NDIS waits for a periodic timer's callback in the call.
    yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.PollTimer });
    // Rule halt-returns-with-timer-callback: TRUE means that the callback will not come; FALSE that it came, or is yet to
    // run. The count knows, and the wait is ours.
    if (yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.WatchdogTimer })) {
      yield* wdk.locked(adapter.Lock, () => parts.pending.remove(nic, adapter.WatchdogCallbacks, 1));
    }
    yield* parts.pending.wait(nic, adapter, adapter.WatchdogCallbacks);
    // A callback that has counted itself out may have its last instructions before it.
    yield* wdk.KeFlushQueuedDpcs();
  },

  /** Rules halt-leaks-timer-object, timer-freed-while-active: `stop` came first. */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisFreeTimerObject({ TimerObject: adapter.WatchdogTimer });
    yield* wdk.NdisFreeTimerObject({ TimerObject: adapter.PollTimer });
  },
};
