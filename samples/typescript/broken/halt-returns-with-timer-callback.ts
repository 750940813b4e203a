/** Broken on purpose: when the one-shot timer cannot be cancelled any more, halt does not wait for its callback. */
import { nicMiniport } from '../nic/driver.ts';
import { timers } from '../nic/timers.ts';

export default nicMiniport({
  timers: {
    ...timers,
    *stop(nic, adapter) {
      const { wdk, parts } = nic;
      yield* wdk.locked(adapter.Lock, () => {
        adapter.TimersOn = false;
      });
      yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.PollTimer });
      if (yield* wdk.NdisCancelTimerObject({ TimerObject: adapter.WatchdogTimer })) {
        yield* wdk.locked(adapter.Lock, () => parts.pending.remove(nic, adapter.WatchdogCallbacks, 1));
      }
      // pending.wait is missing.
    },
    *release(nic, adapter) {
      if (adapter.WatchdogCallbacks.Count === 0) return yield* timers.release(nic, adapter);
      // It knows better than to free a timer whose callback runs, and leaves it.
      yield* nic.wdk.NdisFreeTimerObject({ TimerObject: adapter.PollTimer });
    },
  },
});
