/** Steps that several flows share: an adapter comes up, works, and comes down. */
import type { Coroutine } from '../../kernel/scheduler.ts';
import type { Adapter } from '../../ndis/adapter.ts';
import { Attributes } from '../../ndis/driver-structures.ts';
import { callsAtBugCheck, type HaltActionName } from '../../ndis/lifecycle.ts';
import type { OidRequest } from '../../ndis/oids.ts';
import { isAskedToSleep, isHaltedForSleep, isPausedForSleep } from '../../ndis/power.ts';
import { NDIS_STATUS_SUCCESS } from '../../ndis/status.ts';
import type { Value } from '../../trace/events.ts';
import { hex, MILLISECOND, type VirtualTime } from '../../trace/units.ts';
import {
  asked,
  closingOids,
  frame,
  openingOids,
  outgoing,
  privateOid,
  runningOids,
  unbindingOids,
} from '../traffic.ts';
import type { Stage } from './stage.ts';

/** How long the adapter is left alone between steps, so that timers, interrupts and work items have their turn. */
export const BREATH = 50 * MILLISECOND;

/** As NdisGeneratePartialCancelId makes them: the top byte is the protocol's. */
const CANCEL_ID = 0x0200_0001;

/** Gives whether MiniportInitializeEx succeeded. What the driver said of itself then decides which flows make sense for it. */
export function* initialize(stage: Stage, adapter: Adapter): Coroutine<boolean> {
  if ((yield* stage.ndis.lifecycle.initialize(adapter)) !== NDIS_STATUS_SUCCESS) return false;
  mark(stage, 'initialized', {
    adapter: hex(adapter.handle),
    haltedForSleep: isHaltedForSleep(adapter),
    askedToSleep: isAskedToSleep(adapter),
    pausedForSleep: isPausedForSleep(adapter),
    // A driver of no hardware has nothing that could be pulled out.
    removable: adapter.has(Attributes.HARDWARE_DEVICE | Attributes.SURPRISE_REMOVE_OK),
    resets: adapter.routine('ResetHandlerEx') !== undefined,
    checksForHang: adapter.routine('CheckForHangHandlerEx') !== undefined,
    calledAtBugCheck: callsAtBugCheck(adapter) || stage.kernel.bugCheckCallbacks.any,
    suspends: adapter.driver.optional.IdleNotificationHandler !== undefined,
  });
  return true;
}

/** From Paused to Running, with traffic. False where the driver fails its restart: it stays Paused. */
export function* start(stage: Stage, adapter: Adapter): Coroutine<boolean> {
  yield* oids(stage, adapter, openingOids);
  yield* frameWhilePaused(stage, adapter);
  if ((yield* stage.ndis.lifecycle.restart(adapter)) !== NDIS_STATUS_SUCCESS) {
    yield* frameWhilePaused(stage, adapter);
    return false;
  }
  yield* traffic(stage, adapter);
  return true;
}

/** From Running to Paused, with sends the driver may still hold, and a send and a frame that cross the pause. */
export function* pause(stage: Stage, adapter: Adapter): Coroutine<void> {
  sendWhilePausing(stage, adapter);
  adapter.device?.receive(frame(10, 300));
  yield* send(stage, adapter, [18, 60], [19, 700]);
  yield* stage.ndis.lifecycle.pause(adapter);
  yield* frameWhilePaused(stage, adapter);
}

/**
 * The same without a breath: between the pause and the halt the protocols unbind, and no time passes. A direct OID is among what
 * they ask then, as those are that take offloads back (assumed: no page says when the last one comes).
 */
export function* comeDownAtOnce(stage: Stage, adapter: Adapter, action: HaltActionName): Coroutine<void> {
  if (adapter.state === 'Running') {
    yield* stage.ndis.lifecycle.pause(adapter);
    yield* oids(stage, adapter, unbindingOids);
    yield* stage.ndis.oids.request(adapter, privateOid, 'direct');
  }
  yield* stage.ndis.lifecycle.halt(adapter, adapter.removalRequested ? 'DeviceFailed' : action);
}

/** Out of Paused or Running: pause and halt. A driver that called NdisMRemoveMiniport is halted as failed, whatever was planned. */
export function* comeDown(stage: Stage, adapter: Adapter, action: HaltActionName): Coroutine<void> {
  if (adapter.state === 'Running') {
    yield* oids(stage, adapter, closingOids);
    yield* pause(stage, adapter);
  }
  yield* interruptBeforeHalt(stage, adapter);
  // Only a device that has gone is halted as surprise-removed.
  if (action === 'DeviceSurpriseRemoved') adapter.device?.remove();
  yield* stage.ndis.lifecycle.halt(adapter, adapter.removalRequested ? 'DeviceFailed' : action);
}

