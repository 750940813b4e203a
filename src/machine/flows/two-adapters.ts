/**
 * flow-multi-adapter: two adapters of one driver, each with its own device. One goes while the other works on. Where the second
 * cannot be initialized, the first must not notice.
 */
import type { Coroutine } from '../../kernel/scheduler.ts';
import type { Adapter } from '../../ndis/adapter.ts';
import { NDIS_STATUS_SUCCESS } from '../../ndis/status.ts';
import type { Play, Stage } from './stage.ts';
import { comeDown, initialize, start, traffic } from './steps.ts';

function* goes(stage: Stage, adapter: Adapter): Coroutine<void> {
  yield* comeDown(stage, adapter, stage.scenario.haltAction);
  yield* stage.ndis.lifecycle.removeDevice(adapter);
}

/** Which of them goes first. */
const twoAdapters = (leaver: 'first' | 'second'): Play =>
  function* (stage, first) {
    if (!(yield* initialize(stage, first))) return;
    const running = yield* start(stage, first);
    const second = stage.addAdapter(first.driver);
    const added = (yield* stage.ndis.lifecycle.addDevice(second)) === NDIS_STATUS_SUCCESS;
    if (!added || !(yield* initialize(stage, second))) {
      if (running) yield* traffic(stage, first);
      yield* comeDown(stage, first, stage.scenario.haltAction);
      yield* stage.ndis.lifecycle.removeDevice(second);
      return;
    }
    yield* start(stage, second);
    const [one, other] = leaver === 'first' ? [first, second] : [second, first];
    yield* goes(stage, one);
    if (other.state === 'Running') yield* traffic(stage, other);
    yield* goes(stage, other);
  };

export const firstGoes = twoAdapters('first');
export const secondGoes = twoAdapters('second');
