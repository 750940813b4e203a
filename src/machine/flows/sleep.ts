/** Sleep without a halt. Page: network/oid-pnp-set-power. */
import type { Coroutine } from '../../kernel/scheduler.ts';
import type { Adapter } from '../../ndis/adapter.ts';
import { isPausedForSleep } from '../../ndis/power.ts';
import { NDIS_STATUS_SUCCESS } from '../../ndis/status.ts';
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
