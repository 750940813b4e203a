/** Broken on purpose: halt does not cancel the periodic timer, nor does it free it. */
import { nicMiniport } from '../nic/driver.ts';
import { timers } from '../nic/timers.ts';

export default nicMiniport({
  timers: {
    ...timers,
    *stop(nic, adapter) {
      yield* nic.wdk.locked(adapter.Lock, () => {
        adapter.TimersOn = false;
      });
      if (yield* nic.wdk.NdisCancelTimerObject({ TimerObject: adapter.WatchdogTimer })) {
        yield* nic.wdk.locked(adapter.Lock, () => nic.parts.pending.remove(nic, adapter.WatchdogCallbacks, 1));
      }
      yield* nic.parts.pending.wait(nic, adapter, adapter.WatchdogCallbacks);
      yield* nic.wdk.KeFlushQueuedDpcs();
      // adapter.PollTimer is missing.
    },
    *release(nic, adapter) {
      if (!adapter.Halting) return yield* timers.release(nic, adapter);
      yield* nic.wdk.NdisFreeTimerObject({ TimerObject: adapter.WatchdogTimer });
    },
  },
});
