/** Sleep without a halt. Pages: network/oid-pnp-set-power, network/canceling-the-ndis-selective-suspend-idle-notification. */
import type { Coroutine } from '../../kernel/scheduler.ts';
import type { Adapter } from '../../ndis/adapter.ts';
import { isPausedForSleep } from '../../ndis/power.ts';
import { NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS } from '../../ndis/status.ts';
import type { Play, Stage } from './stage.ts';
import { breathe, comeDown, initialize, pause, send, start, traffic } from './steps.ts';

/** Gives whether the stack was paused for it. */
function* fallAsleep(stage: Stage, adapter: Adapter): Coroutine<boolean> {
  const running = adapter.state === 'Running';
  const paused = running && isPausedForSleep(adapter);
  if (paused) yield* pause(stage, adapter);
  yield* stage.ndis.power.sleep(adapter);
  // Timers, DPCs and interrupts that were not stopped have their turn now.
  yield* breathe(stage);
  if (running && !paused) yield* send(stage, adapter, [15, 120]);
  return paused;
}

/** flow-power-oid. */
export const powerOid: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  const running = yield* start(stage, adapter);
  const paused = yield* fallAsleep(stage, adapter);
  yield* stage.ndis.power.wake(adapter);
  const again = paused ? (yield* stage.ndis.lifecycle.restart(adapter)) === NDIS_STATUS_SUCCESS : running;
  if (again) yield* traffic(stage, adapter);
  yield* comeDown(stage, adapter, stage.scenario.haltAction);
};

/** flow-power-oid, ended in D3: the bus cannot give the power back, so the adapter is halted as failed (contract.md G1). */
export const powerFails: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  yield* start(stage, adapter);
  yield* fallAsleep(stage, adapter);
  if (adapter.state === 'Running') yield* stage.ndis.lifecycle.pause(adapter);
  yield* stage.ndis.lifecycle.halt(adapter, 'DeviceFailed');
};

/**
 * NDIS finds the adapter idle. Where the driver does not veto, the adapter loses its power once the driver confirms; then a
 * protocol wants to send, so NDIS cancels the notification and gives the power back when the driver has completed it.
 */
export const selectiveSuspend: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  if ((yield* start(stage, adapter)) && (yield* suspended(stage, adapter))) yield* traffic(stage, adapter);
  yield* comeDown(stage, adapter, stage.scenario.haltAction);
};

function* suspended(stage: Stage, adapter: Adapter): Coroutine<boolean> {
  const { idleNotifications, power } = stage.ndis;
  if ((yield* idleNotifications.notify(adapter, false)) !== NDIS_STATUS_PENDING) return false;
  yield* breathe(stage);
  const asleep = idleNotifications.isConfirmed(adapter.handle);
  if (asleep) yield* power.sleep(adapter);
  yield* breathe(stage);
  yield* idleNotifications.cancel(adapter);
  if (asleep) yield* power.wake(adapter);
  return true;
}
