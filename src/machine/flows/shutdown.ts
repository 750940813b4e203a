/** flow-shutdown-poweroff. A crash of the system may come anywhere: it is a disturbance (scenario.ts). Page: network/miniport-adapter-shutdown. */
import type { Play } from './stage.ts';
import { initialize, start } from './steps.ts';

/** Nothing follows: no halt, and nothing need be given back. */
export const shutdown: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  yield* start(stage, adapter);
  yield* stage.ndis.lifecycle.shutdown(adapter);
};
