/**
 * More traffic than a driver has room for: its rings, queues and pools are full for once, and what it does then counts. No page
 * bounds how much the protocols or the wire may have for an adapter at once.
 */

import { frame } from '../traffic.ts';
import type { Play } from './stage.ts';
import { BREATH, breathe, comeDown, initialize, send, start } from './steps.ts';

/** More than the few hundred descriptors of a usual ring (assumed); a driver with more is not filled. */
const FRAMES = 600;

const numbered = (length: number) => Array.from({ length: FRAMES }, (_, i) => [i, length] as const);

export const burst: Play = function* (stage, adapter) {
  if (!(yield* initialize(stage, adapter))) return;
  if (yield* start(stage, adapter)) {
    yield* send(stage, adapter, ...numbered(60));
    for (let i = 0; i < FRAMES; i++) adapter.device?.receive(frame(i, 60));
    yield* breathe(stage, 4 * BREATH);
  }
  yield* comeDown(stage, adapter, stage.scenario.haltAction);
};
