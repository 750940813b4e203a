/** Broken on purpose: halt frees the work item, or gives it up, without waiting for what is queued. */
import { nicMiniport } from '../nic/driver.ts';
import { workItems } from '../nic/work-items.ts';

export default nicMiniport({
  workItems: {
    ...workItems,
    *stop(nic, adapter) {
      yield* nic.wdk.locked(adapter.Lock, () => {
        adapter.WorkOn = false;
      });
      // pending.wait is missing.
    },
    *release(nic, adapter) {
      // It knows better than to free a work item that is queued.
      if (!adapter.WorkQueued) yield* workItems.release(nic, adapter);
    },
  },
});
