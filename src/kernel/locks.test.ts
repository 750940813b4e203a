import { describe, expect, it } from 'vitest';
import { type Address, at, DISPATCH_LEVEL, MILLISECOND, NULL } from '../trace/units.ts';
import { FAST_MUTEX } from './blocking-locks.ts';
import { KLOCK_QUEUE_HANDLE } from './executive-spin-locks.ts';
import { GENERAL_LOOKASIDE, NPAGED_LOOKASIDE_LIST_SIZE } from './lookaside.ts';
import type { Coroutine } from './scheduler.ts';
import { testKernel } from './testing.ts';

const Ndad = 0x6461644e;

function machine(processors = 2) {
  const made = testKernel({ processors });
  const { kernel, wdk } = made;
  const lock = kernel.heap.allocate(0x100, 'lock', { align: 64, fill: 0 });
  const thread = (name: string, body: () => Coroutine<void>) => kernel.scheduler.startThread(name, body());
  const sleep = (count: number) =>
    wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -count * MILLISECOND } });
  const facts = () => kernel.trace.events.flatMap((event) => (event.kind === 'fact' ? [event.what] : []));
  return { ...made, lock, thread, sleep, facts };
}

describe('reader/writer spin locks', () => {
  it('readers share, a writer waits for them, and later readers for the writer', () => {
    const { kernel, wdk, run, lock, thread } = machine(3);
    const order: string[] = [];
    run(function* () {
      const old = yield* wdk.ExAcquireSpinLockShared({ SpinLock: lock });
      expect([old, kernel.scheduler.irql, kernel.memory.readU32(lock)]).toEqual([0, 2, 1]);
      const writer = thread('writer', function* () {
        const level = yield* wdk.ExAcquireSpinLockExclusive({ SpinLock: lock });
        expect(kernel.memory.readU32(lock)).toBe(0x8000_0000);
        order.push('writer');
        yield* wdk.ExReleaseSpinLockExclusive({ SpinLock: lock, OldIrql: level });
      });
      while (kernel.exSpinLocks.state(lock).waitingExclusive === 0) yield { kind: 'point', spinning: true };
      const reader = thread('reader', function* () {
        const level = yield* wdk.ExAcquireSpinLockShared({ SpinLock: lock });
        order.push('reader');
        yield* wdk.ExReleaseSpinLockShared({ SpinLock: lock, OldIrql: level });
      });
      while (kernel.exSpinLocks.state(lock).waitingShared === 0) yield { kind: 'point', spinning: true };
      order.push('release');
      yield* wdk.ExReleaseSpinLockShared({ SpinLock: lock, OldIrql: old });
      while (!writer.done || !reader.done) yield { kind: 'point', spinning: true };
    });
    expect(order).toEqual(['release', 'writer', 'reader']);
    expect(kernel.memory.readU32(lock)).toBe(0);
  });

  it('releasing what is not held is a fact', () => {
    const { wdk, run, lock, facts } = machine();
    run(() => wdk.ExReleaseSpinLockExclusive({ SpinLock: lock, OldIrql: 0 }));
    expect(facts()).toEqual(['lock-not-held']);
  });
});

it('queued spin locks keep the old IRQL in their handle, and are the same lock as the plain ones', () => {
  const { kernel, wdk, run, lock } = machine();
  const handle = kernel.heap.allocate(KLOCK_QUEUE_HANDLE.size, 'handle');
  run(function* () {
    yield* wdk.KeAcquireInStackQueuedSpinLock({ SpinLock: lock, LockHandle: handle });
    expect(kernel.scheduler.irql).toBe(DISPATCH_LEVEL);
    expect(yield* wdk.KeTestSpinLock({ SpinLock: lock })).toBe(false);
    expect(yield* wdk.KeTryToAcquireSpinLockAtDpcLevel({ SpinLock: lock })).toBe(false);
    yield* wdk.KeReleaseInStackQueuedSpinLock({ LockHandle: handle });
    expect(kernel.scheduler.irql).toBe(0);
  });
});

