/**
 * NDIS_SPIN_LOCK, and the interlocked operations NDIS exports. Pages: ndis-ndisallocatespinlock, ndis-ndisacquirespinlock,
 * ndis-ndisreleasespinlock, ndis-ndisdpracquirespinlock, ndis-ndisinterlockedincrement, ndis-ndisinterlockedinserttaillist.
 */
import { i32, pointer, struct, u8, u32, u64 } from '../kernel/layout.ts';
import { ANY, D, EXACTLY_D, functionsOf, IN, POINTER, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { LIST_ENTRY } from '../kernel/structures.ts';
import { type Address, DISPATCH_LEVEL, HIGH_LEVEL, hex, type Irql, NULL } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';

export const NDIS_SPIN_LOCK = struct('NDIS_SPIN_LOCK', { SpinLock: u64, OldIrql: u8 });

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const lockOnly = { SpinLock: POINTER };
const keyed = { key: ({ SpinLock }: { SpinLock: Address }) => SpinLock };

/** Runs a step with interrupts off and a spin lock held, as ExInterlocked… do: callable at any IRQL. */
function* interlocked<T>({ kernel }: Ndis, lock: Address, step: () => T): Coroutine<T> {
  const old = kernel.scheduler.setIrql(HIGH_LEVEL);
  yield* kernel.spinLocks.take(lock);
  const result = step();
  kernel.spinLocks.release(lock);
  kernel.scheduler.setIrql(old);
  return result;
}

const listParams = { ListHead: IN(LIST_ENTRY), ListEntry: IN(LIST_ENTRY), SpinLock: POINTER };

export const spinLockFunctions = {
  NdisAllocateSpinLock: f({
    ...common,
    page: 'ndis-ndisallocatespinlock',
    params: lockOnly,
    returns: 'void',
    irql: ANY,
    acquires: { type: 'spin-lock', ...keyed },
    body({ kernel }, { SpinLock }) {
      NDIS_SPIN_LOCK.at(kernel.memory, SpinLock).SpinLock = 0n;
      return undefined;
    },
  }),
  NdisFreeSpinLock: f({
    ...common,
    page: 'ndis-ndisfreespinlock',
    params: lockOnly,
    returns: 'void',
    irql: ANY,
    undoes: { types: ['spin-lock'], ...keyed },
    body({ kernel }, { SpinLock }) {
      if (kernel.spinLocks.held(SpinLock)) {
        emitFact(kernel, 'spin-lock-freed-while-held', { lock: hex(SpinLock) });
      }
      return undefined;
    },
  }),
  NdisAcquireSpinLock: f({
    ...common,
    page: 'ndis-ndisacquirespinlock',
    params: lockOnly,
    returns: 'void',
    irql: D,
    *body({ kernel }, { SpinLock }) {
      const old = kernel.scheduler.setIrql(DISPATCH_LEVEL);
      yield* kernel.spinLocks.take(SpinLock);
      NDIS_SPIN_LOCK.at(kernel.memory, SpinLock).OldIrql = old;
      return undefined;
    },
  }),
  NdisReleaseSpinLock: f({
    ...common,
    page: 'ndis-ndisreleasespinlock',
    params: lockOnly,
    returns: 'void',
    irql: EXACTLY_D,
    body({ kernel }, { SpinLock }) {
      const { OldIrql } = NDIS_SPIN_LOCK.at(kernel.memory, SpinLock);
      kernel.spinLocks.release(SpinLock);
      kernel.scheduler.setIrql(OldIrql as Irql);
      return undefined;
    },
  }),
  NdisDprAcquireSpinLock: f({
    ...common,
    page: 'ndis-ndisdpracquirespinlock',
    params: lockOnly,
    returns: 'void',
    irql: EXACTLY_D,
    *body({ kernel }, { SpinLock }) {
      yield* kernel.spinLocks.take(SpinLock);
      NDIS_SPIN_LOCK.at(kernel.memory, SpinLock).OldIrql = DISPATCH_LEVEL;
      return undefined;
    },
  }),
  NdisDprReleaseSpinLock: f({
    ...common,
    page: 'ndis-ndisdprreleasespinlock',
    params: lockOnly,
    returns: 'void',
    irql: EXACTLY_D,
    body({ kernel }, { SpinLock }) {
      kernel.spinLocks.release(SpinLock);
      return undefined;
    },
  }),

  NdisInterlockedIncrement: f({
    ...common,
    page: 'ndis-ndisinterlockedincrement',
    params: { Addend: POINTER },
    returns: 'i32',
    irql: ANY,
    body: (ndis, { Addend }) => add(ndis, Addend, 1),
  }),
  NdisInterlockedDecrement: f({
    ...common,
    page: 'ndis-ndisinterlockeddecrement',
    params: { Addend: POINTER },
    returns: 'i32',
    irql: ANY,
    body: (ndis, { Addend }) => add(ndis, Addend, -1),
  }),
  NdisInterlockedAddUlong: f({
    ...common,
    page: 'ndis-ndisinterlockedaddulong',
    params: { Addend: POINTER, Increment: ULONG, SpinLock: POINTER },
    returns: 'u32',
    irql: ANY,
    *body(ndis, { Addend, Increment, SpinLock }) {
      const { memory } = ndis.kernel;
      return yield* interlocked(ndis, SpinLock, () => {
        const before = u32.read(memory, Addend);
        u32.write(memory, Addend, (before + Increment) >>> 0);
        return before;
      });
    },
  }),
  NdisInterlockedInsertHeadList: f({
    ...common,
    page: 'ndis-ndisinterlockedinsertheadlist',
    params: listParams,
    returns: 'pointer',
    irql: ANY,
    *body(ndis, { ListHead: head, ListEntry: entry, SpinLock }) {
      return yield* interlocked(ndis, SpinLock, () => {
        const first = head.Flink;
        LIST_ENTRY.write(ndis.kernel.memory, entry.address, { Flink: first, Blink: head.address });
        LIST_ENTRY.at(ndis.kernel.memory, first).Blink = entry.address;
        head.Flink = entry.address;
        return first === head.address ? NULL : first;
      });
    },
  }),
  NdisInterlockedInsertTailList: f({
    ...common,
    page: 'ndis-ndisinterlockedinserttaillist',
    params: listParams,
    returns: 'pointer',
    irql: ANY,
    *body(ndis, { ListHead: head, ListEntry: entry, SpinLock }) {
      return yield* interlocked(ndis, SpinLock, () => {
        const last = head.Blink;
        LIST_ENTRY.write(ndis.kernel.memory, entry.address, { Flink: head.address, Blink: last });
        LIST_ENTRY.at(ndis.kernel.memory, last).Flink = entry.address;
        head.Blink = entry.address;
        return last === head.address ? NULL : last;
      });
    },
  }),
  NdisInterlockedRemoveHeadList: f({
    ...common,
    page: 'ndis-ndisinterlockedremoveheadlist',
    params: { ListHead: IN(LIST_ENTRY), SpinLock: POINTER },
    returns: 'pointer',
    irql: ANY,
    *body(ndis, { ListHead: head, SpinLock }) {
      return yield* interlocked(ndis, SpinLock, () => {
        const first = head.Flink;
        if (first === head.address) return NULL;
        const second = LIST_ENTRY.at(ndis.kernel.memory, first).Flink;
        LIST_ENTRY.at(ndis.kernel.memory, second).Blink = head.address;
        head.Flink = second;
        return first;
      });
    },
  }),
  NdisInterlockedPushEntryList: f({
    ...common,
    page: 'ndis-ndisinterlockedpushentryslist',
    params: { ListHead: POINTER, ListEntry: POINTER, SpinLock: POINTER },
    returns: 'pointer',
    irql: ANY,
    *body(ndis, { ListHead, ListEntry, SpinLock }) {
      const { memory } = ndis.kernel;
      return yield* interlocked(ndis, SpinLock, () => {
        const first = pointer.read(memory, ListHead);
        pointer.write(memory, ListEntry, first);
        pointer.write(memory, ListHead, ListEntry);
        return first;
      });
    },
  }),
  NdisInterlockedPopEntryList: f({
    ...common,
    page: 'ndis-ndisinterlockedpopentryslist',
    params: { ListHead: POINTER, SpinLock: POINTER },
    returns: 'pointer',
    irql: ANY,
    *body(ndis, { ListHead, SpinLock }) {
      const { memory } = ndis.kernel;
      return yield* interlocked(ndis, SpinLock, () => {
        const first = pointer.read(memory, ListHead);
        if (first !== NULL) pointer.write(memory, ListHead, pointer.read(memory, first));
        return first;
      });
    },
  }),
};

function add({ kernel }: Ndis, addend: Address, by: number): number {
  const sum = (i32.read(kernel.memory, addend) + by) | 0;
  i32.write(kernel.memory, addend, sum);
  return sum;
}
