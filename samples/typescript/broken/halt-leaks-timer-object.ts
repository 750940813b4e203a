/** Broken on purpose: halt cancels both timers and frees only one of them. */
import { nicMiniport } from '../nic/driver.ts';
import { timers } from '../nic/timers.ts';

export default nicMiniport({
  timers: {
    ...timers,
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* timers.release(nic, adapter);
      yield* nic.wdk.NdisFreeTimerObject({ TimerObject: adapter.PollTimer });
    },
  },
});