describe('blocking locks', () => {
  it('a fast mutex raises to APC_LEVEL and lets one in at a time', () => {
    const { kernel, wdk, run, lock, thread, sleep } = machine();
    const order: string[] = [];
    run(function* () {
      yield* wdk.ExInitializeFastMutex({ Mutex: lock });
      yield* wdk.ExAcquireFastMutex({ Mutex: lock });
      expect(kernel.scheduler.irql).toBe(1);
      for (const name of ['a', 'b']) {
        thread(name, function* () {
          yield* wdk.ExAcquireFastMutex({ Mutex: lock });
          order.push(`${name} in`);
          yield* sleep(1);
          order.push(`${name} out`);
          yield* wdk.ExReleaseFastMutex({ Mutex: lock });
        });
      }
      yield* sleep(1);
      expect(order).toEqual([]);
      yield* wdk.ExReleaseFastMutex({ Mutex: lock });
      expect(kernel.scheduler.irql).toBe(0);
      yield* sleep(10);
    });
    expect(order).toEqual(['a in', 'a out', 'b in', 'b out']);
    expect(FAST_MUTEX.at(kernel.memory, lock).Count).toBe(1);
  });

  it('a push lock taken twice is a fact and a hang', () => {
    const { wdk, run, lock, facts } = machine();
    expect(() =>
      run(function* () {
        yield* wdk.ExInitializePushLock({ PushLock: lock });
        yield* wdk.ExAcquirePushLockExclusiveEx({ PushLock: lock, Flags: 0 });
        yield* wdk.ExAcquirePushLockExclusiveEx({ PushLock: lock, Flags: 0 });
      }),
    ).toThrow(/waits for the push lock/);
    expect(facts()).toEqual(['lock-taken-twice']);
  });

  it('a resource is recursive, owed until deleted, and notices when it is deleted in use', () => {
    const { kernel, wdk, run, lock, thread, sleep, facts } = machine();
    let got: boolean | undefined;
    run(function* () {
      yield* wdk.ExInitializeResourceLite({ Resource: lock });
      expect(kernel.resources.live(['eresource'], lock)).toBeDefined();
      expect(yield* wdk.ExAcquireResourceExclusiveLite({ Resource: lock, Wait: true })).toBe(true);
      expect(yield* wdk.ExAcquireResourceExclusiveLite({ Resource: lock, Wait: true })).toBe(true);
      thread('other', function* () {
        got = yield* wdk.ExAcquireResourceSharedLite({ Resource: lock, Wait: false });
      });
      yield* sleep(1);
      expect(got).toBe(false);
      yield* wdk.ExReleaseResourceLite({ Resource: lock });
      yield* wdk.ExDeleteResourceLite({ Resource: lock });
      expect(kernel.resources.live(['eresource'], lock)).toBeUndefined();
    });
    expect(facts()).toEqual(['held-lock-deleted']);
  });

  it('rundown protection waits for its users and lets no new ones in', () => {
    const { kernel, wdk, run, lock, thread, sleep } = machine();
    let waited = false;
    run(function* () {
      yield* wdk.ExInitializeRundownProtection({ RunRef: lock });
      expect(yield* wdk.ExAcquireRundownProtection({ RunRef: lock })).toBe(true);
      expect(kernel.memory.readU64(lock)).toBe(2n);
      thread('waiter', function* () {
        yield* wdk.ExWaitForRundownProtectionRelease({ RunRef: lock });
        waited = true;
      });
      yield* sleep(1);
      expect(yield* wdk.ExAcquireRundownProtection({ RunRef: lock })).toBe(false);
      expect(waited).toBe(false);
      yield* wdk.ExReleaseRundownProtection({ RunRef: lock });
      yield* sleep(1);
      expect(waited).toBe(true);
    });
  });
});

describe('lists', () => {
  it('an SLIST_HEADER has the real layout', () => {
    const { kernel, wdk, run, lock } = machine();
    const [first, second] = [at(lock, 0x20), at(lock, 0x40)];
    run(function* () {
      yield* wdk.InitializeSListHead({ SListHead: lock });
      expect(yield* wdk.ExpInterlockedPushEntrySList({ ListHead: lock, ListEntry: first })).toBe(NULL);
      expect(yield* wdk.ExpInterlockedPushEntrySList({ ListHead: lock, ListEntry: second })).toBe(first);
      expect(kernel.memory.readU16(lock)).toBe(2);
      expect(kernel.memory.readPointer(at(lock, 8))).toBe(second);
      expect(yield* wdk.ExQueryDepthSList({ SListHead: lock })).toBe(2);
      expect(yield* wdk.ExpInterlockedPopEntrySList({ ListHead: lock })).toBe(second);
      expect(yield* wdk.ExpInterlockedFlushSList({ ListHead: lock })).toBe(first);
      expect(yield* wdk.ExpInterlockedPopEntrySList({ ListHead: lock })).toBe(NULL);
    });
  });

  it('doubly linked lists change under their lock', () => {
    const { kernel, wdk, run, lock } = machine();
    const list = kernel.heap.allocate(16, 'list');
    const entries = [at(lock, 0x20), at(lock, 0x40)] as const;
    run(function* () {
      kernel.memory.writePointer(list, list);
      kernel.memory.writePointer(at(list, 8), list);
      const arguments_ = { ListHead: list, Lock: lock };
      expect(yield* wdk.ExInterlockedInsertTailList({ ...arguments_, ListEntry: entries[0] })).toBe(NULL);
      expect(yield* wdk.ExInterlockedInsertTailList({ ...arguments_, ListEntry: entries[1] })).toBe(entries[0]);
      expect(yield* wdk.ExInterlockedRemoveHeadList(arguments_)).toBe(entries[0]);
      expect(yield* wdk.ExInterlockedRemoveHeadList(arguments_)).toBe(entries[1]);
      expect(yield* wdk.ExInterlockedRemoveHeadList(arguments_)).toBe(NULL);
    });
  });
});

