/** Timer callbacks beside halt. */
import type { Coroutine, Wdk } from '../../src/index.ts';
import {
  type Adapter,
  adapterAt,
  cancelTimer,
  freeTimer,
  raceMiniport,
  setDone,
  setTimer,
  startTimer,
  waitDone,
} from './adapter.ts';
import type { RaceCase } from './case.ts';

const calledBack = (wdk: Wdk) =>
  function* Tick({ FunctionContext }: { FunctionContext: number }): Coroutine<void> {
    const adapter = adapterAt(wdk, FunctionContext);
    adapter.Count++;
    yield* setDone(wdk, adapter);
  };

const begin = (wdk: Wdk, adapter: Adapter) => startTimer(wdk, adapter, calledBack(wdk) as never);

/** NdisCancelTimerObject says FALSE, and nobody listens. */
const cancelIgnored: RaceCase = {
  name: 'timer: FALSE from the cancel is ignored',
  beside: 'NetTimerCallback',
  rules: ['halt-returns-with-timer-callback', 'memory-use-after-free', 'timer-freed-while-active'],
  race: raceMiniport({
    begin,
    *end(wdk, adapter) {
      yield* cancelTimer(wdk, adapter);
      yield* freeTimer(wdk, adapter);
    },
  }),
  clean: raceMiniport({
    begin,
    *end(wdk, adapter) {
      if (!(yield* cancelTimer(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* wdk.KeFlushQueuedDpcs();
      yield* freeTimer(wdk, adapter);
    },
  }),
};

/** The callback says that it is done, and then touches the adapter once more. */
const doneTooEarly: RaceCase = {
  name: 'timer: the callback signals before its last access',
  beside: 'NetTimerCallback',
  rules: ['memory-use-after-free', 'halt-returns-with-timer-callback', 'timer-freed-while-active'],
  race: raceMiniport({
    begin: (wdk, adapter) =>
      startTimer(wdk, adapter, function* Tick({ FunctionContext }) {
        const late = adapterAt(wdk, FunctionContext);
        yield* setDone(wdk, late);
        late.Count++;
      }),
    *end(wdk, adapter) {
      if (!(yield* cancelTimer(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* freeTimer(wdk, adapter);
    },
  }),
  clean: raceMiniport({
    begin,
    *end(wdk, adapter) {
      if (!(yield* cancelTimer(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* wdk.KeFlushQueuedDpcs();
      yield* freeTimer(wdk, adapter);
    },
  }),
};

const again = (wdk: Wdk, locked: boolean) =>
  function* Tick({ FunctionContext }: { FunctionContext: number }): Coroutine<void> {
    const adapter = adapterAt(wdk, FunctionContext);
    const rearm = function* (): Coroutine<boolean> {
      if (adapter.Stopping !== 0) return false;
      yield* setTimer(wdk, adapter);
      return true;
    };
    const armed = locked ? yield* wdk.locked(adapter.Lock, rearm) : yield* rearm();
    if (!armed) yield* setDone(wdk, adapter);
  };

/** The callback looks whether it may set its timer again, halt says no and cancels, and then the callback sets it. */
const checkThenSet: RaceCase = {
  name: 'timer: the callback checks and then sets itself again',
  beside: 'NetTimerCallback',
  rules: ['timer-freed-while-active', 'halt-leaves-timer-set', 'timer-set-after-free', 'memory-use-after-free'],
  race: raceMiniport({
    begin: (wdk, adapter) => startTimer(wdk, adapter, again(wdk, false) as never),
    *end(wdk, adapter) {
      adapter.Stopping = 1;
      yield* cancelTimer(wdk, adapter);
      yield* wdk.KeFlushQueuedDpcs();
      yield* freeTimer(wdk, adapter);
    },
  }),
  clean: raceMiniport({
    begin: (wdk, adapter) => startTimer(wdk, adapter, again(wdk, true) as never),
    *end(wdk, adapter) {
      yield* wdk.locked(adapter.Lock, () => {
        adapter.Stopping = 1;
      });
      yield* cancelTimer(wdk, adapter);
      yield* wdk.KeFlushQueuedDpcs();
      yield* freeTimer(wdk, adapter);
    },
  }),
};

const both = (wdk: Wdk, first: 'Lock' | 'Other') =>
  function* Tick({ FunctionContext }: { FunctionContext: number }): Coroutine<void> {
    const adapter = adapterAt(wdk, FunctionContext);
    const second = first === 'Lock' ? 'Other' : 'Lock';
    yield* wdk.locked(adapter[first], () =>
      wdk.locked(adapter[second], () => {
        adapter.Count++;
      }),
    );
  };

function* endWithBothLocks(wdk: Wdk, adapter: Adapter): Coroutine<void> {
  yield* wdk.locked(adapter.Lock, () =>
    wdk.locked(adapter.Other, () => {
      adapter.Stopping = 1;
    }),
  );
  yield* cancelTimer(wdk, adapter);
  yield* wdk.KeFlushQueuedDpcs();
  yield* freeTimer(wdk, adapter);
}

/** Halt takes Lock and then Other, the callback Other and then Lock. */
const lockOrder: RaceCase = {
  name: 'timer: two locks in two orders',
  beside: 'NetTimerCallback',
  rules: ['lock-order-inverted', 'halt-hang', 'driver-hang'],
  race: raceMiniport({
    begin: (wdk, adapter) => startTimer(wdk, adapter, both(wdk, 'Other') as never),
    end: endWithBothLocks,
  }),
  clean: raceMiniport({
    begin: (wdk, adapter) => startTimer(wdk, adapter, both(wdk, 'Lock') as never),
    end: endWithBothLocks,
  }),
};

export const timerRaces: readonly RaceCase[] = [cancelIgnored, doneTooEarly, checkThenSet, lockOrder];
