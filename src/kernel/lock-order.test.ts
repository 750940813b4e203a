import { describe, expect, it } from 'vitest';
import type { EventOf } from '../trace/events.ts';
import { type Address, at, DISPATCH_LEVEL, type Irql, MILLISECOND } from '../trace/units.ts';
import { KMUTANT } from './dispatcher.ts';
import { KDPC } from './dpcs.ts';
import { KLOCK_QUEUE_HANDLE } from './executive-spin-locks.ts';
import type { Coroutine } from './scheduler.ts';
import { testKernel } from './testing.ts';

/** A kernel with memory for locks, and threads that run one after another. */
function machine() {
  const made = testKernel({ processors: 2 });
  const { kernel, wdk } = made;
  const memory = kernel.heap.allocate(0x800, 'locks', { align: 64, fill: 0 });
  const [a, b, c, gate] = [0, 1, 2, 3].map((n) => at(memory, 0x100 * n)) as [Address, Address, Address, Address];
  const thread = (name: string, body: () => Coroutine<void>) => kernel.scheduler.startThread(name, body());
  const sleep = (count: number): Coroutine<unknown> =>
    wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -count * MILLISECOND } });
  function* take(...locks: Address[]): Coroutine<void> {
    const [lock, ...inner] = locks;
    if (lock === undefined) return;
    const old = yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: lock });
    yield* take(...inner);
    yield* wdk.KeReleaseSpinLock({ SpinLock: lock, NewIrql: old });
  }
  const facts = (...names: string[]) =>
    kernel.trace.events.filter(
      (event): event is EventOf<'fact'> => event.kind === 'fact' && names.includes(event.what),
    );
  const told = () => facts('locks-in-opposite-orders').length;
  return { ...made, a, b, c, gate, thread, sleep, take, facts, told };
}

