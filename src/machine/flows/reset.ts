/**
 * The adapter is reset before it goes. Why NDIS resets (a check for hang, an OID request that takes too long) does not matter to
 * what follows. Pages: network/miniport-adapter-check-for-hang-and-reset-operations, network/hardware-reset.
 */
import type { Coroutine } from '../../kernel/scheduler.ts';
import type { Adapter } from '../../ndis/adapter.ts';
import { SECOND } from '../../trace/units.ts';
import { frame } from '../traffic.ts';
import type { Play, Stage } from './stage.ts';
import { breathe, comeDown, comeDownAtOnce, initialize, send, start, traffic } from './steps.ts';

/** With sends and frames under way; gives its thread. */
function* beginReset(stage: Stage, adapter: Adapter): Coroutine<{ readonly done: boolean }> {
  if (adapter.state === 'Running') yield* send(stage, adapter, [16, 300], [17, 900]);
  adapter.device?.receive(frame(18, 250));
  return stage.kernel.scheduler.startThread('NDIS reset', stage.ndis.resets.reset(adapter));
}

const theEndOf = (resetting: { readonly done: boolean }) =>
  ({ kind: 'wait', what: 'the reset to end', ready: () => resetting.done, follows: 'system' }) as const;

/** flow-reset-then-halt: reset, more traffic, and both once more, for what the first reset left; then the usual end. */
export const reset: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  const running = yield* start(stage, adapter);
  for (let times = 0; times < 2; times++) {
    yield theEndOf(yield* beginReset(stage, adapter));
    yield* breathe(stage);
    if (running) yield* traffic(stage, adapter);
  }
  yield* comeDown(stage, adapter, stage.scenario.haltAction);
};

/** flow-reset-then-halt with the pause inside the reset: the driver completes them in any order. */
export const resetWhilePausing: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  const running = yield* start(stage, adapter);
  const resetting = yield* beginReset(stage, adapter);
  if (running) {
    const begun = () => adapter.reset?.pended === true || resetting.done;
    // The pause comes while the reset is pending, where the driver lets it pend.
    yield { kind: 'wait', what: 'the reset to begin', ready: begun, follows: 'system' };
    yield* stage.ndis.lifecycle.pause(adapter);
  }
  yield theEndOf(resetting);
  // No time passes: whoever has completed the reset may still be on the way out of the driver.
  yield* comeDownAtOnce(stage, adapter, stage.scenario.haltAction);
};

/** The adapter runs for long enough that NDIS asks a few times whether its NIC hangs. */
export const hangChecks: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  const running = yield* start(stage, adapter);
  yield* breathe(stage, 3 * (adapter.checkForHangSeconds || 2) * SECOND);
  if (running && adapter.state === 'Running') yield* traffic(stage, adapter);
  yield* comeDown(stage, adapter, stage.scenario.haltAction);
};

/** As in flow-surprise-removal, but NDIS asks for a hang, and resets where the driver says so, before the bus has noticed. */
export const hangWhenGone: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  const running = yield* start(stage, adapter);
  adapter.device?.remove();
  yield* breathe(stage, 1.5 * (adapter.checkForHangSeconds || 2) * SECOND);
  yield* stage.ndis.lifecycle.surpriseRemoved(adapter);
  if (running) yield* stage.ndis.lifecycle.pause(adapter);
  yield* comeDown(stage, adapter, 'DeviceSurpriseRemoved');
};
