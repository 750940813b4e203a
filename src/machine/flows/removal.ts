/** An adapter goes for good. Pages: network/removing-a-nic, network/processing-the-surprise-removal-of-a-nic--windows-7-and-later-versions-. */
import { closingOids } from '../traffic.ts';
import type { Play } from './stage.ts';
import { breathe, comeDown, comeDownAtOnce, initialize, oids, send, start, workAndComeDown } from './steps.ts';

/** flow-normal-remove; with the halt action DeviceFailed, flow-halt-device-failed for a driver that does not ask for it itself. */
export const normalRemove: Play = function* (stage, adapter) {
  if (yield* initialize(stage, adapter)) yield* workAndComeDown(stage, adapter, stage.scenario.haltAction);
};

/** The same, and the halt follows the pause at once. */
export const promptHalt: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  yield* start(stage, adapter);
  yield* comeDownAtOnce(stage, adapter, stage.scenario.haltAction);
};

/** flow-init-halt: NDIS could not finish what MiniportInitializeEx had begun well. */
export const initHalt: Play = function* (stage, adapter) {
  if (yield* initialize(stage, adapter)) yield* stage.ndis.lifecycle.halt(adapter, 'DeviceInitializationFailed');
};

/**
 * flow-surprise-removal in the order of Windows 7 and later. The bus notices a while after the device has gone; requests and
 * sends that were on their way still come between the event and the pause. Windows Vista's order differs for drivers below
 * NDIS only.
 */
export const surpriseRemoval: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  const running = yield* start(stage, adapter);
  if (running) yield* send(stage, adapter, [11, 400], [12, 800]);
  adapter.device?.remove();
  yield* breathe(stage);
  if (running) yield* send(stage, adapter, [13, 60]);
  yield* stage.ndis.lifecycle.surpriseRemoved(adapter);
  yield* oids(stage, adapter, closingOids);
  if (running) {
    yield* send(stage, adapter, [14, 200]);
    yield* stage.ndis.lifecycle.pause(adapter);
  }
  yield* comeDown(stage, adapter, 'DeviceSurpriseRemoved');
};