describe('lookaside lists', () => {
  it('are owed, allocate from the pool, and give every entry back at once', () => {
    const { kernel, wdk, run } = machine();
    const list = kernel.heap.allocate(NPAGED_LOOKASIDE_LIST_SIZE, 'list', { align: 64 });
    expect(GENERAL_LOOKASIDE.offset('Allocate')).toBe(0x30);
    expect(GENERAL_LOOKASIDE.size).toBe(0x60);
    run(function* () {
      const settings = { Allocate: NULL, Free: NULL, Flags: 0, Size: 40, Tag: Ndad, Depth: 0 };
      yield* wdk.ExInitializeNPagedLookasideList({ Lookaside: list, ...settings });
      expect(kernel.resources.live(['ex-lookaside'], list)).toBeDefined();
      const entry: Address = yield* wdk.ExAllocateFromNPagedLookasideList({ Lookaside: list });
      expect(kernel.resources.live(['pool'], entry)?.detail).toMatchObject({ Tag: 'Ndad', NumberOfBytes: 40 });
      yield* wdk.ExFreeToNPagedLookasideList({ Lookaside: list, Entry: entry });
      expect(kernel.resources.live(['pool'], entry)).toBeUndefined();
      kernel.heap.free(list);
    });
    expect(kernel.trace.events).toContainEqual(
      expect.objectContaining({
        what: 'freed-with-live-object',
        detail: expect.objectContaining({ object: 'lookaside list' }),
      }),
    );
  });

  it('use the driver’s routines, and free what they kept when they are deleted', () => {
    const { kernel, wdk, run, lock } = machine();
    const list = kernel.heap.allocate(NPAGED_LOOKASIDE_LIST_SIZE, 'list', { align: 64 });
    const freed: number[] = [];
    run(function* () {
      yield* wdk.ExInitializeLookasideListEx({
        Lookaside: list,
        Allocate: () => at(lock, 0x40),
        Free: ({ Buffer: entry }: { Buffer: number }) => {
          freed.push(entry);
        },
        PoolType: 512,
        Flags: 0,
        Size: 32,
        Tag: Ndad,
        Depth: 0,
      });
      expect(yield* wdk.ExAllocateFromLookasideListEx({ Lookaside: list })).toBe(at(lock, 0x40));
      yield* wdk.ExpInterlockedPushEntrySList({ ListHead: list, ListEntry: at(lock, 0x40) });
      yield* wdk.ExDeleteLookasideListEx({ Lookaside: list });
    });
    expect(freed).toEqual([at(lock, 0x40)]);
  });
});

describe('IRQL', () => {
  it('is raised and lowered; the wrong way is what Windows stops for', () => {
    const { kernel, wdk, run } = machine();
    run(function* () {
      expect(yield* wdk.KeRaiseIrqlToDpcLevel()).toBe(0);
      expect(yield* wdk.KfRaiseIrql({ NewIrql: 5 })).toBe(2);
      expect(yield* wdk.KeGetCurrentIrql()).toBe(5);
      yield* wdk.KeLowerIrql({ NewIrql: 0 });
      expect(kernel.scheduler.irql).toBe(0);
    });
    expect(() => run(() => wdk.KeLowerIrql({ NewIrql: 2 }))).toThrow('KeLowerIrql to DISPATCH_LEVEL');
  });

  it('KeSynchronizeExecution runs at the interrupt’s level with its lock', () => {
    const { kernel, wdk, run, lock } = machine();
    const interrupt = at(lock, 0x40);
    kernel.interruptObjects.add(interrupt, 9 as never, lock);
    const seen: unknown[] = [];
    run(function* () {
      const result = yield* wdk.KeSynchronizeExecution({
        Interrupt: interrupt,
        SynchronizeRoutine: () => {
          seen.push(kernel.scheduler.irql, kernel.spinLocks.held(lock));
          return true;
        },
        SynchronizeContext: NULL,
      });
      seen.push(result, kernel.scheduler.irql, kernel.spinLocks.held(lock));
    });
    expect(seen).toEqual([9, true, true, 0, false]);
  });
});

describe('a wait with a spin lock held', () => {
  it('is a fact; one that is over at once is none', () => {
    const { wdk, kernel, run, lock, sleep, facts } = machine();
    const other = at(lock, 64);
    run(function* () {
      yield* wdk.KeInitializeSpinLock({ SpinLock: lock });
      // Taken without raising the IRQL, so that the wait itself is at a level it may be at.
      yield* wdk.KeAcquireSpinLockAtDpcLevel({ SpinLock: lock });
      yield* wdk.KeInitializeEvent({ Event: other, Type: 0, State: true });
      yield* wdk.KeWaitForSingleObject({ Object: other, WaitReason: 0, WaitMode: 0, Alertable: false });
      expect(facts()).not.toContain('waits-with-locks');
      yield* sleep(1);
      yield* wdk.KeReleaseSpinLockFromDpcLevel({ SpinLock: lock });
      yield* sleep(1);
    });
    const told = kernel.trace.events.filter((event) => event.kind === 'fact' && event.what === 'waits-with-locks');
    expect(told).toMatchObject([{ detail: { fn: 'KeDelayExecutionThread', why: 'waits' } }]);
  });
});
