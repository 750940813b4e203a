/** Work items beside halt: a timer queues them, so that they can be under way. */
import { type Coroutine, NULL, type Wdk } from '../../src/index.ts';
import {
  type Adapter,
  adapterAt,
  cancelTimer,
  free,
  freeTimer,
  raceMiniport,
  setDone,
  startTimer,
  TAG,
  waitDone,
} from './adapter.ts';
import type { RaceCase } from './case.ts';

type Work = (wdk: Wdk, adapter: Adapter) => Coroutine<void>;

const beginWith = (work: Work) =>
  function* (wdk: Wdk, adapter: Adapter): Coroutine<void> {
    adapter.WorkItem = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: adapter.AdapterHandle });
    adapter.Buffer = yield* wdk.NdisAllocateMemoryWithTagPriority({
      NdisHandle: adapter.AdapterHandle,
      Length: 64,
      Tag: TAG,
      Priority: 16,
    });
    yield* startTimer(wdk, adapter, function* Tick({ FunctionContext }) {
      yield* wdk.NdisQueueIoWorkItem({
        NdisIoWorkItemHandle: adapterAt(wdk, FunctionContext).WorkItem,
        Routine: function* DoWork({ WorkItemContext }) {
          yield* work(wdk, adapterAt(wdk, WorkItemContext));
        },
        WorkItemContext: FunctionContext,
      });
    });
  };

function* stopTimer(wdk: Wdk, adapter: Adapter): Coroutine<boolean> {
  const cancelled = yield* cancelTimer(wdk, adapter);
  yield* wdk.KeFlushQueuedDpcs();
  yield* freeTimer(wdk, adapter);
  return cancelled;
}

function* release(wdk: Wdk, adapter: Adapter): Coroutine<void> {
  yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
  if (adapter.Buffer !== NULL) yield* free(wdk, adapter.Buffer);
}

function* count(wdk: Wdk, adapter: Adapter): Coroutine<void> {
  adapter.Count++;
  yield* setDone(wdk, adapter);
}

const notAwaited: RaceCase = {
  name: 'work item: halt does not wait for it',
  beside: 'NDIS work item',
  rules: ['halt-returns-with-async-work', 'memory-use-after-free', 'work-item-freed-while-queued', 'driver-bugcheck'],
  race: raceMiniport({
    begin: beginWith(count),
    *end(wdk, adapter) {
      yield* stopTimer(wdk, adapter);
      yield* release(wdk, adapter);
    },
  }),
  clean: raceMiniport({
    begin: beginWith(count),
    *end(wdk, adapter) {
      if (!(yield* stopTimer(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* release(wdk, adapter);
    },
  }),
};

const signalsEarly: RaceCase = {
  name: 'work item: it signals before its last access',
  beside: 'NDIS work item',
  rules: ['memory-use-after-free', 'halt-returns-with-async-work'],
  race: raceMiniport({
    begin: beginWith(function* (wdk, adapter) {
      yield* setDone(wdk, adapter);
      adapter.Count++;
    }),
    *end(wdk, adapter) {
      if (!(yield* stopTimer(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* release(wdk, adapter);
    },
  }),
  clean: notAwaited.clean,
};

/** Who finds the buffer frees it. */
const freeBuffer = (locked: boolean): Work =>
  function* (wdk, adapter) {
    const take = (): number => {
      const { Buffer } = adapter;
      adapter.Buffer = NULL;
      return Buffer;
    };
    if (locked) {
      const buffer = yield* wdk.locked(adapter.Lock, take);
      if (buffer !== NULL) yield* free(wdk, buffer);
      return;
    }
    const { Buffer } = adapter;
    if (Buffer === NULL) return;
    yield* free(wdk, Buffer);
    adapter.Buffer = NULL;
  };

const freedTwice = (locked: boolean) =>
  raceMiniport({
    begin: beginWith(function* (wdk, adapter) {
      yield* freeBuffer(locked)(wdk, adapter);
      yield* setDone(wdk, adapter);
    }),
    *end(wdk, adapter) {
      yield* freeBuffer(locked)(wdk, adapter);
      if (!(yield* stopTimer(wdk, adapter))) yield* waitDone(wdk, adapter);
      yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
    },
  });

const checkThenFree: RaceCase = {
  name: 'work item: both look and both free',
  beside: 'NDIS work item',
  rules: ['memory-double-free', 'memory-use-after-free'],
  race: freedTwice(false),
  clean: freedTwice(true),
};

/** Two users of the adapter count themselves out; the last one says so. The count is read, and written a call later. */
const countedOut = (locked: boolean) => {
  const leave: Work = function* (wdk, adapter) {
    const down = function* (): Coroutine<number> {
      const left = adapter.Count - 1;
      yield* wdk.KeGetCurrentThread();
      adapter.Count = left;
      return left;
    };
    const left = locked ? yield* wdk.locked(adapter.Lock, down) : yield* down();
    if (left === 0) yield* setDone(wdk, adapter);
  };
  return raceMiniport({
    *begin(wdk, adapter) {
      adapter.Count = 2;
      yield* beginWith(leave)(wdk, adapter);
    },
    *end(wdk, adapter) {
      yield* leave(wdk, adapter);
      if (yield* stopTimer(wdk, adapter)) yield* leave(wdk, adapter);
      yield* waitDone(wdk, adapter);
      yield* release(wdk, adapter);
    },
  });
};

const lostUpdate: RaceCase = {
  name: 'work item: a count loses an update',
  beside: 'NDIS work item',
  rules: ['halt-hang'],
  race: countedOut(false),
  clean: countedOut(true),
};

export const workItemRaces: readonly RaceCase[] = [notAwaited, signalsEarly, checkThenFree, lostUpdate];