/** The whole life of an adapter that was initialized. */
export function* workAndComeDown(stage: Stage, adapter: Adapter, action: HaltActionName): Coroutine<void> {
  yield* start(stage, adapter);
  yield* comeDown(stage, adapter, action);
}

export function* oids(stage: Stage, adapter: Adapter, requests: readonly OidRequest[]): Coroutine<void> {
  const medium = adapter.generalAttributes?.mediaType;
  for (const request of asked(medium, requests)) yield* stage.ndis.oids.request(adapter, request);
}

/** Some frames each way, with time for them to travel. */
export function* traffic(stage: Stage, adapter: Adapter): Coroutine<void> {
  yield* oids(stage, adapter, runningOids);
  for (const path of ['direct', 'synchronous'] as const) yield* stage.ndis.oids.request(adapter, privateOid, path);
  yield* send(stage, adapter, [1, 60], [2, 1514]);
  yield* breathe(stage);
  for (let number = 3; number <= 6; number++) adapter.device?.receive(frame(number, 60 + 100 * number));
  yield* breathe(stage);
  yield* send(stage, adapter, [7, 590]);
  yield* breathe(stage);
  yield* sendAndCancel(stage, adapter);
  yield* cableOutAndIn(stage, adapter);
}

/** A protocol takes back what it has just sent, as far as the driver still queues it, and nothing else. */
function* sendAndCancel(stage: Stage, adapter: Adapter): Coroutine<void> {
  const { dataPath } = stage.ndis;
  const frames = [20, 21].map((number) => outgoing(adapter.generalAttributes?.mediaType, number, 250));
  yield* dataPath.send(adapter, frames, { level: 'dispatch', cancelId: CANCEL_ID });
  yield* send(stage, adapter, [22, 300]);
  yield* dataPath.cancelSends(adapter, CANCEL_ID);
  yield* breathe(stage);
}

/** Frames from the protocols, each with its number and length. */
export function* send(
  stage: Stage,
  adapter: Adapter,
  ...frames: readonly (readonly [number: number, length: number])[]
): Coroutine<void> {
  const medium = adapter.generalAttributes?.mediaType;
  yield* stage.ndis.dataPath.send(
    adapter,
    frames.map(([number, length]) => outgoing(medium, number, length)),
  );
}

/** Long enough for a driver that lets the link settle before it believes it. */
function* cableOutAndIn(stage: Stage, { device }: Adapter): Coroutine<void> {
  if (device === undefined) return;
  device.cable(false);
  yield* breathe(stage, 2 * BREATH);
  device.cable(true);
  yield* breathe(stage, 2 * BREATH);
}

/** The wire does not know that the adapter is paused, nor do the driver's timers. */
function* frameWhilePaused(stage: Stage, { device }: Adapter): Coroutine<void> {
  device?.receive(frame(8, 200));
  yield* breathe(stage);
}

/**
 * A protocol whose send crosses the pause: it meets the adapter Pausing, if the pause takes any time. Not before MiniportPause
 * has returned: a send that comes while the routine still runs may be taken for an earlier one.
 */
function sendWhilePausing({ kernel, ndis }: Stage, adapter: Adapter): void {
  kernel.scheduler.startWaiting(
    'protocol',
    (function* (): Coroutine<void> {
      yield {
        kind: 'wait',
        what: 'the pause to begin',
        ready: () => adapter.pause?.pended === true,
        follows: 'system',
      };
      yield* ndis.dataPath.send(adapter, [outgoing(adapter.generalAttributes?.mediaType, 9, 100)], {
        whilePausing: true,
      });
    })(),
  );
}

/** The hardware has something to say just before the end: what the driver starts for it is under way when it halts. */
function* interruptBeforeHalt(stage: Stage, { device }: Adapter): Coroutine<void> {
  if (device === undefined) return;
  device.provoke();
  yield* breathe(stage, MILLISECOND);
}

export function* breathe(stage: Stage, time: number = BREATH): Coroutine<void> {
  const until = (stage.kernel.clock.now + time) as VirtualTime;
  yield { kind: 'wait', what: 'time to pass', ready: () => stage.kernel.clock.now >= until, deadline: until };
}

export function mark(stage: Stage, what: string, detail: Readonly<Record<string, Value>>): void {
  stage.kernel.trace.emit({ kind: 'fact', what, detail });
}
