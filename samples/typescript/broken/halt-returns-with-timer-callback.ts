/** Broken on purpose: when the one-shot timer cannot be cancelled any more, halt does not wait for its callback. */
import { nicMiniport } from '../nic/driver.ts';
import { timers } from '../nic/timers.ts';

export default nicMiniport({
  timers: {
    ...timers,
    *stop(nic, adapter) {
      const { wdk } = nic;
      yield* wdk.locked(adapter.Lock, () => {
        adapter.TimersOn = false;
      });
      yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.PollTimer });
      // FALSE is taken for "it was not set".
      yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.WatchdogTimer });
    },
  },
});
