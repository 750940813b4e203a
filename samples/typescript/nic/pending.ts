/** Counting what is under way, and waiting until nothing is. */
import type { Coroutine } from 'haltex';
import type { Adapter, Nic, Pending } from './adapter.ts';

export const pending = {
  *initialize({ wdk }: Nic, what: Pending): Coroutine<void> {
    what.Count = 0;
    yield* wdk.NdisInitializeEvent({ Event: what.None.address });
    yield* wdk.NdisSetEvent({ Event: what.None.address });
  },

  /** The caller holds Lock. */
  *add({ wdk }: Nic, what: Pending, count: number): Coroutine<void> {
    if (what.Count === 0) yield* wdk.NdisResetEvent({ Event: what.None.address });
    what.Count += count;
  },

  /** The caller holds Lock. True when nothing is left. */
  *remove({ wdk }: Nic, what: Pending, count: number): Coroutine<boolean> {
    what.Count -= count;
    if (what.Count !== 0) return false;
    yield* wdk.NdisSetEvent({ Event: what.None.address });
    return true;
  },

  /**
   * PASSIVE_LEVEL. Who sets the event does so with Lock held; taking it once after the wait makes sure that he has let go of
   * it, so that the adapter may be freed.
   */
  *wait({ wdk }: Nic, adapter: Adapter, what: Pending): Coroutine<void> {
    yield* wdk.NdisWaitEvent({ Event: what.None.address, MsToWait: 0 });
    yield* wdk.locked(adapter.Lock, () => {});
  },
};
