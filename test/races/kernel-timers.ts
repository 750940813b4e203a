/** A KTIMER whose KDPC lies in the adapter's memory. */
import type { Coroutine, Wdk } from '../../src/index.ts';
import { type Adapter, adapterAt, raceMiniport, setDone, waitDone } from './adapter.ts';
import type { RaceCase } from './case.ts';

const DueTime = -10_000 * 2000;

function* begin(wdk: Wdk, adapter: Adapter): Coroutine<void> {
  const Timer = adapter.KernelTimer.address;
  const Dpc = adapter.Dpc.address;
  yield* wdk.KeInitializeTimer({ Timer });
  yield* wdk.KeInitializeDpc({
    Dpc,
    DeferredRoutine: function* Tick({ DeferredContext }: { DeferredContext: number }): Coroutine<void> {
      yield* setDone(wdk, adapterAt(wdk, DeferredContext));
    } as never,
    DeferredContext: adapter.address,
  });
  yield* wdk.KeSetTimer({ Timer, DueTime, Dpc });
}

const cancel = (wdk: Wdk, { KernelTimer }: Adapter): Coroutine<boolean> =>
  wdk.KeCancelTimer({ Timer: KernelTimer.address }) as Coroutine<boolean>;

/** KeCancelTimer takes the timer out of its queue, not the DPC out of another processor's. */
const dpcForgotten: RaceCase = {
  name: 'kernel timer: its DPC is forgotten',
  beside: 'CustomTimerDpc',
  rules: ['halt-leaks-dpc', 'memory-use-after-free', 'driver-bugcheck', 'memory-freed-with-live-object'],
  race: raceMiniport({
    begin,
    *end(wdk, adapter) {
      yield* cancel(wdk, adapter);
    },
  }),
  clean: raceMiniport({
    begin,
    *end(wdk, adapter) {
      if (!(yield* cancel(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* wdk.KeFlushQueuedDpcs();
    },
  }),
};

export const kernelTimerRaces: readonly RaceCase[] = [dpcForgotten];
