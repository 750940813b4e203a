/**
 * Reader-writer locks: NDIS_RW_LOCK_EX, which NDIS allocates, and the older NDIS_RW_LOCK in the driver's memory. Both spin at
 * DISPATCH_LEVEL. Pages: ndis-ndisallocaterwlock, ndis-ndisacquirerwlockread, ndis-ndisacquirerwlockwrite,
 * ndis-ndisreleaserwlock, ndis-ndisinitializereadwritelock, ndis-ndisacquirereadwritelock.
 */
import { struct, u8, u16, type View } from '../kernel/layout.ts';
import { BOOLEAN, D, EXACTLY_D, failsNull, functionsOf, HANDLE, IN, POINTER, UCHAR } from '../kernel/record.ts';
import type { Context, Coroutine } from '../kernel/scheduler.ts';
import { type Address, DISPATCH_LEVEL, hex, type Irql, NULL } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';

export const LOCK_STATE_EX = struct('LOCK_STATE_EX', { OldIrql: u8, LockState: u8, Flags: u8 });
export const LOCK_STATE = struct('LOCK_STATE', { LockState: u16, OldIrql: u8 });
/** NDIS_RWL_AT_DISPATCH_LEVEL: the caller is there already, and stays. */
const AT_DISPATCH_LEVEL = 1;
/** What LockState holds between acquire and release; only NDIS reads it (our numbers). */
const State = { free: 0, read: 1, write: 2 } as const;
/** The part of an NDIS_RW_LOCK that today's NDIS uses (ndis.h): the rest is there for old binaries. */
const OLD_LOCK_USED = 0x20;

interface Holders {
  writer: Context | undefined;
  /** Times the writer took it. */
  depth: number;
  readonly readers: Map<Context, number>;
}

const READING = { what: 'read/write lock', shared: true } as const;
const WRITING = { what: 'read/write lock' } as const;

export class RwLocks {
  private readonly ndis: Ndis;
  private readonly holders = new Map<Address, Holders>();
  /** NDIS_RW_LOCK_EXs, and whether they are still there. */
  private readonly allocated = new Map<Address, boolean>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  allocate(): Address {
    const lock = this.ndis.newHandle('NDIS_RW_LOCK_EX');
    this.allocated.set(lock, true);
    return lock;
  }

  free(lock: Address): void {
    const { writer, readers } = this.of(lock);
    if (writer !== undefined || readers.size > 0) this.tell('rw-lock-freed-while-held', lock);
    this.allocated.set(lock, false);
    this.ndis.kernel.heap.free(lock, this.ndis.kernel.stack());
  }

  /** A lock of NDIS' own must be there: NDIS looks into it, so what is not one faults. */
  mustBeThere(lock: Address): void {
    const there = this.allocated.get(lock);
    if (there) return;
    this.tell(there === undefined ? 'rw-lock-call-on-unknown' : 'rw-lock-call-on-freed', lock);
    this.ndis.kernel.memory.readU8(lock);
  }

  *read(lock: Address): Coroutine<void> {
    const holders = this.of(lock);
    const { scheduler, lockOrder } = this.ndis.kernel;
    const me = scheduler.current;
    lockOrder.wants(lock, READING);
    // Who has it for writing may read too: the pages allow recursion per kind and do not speak of this (assumed).
    yield* this.until(lock, () => holders.writer === undefined || holders.writer === me);
    holders.readers.set(me, (holders.readers.get(me) ?? 0) + 1);
    me.locks.push(lock);
    lockOrder.has(lock, READING, true);
  }

  *write(lock: Address): Coroutine<void> {
    const holders = this.of(lock);
    const { scheduler, lockOrder } = this.ndis.kernel;
    const me = scheduler.current;
    lockOrder.wants(lock, WRITING);
    if (holders.readers.has(me) && holders.writer !== me) this.tell('rw-lock-promoted', lock);
    const free = () => holders.writer === undefined && holders.readers.size === 0;
    yield* this.until(lock, () => holders.writer === me || free());
    holders.writer = me;
    holders.depth++;
    me.locks.push(lock);
    lockOrder.has(lock, WRITING, true);
  }

  private *until(lock: Address, ready: () => boolean): Coroutine<void> {
    if (!ready()) yield { kind: 'wait', what: `the reader-writer lock at ${hex(lock)}`, ready, spins: true };
  }

  release(lock: Address, state: number): void {
    const holders = this.of(lock);
    const me = this.ndis.kernel.scheduler.current;
    const times = holders.readers.get(me) ?? 0;
    if (state === State.write && holders.writer === me) {
      if (--holders.depth === 0) holders.writer = undefined;
    } else if (state === State.read && times > 0) {
      if (times > 1) holders.readers.set(me, times - 1);
      else holders.readers.delete(me);
    } else {
      this.tell('rw-lock-not-held', lock);
      return;
    }
    const order = me.locks.lastIndexOf(lock);
    if (order !== me.locks.length - 1) this.tell('spin-locks-out-of-order', lock);
    me.locks.splice(order, 1);
    this.ndis.kernel.lockOrder.released(lock);
  }

  private of(lock: Address): Holders {
    const known = this.holders.get(lock);
    if (known !== undefined) return known;
    const made: Holders = { writer: undefined, depth: 0, readers: new Map() };
    this.holders.set(lock, made);
    return made;
  }

  private tell(what: string, lock: Address): void {
    emitFact(this.ndis.kernel, what, { lock: hex(lock) });
  }
}

interface Acquiring {
  readonly Lock: Address;
  readonly LockState: View<typeof LOCK_STATE_EX.fields>;
  readonly Flags: number;
}

