import { describe, expect, it } from 'vitest';
import { type Address, at, MILLISECOND, NULL } from '../trace/units.ts';
import { WatchedMemory } from '../x64/watched-memory.ts';
import { KDPC } from './dpcs.ts';
import { type Coroutine, POINT } from './scheduler.ts';
import { testKernel } from './testing.ts';

/** What a pattern is given: the block that goes, and room for what orders it, elsewhere. */
function machine() {
  const made = testKernel({ processors: 2, memory: new WatchedMemory(23) });
  const { kernel, wdk } = made;
  const block = kernel.heap.allocate(64, 'the block', { fill: 0 });
  const room = kernel.heap.allocate(0x200, 'room', { fill: 0 });
  const sleep = (count: number): Coroutine<unknown> =>
    wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -count * MILLISECOND } });
  const touch = (offset = 0) => kernel.memory.writeU32(at(block, offset), 7);
  return { ...made, memory: kernel.memory, block, room, sleep, touch };
}
type Machine = ReturnType<typeof machine>;

/** Whether the free is told: `other` runs in a thread of its own, `before` in the one that frees, behind a while. */
function told(other: (m: Machine) => Coroutine<void>, before: (m: Machine) => Coroutine<void>): boolean {
  const m = machine();
  m.run(function* () {
    const thread = m.kernel.scheduler.startThread('other', other(m));
    yield* m.sleep(5);
    yield* before(m);
    m.kernel.heap.free(m.block);
    expect(thread.done).toBe(true);
  });
  return m.kernel.trace.events.some((event) => event.kind === 'fact' && event.what === 'freed-without-order');
}

function* nothing(): Coroutine<void> {}

describe('is told: the free does not come after the last access', () => {
  it('by nothing at all, or by time alone', () => {
    expect(
      told(function* ({ touch }) {
        touch();
      }, nothing),
    ).toBe(true);
    expect(
      told(
        function* ({ touch }) {
          touch();
        },
        function* ({ sleep }) {
          yield* sleep(1000);
        },
      ),
    ).toBe(true);
  });

  it('where the signal comes before it', () => {
    expect(
      told(
        function* ({ wdk, room, touch }) {
          yield* wdk.KeInitializeEvent({ Event: room, Type: 0, State: false });
          touch();
          yield* wdk.KeSetEvent({ Event: room, Increment: 0, Wait: false });
          touch();
        },
        function* ({ kernel, room }) {
          yield* kernel.dispatcher.wait([room]);
        },
      ),
    ).toBe(true);
  });

  it('where the flag does', () => {
    expect(
      told(
        function* ({ memory, room, touch }) {
          memory.writeU32(room, 1);
          touch();
        },
        function* ({ memory, room }) {
          expect(memory.readU32(room)).toBe(1);
        },
      ),
    ).toBe(true);
  });

  it('where another lock was held', () => {
    const locked = (n: number) =>
      function* ({ wdk, room, touch }: Machine): Coroutine<void> {
        const old = yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: at(room, n) });
        if (n > 0) touch();
        yield* wdk.KeReleaseSpinLock({ SpinLock: at(room, n), NewIrql: old });
      };
    expect(told(locked(64), locked(0))).toBe(true);
  });
});