describe('two locks in opposite orders', () => {
  it('are told although the threads did not meet', () => {
    const { run, a, b, take, thread, sleep, facts } = machine();
    run(function* () {
      thread('one', () => take(a, b));
      yield* sleep(1);
      thread('two', () => take(b, a));
      yield* sleep(1);
    });
    const [there, here, ...more] = facts('locks-in-order', 'locks-in-opposite-orders');
    expect([there?.detail.context, here?.detail.context, more]).toEqual(['one', 'two', []]);
    expect([here?.detail.first, here?.detail.second]).toEqual([there?.detail.second, there?.detail.first]);
  });

  it('are told once, and before the deadlock where they do meet', () => {
    const { run, a, b, wdk, thread, sleep, told } = machine();
    const nest = (first: Address, second: Address) =>
      function* (): Coroutine<void> {
        const old = yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: first });
        yield { kind: 'point', spinning: true };
        yield* wdk.KeAcquireSpinLockAtDpcLevel({ SpinLock: second });
        yield* wdk.KeReleaseSpinLockFromDpcLevel({ SpinLock: second });
        yield* wdk.KeReleaseSpinLock({ SpinLock: first, NewIrql: old });
      };
    expect(() =>
      run(function* () {
        thread('one', nest(a, b));
        thread('two', nest(b, a));
        yield* sleep(1);
        yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: a });
      }),
    ).toThrow();
    expect(told()).toBe(1);
  });

  it('are no deadlock under a common lock, nor where only one of them is under it does that help', () => {
    const { run, a, b, gate, take, thread, sleep, told } = machine();
    run(function* () {
      thread('one', () => take(gate, a, b));
      yield* sleep(1);
      thread('two', () => take(gate, b, a));
      yield* sleep(1);
      expect(told()).toBe(0);
      thread('three', () => take(b, a));
      yield* sleep(1);
    });
    expect(told()).toBe(1);
  });

  it('are no deadlock within one thread', () => {
    const { run, a, b, take, told } = machine();
    run(function* () {
      yield* take(a, b);
      yield* take(b, a);
    });
    expect(told()).toBe(0);
  });

  it('are no deadlock where one starts the other afterwards, waits for its event, or waits for its end', () => {
    const { run, a, b, c, wdk, kernel, take, thread, sleep, told } = machine();
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: c, Type: 0, State: false });
      yield* take(a, b);
      thread('later', function* () {
        yield* take(b, a);
        yield* wdk.KeSetEvent({ Event: c, Increment: 0, Wait: false });
      });
      yield* kernel.dispatcher.wait([c]);
      yield* take(a, b);
      yield* sleep(1);
    });
    expect(told()).toBe(0);
  });

  it('are no deadlock with a DPC that was flushed', () => {
    for (const flush of [true, false]) {
      const { run, a, b, c, wdk, take, sleep, told } = machine();
      run(function* () {
        const DeferredRoutine = () => take(b, a);
        yield* wdk.KeInitializeDpc({ Dpc: c, DeferredRoutine, DeferredContext: 0 as Address });
        yield* wdk.KeInsertQueueDpc({ Dpc: c, SystemArgument1: 0 as Address, SystemArgument2: 0 as Address });
        yield* sleep(1);
        if (flush) yield* wdk.KeFlushQueuedDpcs();
        yield* take(a, b);
      });
      expect(told()).toBe(flush ? 0 : 1);
    }
    expect(KDPC.size).toBeLessThanOrEqual(0x100);
  });

  it('are no deadlock among readers, but with a writer', () => {
    for (const [second, expected] of [
      ['Shared', 0],
      ['Exclusive', 1],
    ] as const) {
      const { run, a, b, wdk, thread, sleep, told } = machine();
      const nest = (outer: Address, inner: Address, mode: 'Shared' | 'Exclusive') =>
        function* (): Coroutine<void> {
          const old = yield* wdk[`ExAcquireSpinLock${mode}`]({ SpinLock: outer });
          yield* wdk[`ExAcquireSpinLock${mode}AtDpcLevel`]({ SpinLock: inner });
          yield* wdk[`ExReleaseSpinLock${mode}FromDpcLevel`]({ SpinLock: inner });
          yield* wdk[`ExReleaseSpinLock${mode}`]({ SpinLock: outer, OldIrql: old });
        };
      run(function* () {
        thread('one', nest(a, b, 'Shared'));
        yield* sleep(1);
        thread('two', nest(b, a, second));
        yield* sleep(1);
      });
      expect(told()).toBe(expected);
    }
  });

  it('of different kinds are told too: a queued spin lock; a mutex and a fast mutex; a resource', () => {
    const { run, a, b, wdk, kernel, thread, sleep, told } = machine();
    const handle = kernel.heap.allocate(KLOCK_QUEUE_HANDLE.size, 'handle');
    const mutexes = kernel.heap.allocate(0x200, 'mutexes', { fill: 0 });
    const fast = at(mutexes, 0x100);
    run(function* () {
      thread('queued', function* () {
        yield* wdk.KeAcquireInStackQueuedSpinLock({ SpinLock: a, LockHandle: handle });
        yield* wdk.KeAcquireSpinLockAtDpcLevel({ SpinLock: b });
        yield* wdk.KeReleaseSpinLockFromDpcLevel({ SpinLock: b });
        yield* wdk.KeReleaseInStackQueuedSpinLock({ LockHandle: handle });
      });
      yield* sleep(1);
      thread('plain', function* () {
        const old = yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: b });
        yield* wdk.KeAcquireSpinLockAtDpcLevel({ SpinLock: a });
        yield* wdk.KeReleaseSpinLockFromDpcLevel({ SpinLock: a });
        yield* wdk.KeReleaseSpinLock({ SpinLock: b, NewIrql: old });
      });
      yield* sleep(1);
      expect(told()).toBe(1);
      expect(KMUTANT.size).toBeLessThanOrEqual(0x100);
      yield* wdk.KeInitializeMutex({ Mutex: mutexes, Level: 0 });
      yield* wdk.ExInitializeFastMutex({ Mutex: fast });
      thread('mutex first', function* () {
        yield* kernel.dispatcher.wait([mutexes]);
        yield* wdk.ExAcquireFastMutex({ Mutex: fast });
        yield* wdk.ExReleaseFastMutex({ Mutex: fast });
        yield* wdk.KeReleaseMutex({ Mutex: mutexes, Wait: false });
      });
      yield* sleep(1);
      thread('fast mutex first', function* () {
        yield* wdk.ExAcquireFastMutex({ Mutex: fast });
        yield* kernel.dispatcher.wait([mutexes]);
        yield* wdk.KeReleaseMutex({ Mutex: mutexes, Wait: false });
        yield* wdk.ExReleaseFastMutex({ Mutex: fast });
      });
      yield* sleep(1);
    });
    expect(told()).toBe(2);
  });

  it('are no deadlock where the second is only tried', () => {
    const { run, a, b, wdk, take, thread, sleep, told } = machine();
    run(function* () {
      thread('one', () => take(a, b));
      yield* sleep(1);
      thread('two', function* () {
        const old = yield* wdk.KeAcquireSpinLockRaiseToDpc({ SpinLock: b });
        const got = yield* wdk.KeTryToAcquireSpinLockAtDpcLevel({ SpinLock: a });
        if (got) yield* wdk.KeReleaseSpinLockFromDpcLevel({ SpinLock: a });
        yield* wdk.KeReleaseSpinLock({ SpinLock: b, NewIrql: old });
      });
      yield* sleep(1);
    });
    expect(told()).toBe(0);
  });
});

it('three locks in a circle are told', () => {
  const { run, a, b, c, take, thread, sleep, facts } = machine();
  run(function* () {
    for (const [n, locks] of [
      [a, b],
      [b, c],
      [c, a],
    ].entries()) {
      thread(`thread ${n}`, () => take(...locks));
      yield* sleep(1);
    }
  });
  expect(facts('locks-in-order').map(({ detail }) => detail.context)).toEqual(['thread 0', 'thread 1']);
  expect(facts('locks-in-opposite-orders').map(({ detail }) => detail.others)).toEqual([2]);
});

describe('a spin lock of an ISR', () => {
  const levels = (below: Irql) => {
    const { kernel, run, a, sleep, facts } = machine();
    const [processor] = kernel.scheduler.processors;
    run(function* () {
      processor?.interrupts.push({
        name: 'interrupt',
        irql: 9 as Irql,
        source: {},
        *start() {
          yield* kernel.spinLocks.take(a);
          kernel.spinLocks.release(a);
        },
      });
      yield* sleep(1);
      kernel.scheduler.setIrql(below);
      yield* kernel.spinLocks.take(a);
      kernel.spinLocks.release(a);
      kernel.scheduler.setIrql(0 as Irql);
    });
    return facts('lock-of-isr', 'lock-held-below-isr').map(({ detail }) => detail.irql);
  };

  it('may not be held at DISPATCH_LEVEL', () => {
    expect(levels(DISPATCH_LEVEL)).toEqual([9, 2]);
  });

  it('may be held at the ISR’s own level', () => {
    expect(levels(9 as Irql)).toEqual([]);
  });
});