function* acquire(ndis: Ndis, { Lock, LockState, Flags }: Acquiring, kind: 'read' | 'write'): Coroutine<undefined> {
  ndis.rwLocks.mustBeThere(Lock);
  const { scheduler, memory } = ndis.kernel;
  const old = (Flags & AT_DISPATCH_LEVEL) === 0 ? scheduler.setIrql(DISPATCH_LEVEL) : scheduler.irql;
  yield* ndis.rwLocks[kind](Lock);
  LOCK_STATE_EX.write(memory, LockState.address, { OldIrql: old, LockState: State[kind], Flags });
}

interface OldAcquiring {
  readonly Lock: Address;
  readonly fWrite: boolean;
  readonly LockState: View<typeof LOCK_STATE.fields>;
}

function* acquireOld(ndis: Ndis, { Lock, fWrite, LockState }: OldAcquiring, raise: boolean): Coroutine<undefined> {
  const { scheduler, memory } = ndis.kernel;
  memory.readU64(Lock);
  const old = raise ? scheduler.setIrql(DISPATCH_LEVEL) : scheduler.irql;
  yield* ndis.rwLocks[fWrite ? 'write' : 'read'](Lock);
  LOCK_STATE.write(memory, LockState.address, { OldIrql: old, LockState: fWrite ? State.write : State.read });
}

function releaseOld(ndis: Ndis, { Lock, LockState }: Omit<OldAcquiring, 'fWrite'>, lower: boolean): undefined {
  ndis.kernel.memory.readU64(Lock);
  const { OldIrql, LockState: held } = LockState;
  LockState.LockState = State.free;
  ndis.rwLocks.release(Lock, held);
  if (lower) ndis.kernel.scheduler.setIrql(OldIrql as Irql);
}

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const acquiring = { Lock: POINTER, LockState: IN(LOCK_STATE_EX), Flags: UCHAR };
const oldAcquiring = { Lock: POINTER, fWrite: BOOLEAN, LockState: IN(LOCK_STATE) };
const oldReleasing = { Lock: POINTER, LockState: IN(LOCK_STATE) };

export const rwLockFunctions = {
  NdisAllocateRWLock: f({
    ...common,
    page: 'ndis-ndisallocaterwlock',
    params: { NdisHandle: HANDLE },
    returns: 'pointer',
    irql: D,
    acquires: { type: 'rw-lock', key: (_, result) => result, owner: ({ NdisHandle }) => NdisHandle },
    failures: [failsNull],
    body(ndis, { NdisHandle }, { fn }) {
      return checkHandle(ndis, NdisHandle, fn) ? ndis.rwLocks.allocate() : NULL;
    },
  }),
  NdisFreeRWLock: f({
    ...common,
    page: 'ndis-ndisfreerwlock',
    params: { Lock: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['rw-lock'], key: ({ Lock }) => Lock, otherwise: () => undefined },
    body(ndis, { Lock }) {
      ndis.rwLocks.free(Lock);
      return undefined;
    },
  }),
  NdisAcquireRWLockRead: f({
    ...common,
    page: 'ndis-ndisacquirerwlockread',
    params: acquiring,
    returns: 'void',
    irql: D,
    body: (ndis, args) => acquire(ndis, args, 'read'),
  }),
  NdisAcquireRWLockWrite: f({
    ...common,
    page: 'ndis-ndisacquirerwlockwrite',
    params: acquiring,
    returns: 'void',
    irql: D,
    body: (ndis, args) => acquire(ndis, args, 'write'),
  }),
  NdisReleaseRWLock: f({
    ...common,
    page: 'ndis-ndisreleaserwlock',
    params: { Lock: POINTER, LockState: IN(LOCK_STATE_EX) },
    returns: 'void',
    irql: EXACTLY_D,
    body(ndis, { Lock, LockState }) {
      ndis.rwLocks.mustBeThere(Lock);
      const { OldIrql, Flags, LockState: held } = LockState;
      LockState.LockState = State.free;
      ndis.rwLocks.release(Lock, held);
      if ((Flags & AT_DISPATCH_LEVEL) === 0) ndis.kernel.scheduler.setIrql(OldIrql as Irql);
      return undefined;
    },
  }),

  NdisInitializeReadWriteLock: f({
    ...common,
    page: 'ndis-ndisinitializereadwritelock',
    params: { Lock: POINTER },
    returns: 'void',
    irql: D,
    body({ kernel }, { Lock }) {
      kernel.memory.fill(Lock, OLD_LOCK_USED, 0);
      return undefined;
    },
  }),
  NdisAcquireReadWriteLock: f({
    ...common,
    page: 'ndis-ndisacquirereadwritelock',
    params: oldAcquiring,
    returns: 'void',
    irql: D,
    body: (ndis, args) => acquireOld(ndis, args, true),
  }),
  NdisReleaseReadWriteLock: f({
    ...common,
    page: 'ndis-ndisreleasereadwritelock',
    params: oldReleasing,
    returns: 'void',
    irql: EXACTLY_D,
    body: (ndis, args) => releaseOld(ndis, args, true),
  }),
  NdisDprAcquireReadWriteLock: f({
    ...common,
    page: 'ndis-ndisdpracquirereadwritelock',
    params: oldAcquiring,
    returns: 'void',
    irql: EXACTLY_D,
    body: (ndis, args) => acquireOld(ndis, args, false),
  }),
  NdisDprReleaseReadWriteLock: f({
    ...common,
    page: 'ndis-ndisdprreleasereadwritelock',
    params: oldReleasing,
    returns: 'void',
    irql: EXACTLY_D,
    body: (ndis, args) => releaseOld(ndis, args, false),
  }),
};
