import { describe, expect, test } from 'vitest';
import type { Coroutine } from '../kernel/scheduler.ts';
import { type Address, DISPATCH_LEVEL, NULL, PASSIVE_LEVEL } from '../trace/units.ts';
import { type TestNdis, testNdis } from './testing.ts';

/** Room for a structure of the driver's. */
const room = (t: TestNdis, size: number): Address => t.kernel.heap.allocate(size, 'the driver’s memory', { fill: 0 });

/** Runs coroutines as threads, each on a processor of its own, until all have ended. */
function together(t: TestNdis, ...bodies: (() => Coroutine<unknown>)[]): void {
  const threads = bodies.map((body, i) => t.kernel.scheduler.startThread(`thread ${i}`, body()));
  for (const thread of threads) t.kernel.scheduler.runUntilDone(thread);
}

test('a spin lock raises to DISPATCH_LEVEL and back', () => {
  const t = testNdis();
  t.run(function* () {
    const SpinLock = room(t, 16);
    yield* t.wdk.NdisAllocateSpinLock({ SpinLock });
    yield* t.wdk.NdisAcquireSpinLock({ SpinLock });
    expect(t.kernel.scheduler.irql).toBe(DISPATCH_LEVEL);
    yield* t.wdk.NdisReleaseSpinLock({ SpinLock });
    expect(t.kernel.scheduler.irql).toBe(PASSIVE_LEVEL);
    yield* t.wdk.NdisFreeSpinLock({ SpinLock });
  });
  expect(t.events('undo')).toMatchObject([{ type: 'spin-lock', outcome: 'undone' }]);
});

test('interlocked lists and counters', () => {
  const t = testNdis();
  t.run(function* () {
    const [SpinLock, ListHead, first, second, Addend] = [16, 16, 16, 16, 4].map((size) => room(t, size)) as [
      Address,
      Address,
      Address,
      Address,
      Address,
    ];
    t.kernel.memory.writePointer(ListHead, ListHead);
    t.kernel.memory.writePointer((ListHead + 8) as Address, ListHead);
    expect(yield* t.wdk.NdisInterlockedInsertTailList({ ListHead, ListEntry: first, SpinLock })).toBe(NULL);
    expect(yield* t.wdk.NdisInterlockedInsertTailList({ ListHead, ListEntry: second, SpinLock })).toBe(first);
    expect(yield* t.wdk.NdisInterlockedRemoveHeadList({ ListHead, SpinLock })).toBe(first);
    expect(yield* t.wdk.NdisInterlockedRemoveHeadList({ ListHead, SpinLock })).toBe(second);
    expect(yield* t.wdk.NdisInterlockedRemoveHeadList({ ListHead, SpinLock })).toBe(NULL);
    expect(yield* t.wdk.NdisInterlockedIncrement({ Addend })).toBe(1);
    expect(yield* t.wdk.NdisInterlockedDecrement({ Addend })).toBe(0);
    expect(yield* t.wdk.NdisInterlockedAddUlong({ Addend, Increment: 5, SpinLock })).toBe(0);
    expect(t.kernel.scheduler.irql).toBe(PASSIVE_LEVEL);
  });
});

describe('a reader-writer lock', () => {
  test('lets readers in together and a writer alone', () => {
    const t = testNdis({ processors: 2 });
    const order: string[] = [];
    const Lock = t.run(() => t.wdk.NdisAllocateRWLock({ NdisHandle: t.adapter.handle }));
    const user = (name: string, write: boolean) =>
      function* () {
        const LockState = room(t, 3);
        const acquire = write ? t.wdk.NdisAcquireRWLockWrite : t.wdk.NdisAcquireRWLockRead;
        yield* acquire({ Lock, LockState, Flags: 0 });
        order.push(`${name} in at ${t.kernel.scheduler.irql}`);
        for (let i = 0; i < 20; i++) yield { kind: 'point', spinning: true } as const;
        order.push(`${name} out`);
        yield* t.wdk.NdisReleaseRWLock({ Lock, LockState });
        expect(t.kernel.scheduler.irql).toBe(PASSIVE_LEVEL);
      };
    together(t, user('reader 1', false), user('reader 2', false));
    together(t, user('writer 1', true), user('writer 2', true));
    expect(order.slice(0, 2)).toEqual(['reader 1 in at 2', 'reader 2 in at 2']);
    expect(order.slice(4)).toEqual(['writer 1 in at 2', 'writer 1 out', 'writer 2 in at 2', 'writer 2 out']);
    t.run(() => t.wdk.NdisFreeRWLock({ Lock }));
    expect(t.events('undo')).toMatchObject([{ type: 'rw-lock', outcome: 'undone' }]);
  });

  test('may be taken again, but not promoted', () => {
    const t = testNdis();
    t.run(function* () {
      const Lock = yield* t.wdk.NdisAllocateRWLock({ NdisHandle: t.driver.handle });
      const [outer, inner] = [room(t, 3), room(t, 3)];
      for (const acquire of [t.wdk.NdisAcquireRWLockRead, t.wdk.NdisAcquireRWLockWrite]) {
        yield* acquire({ Lock, LockState: outer, Flags: 0 });
        yield* acquire({ Lock, LockState: inner, Flags: 1 });
        yield* t.wdk.NdisReleaseRWLock({ Lock, LockState: inner });
        yield* t.wdk.NdisReleaseRWLock({ Lock, LockState: outer });
      }
      expect(t.kernel.scheduler.irql).toBe(PASSIVE_LEVEL);
      yield* t.wdk.NdisReleaseRWLock({ Lock, LockState: outer });
      expect(t.facts('rw-lock-not-held')).toHaveLength(1);
      yield* t.wdk.NdisAcquireRWLockRead({ Lock, LockState: outer, Flags: 0 });
      yield* t.wdk.NdisFreeRWLock({ Lock });
      expect(t.facts('rw-lock-freed-while-held')).toHaveLength(1);
    });
    expect(() =>
      t.run(function* () {
        const Lock = yield* t.wdk.NdisAllocateRWLock({ NdisHandle: t.driver.handle });
        yield* t.wdk.NdisAcquireRWLockRead({ Lock, LockState: room(t, 3), Flags: 0 });
        yield* t.wdk.NdisAcquireRWLockWrite({ Lock, LockState: room(t, 3), Flags: 0 });
      }),
    ).toThrow('reader-writer lock');
    expect(t.facts('rw-lock-promoted')).toHaveLength(1);
  });

  test('of the old kind lies in the driver’s memory', () => {
    const t = testNdis();
    t.run(function* () {
      const Lock = room(t, 1040);
      const LockState = room(t, 4);
      yield* t.wdk.NdisInitializeReadWriteLock({ Lock });
      yield* t.wdk.NdisAcquireReadWriteLock({ Lock, fWrite: true, LockState });
      expect(t.kernel.scheduler.irql).toBe(DISPATCH_LEVEL);
      yield* t.wdk.NdisReleaseReadWriteLock({ Lock, LockState });
      expect(t.kernel.scheduler.irql).toBe(PASSIVE_LEVEL);
    });
    expect(t.events('fact')).toEqual([]);
  });
});
