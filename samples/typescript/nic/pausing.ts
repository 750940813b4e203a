/** Restart and pause. Pause waits for everything that NDIS must have back. */
import {
  type Coroutine,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_ACCEPTED,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SEND_ABORTED,
  NDIS_STATUS_SUCCESS,
} from 'haltex';
import { type Adapter, type Nic, State } from './adapter.ts';

const DRAIN_POLLS = 20;
const DRAIN_DELAY_US = 1000;

/** PASSIVE_LEVEL. No frame may be left in the transmit ring; a NIC that does not send them in time is reset. */
function* stopDataPath(nic: Nic, adapter: Adapter): Coroutine<void> {
  const { hardware, interrupts, send } = nic.parts;
  if (adapter.Removed) {
    yield* send.abort(nic, adapter, NDIS_STATUS_NOT_ACCEPTED);
    return;
  }
  for (let poll = 0; poll < DRAIN_POLLS && !send.ringEmpty(adapter); poll++) {
    yield* nic.wdk.NdisMSleep({ MicrosecondsToSleep: DRAIN_DELAY_US });
    yield* send.handle(nic, adapter);
  }
  if (send.ringEmpty(adapter)) {
    yield* hardware.stopDma(nic, adapter);
    return;
  }
  yield* interrupts.disable(nic, adapter);
  yield* hardware.reset(nic, adapter);
  yield* send.abort(nic, adapter, NDIS_STATUS_SEND_ABORTED);
  yield* hardware.program(nic, adapter);
  yield* interrupts.enable(nic, adapter);
}

export const pausing = {
  /** PASSIVE_LEVEL. */
  *restart(nic: Nic, adapter: Adapter): Coroutine<number> {
    if (adapter.Removed) return NDIS_STATUS_FAILURE;
    // Indications are allowed from the restart call on.
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.State = State.Running;
    });
    nic.parts.hardware.startDma(nic, adapter);
    yield* nic.parts.link.report(nic, adapter);
    return NDIS_STATUS_SUCCESS;
  },

  /**
   * PASSIVE_LEVEL. Rules pause-fails (success or pending, nothing else) and pause-frees-init-resources (what initialize
   * acquired stays; OID requests go on being answered).
   */
  *pause(nic: Nic, adapter: Adapter): Coroutine<number> {
    const { wdk, parts } = nic;
    // A count of our own: nobody else completes the pause before we are through.
    yield* wdk.locked(adapter.Lock, function* () {
      adapter.State = State.Pausing;
      yield* parts.pending.add(nic, adapter.DataPath, 1);
    });
    yield* stopDataPath(nic, adapter);
    // Rule pause-completes-before-nbls-returned.
    return yield* wdk.locked(adapter.Lock, function* () {
      if (yield* parts.pending.remove(nic, adapter.DataPath, 1)) {
        adapter.State = State.Paused;
        return NDIS_STATUS_SUCCESS;
      }
      adapter.PausePending = true;
      return NDIS_STATUS_PENDING;
    });
  },

  /**
   * Up to DISPATCH_LEVEL. Who takes the last thing back completes a pending pause, once (rule pause-complete-unexpected).
   * After it the adapter may be halted, so nothing of it is touched.
   */
  *dataPathRemove(nic: Nic, adapter: Adapter, count: number): Coroutine<void> {
    const MiniportAdapterHandle = adapter.AdapterHandle;
    const complete = yield* nic.wdk.locked(adapter.Lock, function* () {
      const none = yield* nic.parts.pending.remove(nic, adapter.DataPath, count);
      if (!none || !adapter.PausePending) return false;
      adapter.PausePending = false;
      adapter.State = State.Paused;
      return true;
    });
    if (complete) yield* nic.wdk.NdisMPauseComplete({ MiniportAdapterHandle });
  },
};
