/**
 * An adapter is initialized again: after a rebalance of resources, after sleep, after a MiniportInitializeEx that failed. The
 * driver stays loaded, so what it keeps in static memory or in its MiniportAddDevice context is as it left it. Pages:
 * network/stopping-a-nic, network/power-management-for-old-miniport-drivers.
 */
import type { Play } from './stage.ts';
import { breathe, initialize, workAndComeDown } from './steps.ts';

/** flow-stop-start. */
export const stopStart: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  yield* workAndComeDown(stage, adapter, 'DeviceStopped');
  stage.rebalance(adapter);
  if (yield* initialize(stage, adapter)) yield* workAndComeDown(stage, adapter, stage.scenario.haltAction);
};

/** flow-power-halt: what a miniport goes through that NDIS has to halt for sleep. */
export const powerHalt: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  yield* workAndComeDown(stage, adapter, 'DevicePoweredDown');
  stage.ndis.power.off(adapter);
  yield* breathe(stage);
  stage.ndis.power.on(adapter);
  if (yield* initialize(stage, adapter)) yield* workAndComeDown(stage, adapter, stage.scenario.haltAction);
};

/** flow-init-fail-retry: a failed MiniportInitializeEx, then one that should succeed. */
export const initRetry: Play = function* (stage, adapter) {
  const up = (yield* initialize(stage, adapter)) || (yield* initialize(stage, adapter));
  if (up) yield* workAndComeDown(stage, adapter, stage.scenario.haltAction);
};