describe('is not told', () => {
  it('behind an event that is set after the last access, in the block itself too', () => {
    for (const where of ['room', 'block'] as const) {
      expect(
        told(
          function* (m) {
            yield* m.wdk.KeInitializeEvent({ Event: m[where], Type: 0, State: false });
            m.touch(32);
            yield* m.wdk.KeSetEvent({ Event: m[where], Increment: 0, Wait: false });
          },
          function* (m) {
            yield* m.kernel.dispatcher.wait([m[where]]);
          },
        ),
      ).toBe(false);
    }
  });

  it('behind the same lock, held after the last access', () => {
    const locked = function* ({ wdk, room, touch }: Machine): Coroutine<void> {
      const old = yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: room });
      touch();
      yield* wdk.KeReleaseSpinLock({ SpinLock: room, NewIrql: old });
    };
    expect(told(locked, locked)).toBe(false);
  });

  it('behind a push lock and a fast mutex in the block', () => {
    expect(
      told(
        function* ({ wdk, block }) {
          yield* wdk.ExAcquirePushLockExclusiveEx({ PushLock: block, Flags: 0 });
          yield* wdk.ExReleasePushLockExclusiveEx({ PushLock: block, Flags: 0 });
        },
        function* ({ wdk, block }) {
          yield* wdk.ExAcquirePushLockExclusiveEx({ PushLock: block, Flags: 0 });
          yield* wdk.ExReleasePushLockExclusiveEx({ PushLock: block, Flags: 0 });
        },
      ),
    ).toBe(false);
    const mutex = function* ({ wdk, block }: Machine): Coroutine<void> {
      yield* wdk.ExAcquireFastMutex({ Mutex: block });
      yield* wdk.ExReleaseFastMutex({ Mutex: block });
    };
    expect(
      told(function* (m) {
        yield* m.wdk.ExInitializeFastMutex({ Mutex: m.block });
        yield* mutex(m);
      }, mutex),
    ).toBe(false);
  });

  it('behind a flag that is polled, in the block itself', () => {
    expect(
      told(
        function* ({ memory, block, touch }) {
          touch(32);
          memory.writeU8(block, 1);
        },
        function* ({ memory, block, sleep }) {
          while (memory.readU8(block) === 0) yield* sleep(1);
        },
      ),
    ).toBe(false);
  });

  it('behind an interlocked count, whoever is last', () => {
    const release = ({ memory, block, touch }: Machine): boolean => {
      touch(32);
      const left = memory.readU32(block) - 1;
      memory.writeU32(block, left);
      return left === 0;
    };
    expect(
      told(
        function* (m) {
          m.memory.writeU32(m.block, 2);
          yield POINT;
          release(m);
        },
        function* (m) {
          expect(release(m)).toBe(true);
        },
      ),
    ).toBe(false);
  });

  it('behind a mutex in the block, handed over while halt waits', () => {
    expect(
      told(
        function* ({ kernel, wdk, block, sleep }) {
          yield* wdk.KeInitializeMutex({ Mutex: block, Level: 0 });
          yield* kernel.dispatcher.wait([block]);
          yield* sleep(10);
          yield* wdk.KeReleaseMutex({ Mutex: block, Wait: false });
        },
        function* ({ kernel, wdk, block }) {
          yield* kernel.dispatcher.wait([block]);
          yield* wdk.KeReleaseMutex({ Mutex: block, Wait: false });
        },
      ),
    ).toBe(false);
  });

  it('behind a timer in the block that is cancelled, whoever set it', () => {
    expect(
      told(
        function* ({ wdk, block }) {
          yield* wdk.KeInitializeTimer({ Timer: block });
          yield* wdk.KeSetTimer({ Timer: block, DueTime: -1000 * MILLISECOND, Dpc: NULL });
        },
        function* ({ wdk, block }) {
          expect(yield* wdk.KeCancelTimer({ Timer: block })).toBe(true);
        },
      ),
    ).toBe(false);
  });

  it('behind rundown protection', () => {
    expect(
      told(
        function* ({ wdk, block, touch }) {
          yield* wdk.ExInitializeRundownProtection({ RunRef: block });
          yield* wdk.ExAcquireRundownProtection({ RunRef: block });
          touch(32);
          yield* wdk.ExReleaseRundownProtection({ RunRef: block });
        },
        function* ({ wdk, block }) {
          yield* wdk.ExWaitForRundownProtectionRelease({ RunRef: block });
        },
      ),
    ).toBe(false);
  });

  it('where the other only began later, or whoever frees began it', () => {
    const { kernel, run, block, touch, sleep } = machine();
    run(function* () {
      touch();
      kernel.scheduler.startThread(
        'frees',
        (function* () {
          kernel.heap.free(block);
        })(),
      );
      yield* sleep(1);
    });
    expect(kernel.trace.events.filter(({ kind }) => kind === 'fact')).toEqual([]);
  });
});

it('a DPC is through where KeFlushQueuedDpcs has returned', () => {
  for (const flush of [true, false]) {
    const { kernel, wdk, run, block, room, sleep, touch } = machine();
    run(function* () {
      const dpc: Address = room;
      expect(KDPC.size).toBeLessThanOrEqual(0x200);
      yield* wdk.KeInitializeDpc({ Dpc: dpc, DeferredRoutine: () => touch(), DeferredContext: NULL });
      yield* wdk.KeInsertQueueDpc({ Dpc: dpc, SystemArgument1: NULL, SystemArgument2: NULL });
      yield* sleep(1);
      if (flush) yield* wdk.KeFlushQueuedDpcs();
      kernel.heap.free(block);
    });
    const facts = kernel.trace.events.filter((event) => event.kind === 'fact' && event.what === 'freed-without-order');
    expect(facts.length).toBe(flush ? 0 : 1);
  }
});
