/**
 * Reader/writer spin locks (EX_SPIN_LOCK, four bytes: the top bit for a writer, else the number of readers), queued spin locks
 * whose handle lies on the caller's stack, and the rest of KSPIN_LOCK's functions.
 * Pages: wdm-exacquirespinlockshared, wdm-keacquireinstackqueuedspinlock and their neighbours.
 */
import { type Address, DISPATCH_LEVEL, type Irql } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u8 } from './layout.ts';
import { type LockManners, type LockMode, sharing } from './reader-writer-locks.ts';
import { ANY, D, EXACTLY_D, functionsOf, POINTER, UCHAR } from './record.ts';
import type { Coroutine } from './scheduler.ts';

export const executiveSpinLocks = (memory: GuestMemory): LockManners => ({
  what: 'reader/writer spin lock',
  spins: true,
  recursive: false,
  show: (lock, state) => memory.writeU32(lock, state.owner === undefined ? sharing(state) : 0x8000_0000),
});

/** LockQueue.Next, LockQueue.Lock, OldIrql. */
export const KLOCK_QUEUE_HANDLE = struct('KLOCK_QUEUE_HANDLE', { Next: pointer, Lock: pointer, OldIrql: u8 });

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const AT_DPC = { min: DISPATCH_LEVEL, max: ANY.max };

const acquire = (mode: LockMode, page: string) =>
  f({
    module,
    page,
    params: { SpinLock: POINTER },
    returns: 'u8',
    irql: D,
    *body({ scheduler, exSpinLocks }, { SpinLock }) {
      const old = scheduler.setIrql(DISPATCH_LEVEL);
      yield* exSpinLocks.acquire(SpinLock, mode);
      return old;
    },
  });
const acquireAtDpc = (mode: LockMode, page: string) =>
  f({
    module,
    page,
    params: { SpinLock: POINTER },
    returns: 'void',
    irql: AT_DPC,
    *body({ exSpinLocks }, { SpinLock }) {
      yield* exSpinLocks.acquire(SpinLock, mode);
      return undefined;
    },
  });
const release = (mode: LockMode, page: string) =>
  f({
    module,
    page,
    params: { SpinLock: POINTER, OldIrql: UCHAR },
    returns: 'void',
    irql: EXACTLY_D,
    body({ scheduler, exSpinLocks }, { SpinLock, OldIrql }) {
      exSpinLocks.release(SpinLock, mode);
      scheduler.setIrql(OldIrql as Irql);
      return undefined;
    },
  });
const releaseAtDpc = (mode: LockMode, page: string) =>
  f({
    module,
    page,
    params: { SpinLock: POINTER },
    returns: 'void',
    irql: AT_DPC,
    body({ exSpinLocks }, { SpinLock }) {
      exSpinLocks.release(SpinLock, mode);
      return undefined;
    },
  });

function* queued(kernel: Kernel, lock: Address, handle: Address, old: Irql): Coroutine<undefined> {
  KLOCK_QUEUE_HANDLE.write(kernel.memory, handle, { Next: 0 as Address, Lock: lock, OldIrql: old });
  yield* kernel.spinLocks.take(lock);
  return undefined;
}
/** Gives the IRQL that the handle kept. */
function dequeue(kernel: Kernel, handle: Address): Irql {
  const { Lock, OldIrql } = KLOCK_QUEUE_HANDLE.at(kernel.memory, handle);
  kernel.spinLocks.release(Lock);
  return OldIrql as Irql;
}

export const executiveSpinLockFunctions = {
  ExAcquireSpinLockShared: acquire('shared', 'wdm-exacquirespinlockshared'),
  ExAcquireSpinLockExclusive: acquire('exclusive', 'wdm-exacquirespinlockexclusive'),
  ExAcquireSpinLockSharedAtDpcLevel: acquireAtDpc('shared', 'wdm-exacquirespinlocksharedatdpclevel'),
  ExAcquireSpinLockExclusiveAtDpcLevel: acquireAtDpc('exclusive', 'wdm-exacquirespinlockexclusiveatdpclevel'),
  ExReleaseSpinLockShared: release('shared', 'wdm-exreleasespinlockshared'),
  ExReleaseSpinLockExclusive: release('exclusive', 'wdm-exreleasespinlockexclusive'),
  ExReleaseSpinLockSharedFromDpcLevel: releaseAtDpc('shared', 'wdm-exreleasespinlocksharedfromdpclevel'),
  ExReleaseSpinLockExclusiveFromDpcLevel: releaseAtDpc('exclusive', 'wdm-exreleasespinlockexclusivefromdpclevel'),
  ExTryConvertSharedSpinLockExclusive: f({
    module,
    page: 'wdm-extryconvertsharedspinlockexclusive',
    params: { SpinLock: POINTER },
    returns: 'u32',
    irql: AT_DPC,
    body: ({ exSpinLocks }, { SpinLock }) => (exSpinLocks.convertToExclusive(SpinLock) ? 1 : 0),
  }),
  ExTryAcquireSpinLockExclusiveAtDpcLevel: f({
    module,
    page: 'wdm-extryacquirespinlockexclusiveatdpclevel',
    params: { SpinLock: POINTER },
    returns: 'u32',
    irql: AT_DPC,
    body: ({ exSpinLocks }, { SpinLock }) => (exSpinLocks.tryAcquire(SpinLock, 'exclusive') ? 1 : 0),
  }),
  ExTryAcquireSpinLockSharedAtDpcLevel: f({
    module,
    page: 'wdm-extryacquirespinlocksharedatdpclevel',
    params: { SpinLock: POINTER },
    returns: 'u32',
    irql: AT_DPC,
    body: ({ exSpinLocks }, { SpinLock }) => (exSpinLocks.tryAcquire(SpinLock, 'shared') ? 1 : 0),
  }),
  KeTryToAcquireSpinLockAtDpcLevel: f({
    module,
    page: 'wdm-ketrytoacquirespinlockatdpclevel',
    params: { SpinLock: POINTER },
    returns: 'bool',
    irql: AT_DPC,
    body({ spinLocks, memory }, { SpinLock }) {
      memory.readU64(SpinLock);
      return spinLocks.tryTake(SpinLock);
    },
  }),
  KeTestSpinLock: f({
    module,
    page: 'wdm-ketestspinlock',
    params: { SpinLock: POINTER },
    returns: 'bool',
    irql: ANY,
    // TRUE says that it is free.
    body: ({ memory }, { SpinLock }) => memory.readU64(SpinLock) === 0n,
  }),
  KeAcquireInStackQueuedSpinLock: f({
    module,
    page: 'wdm-keacquireinstackqueuedspinlock',
    params: { SpinLock: POINTER, LockHandle: POINTER },
    returns: 'void',
    irql: D,
    *body(kernel, { SpinLock, LockHandle }) {
      return yield* queued(kernel, SpinLock, LockHandle, kernel.scheduler.setIrql(DISPATCH_LEVEL));
    },
  }),
  KeReleaseInStackQueuedSpinLock: f({
    module,
    page: 'wdm-kereleaseinstackqueuedspinlock',
    params: { LockHandle: POINTER },
    returns: 'void',
    irql: EXACTLY_D,
    body(kernel, { LockHandle }) {
      kernel.scheduler.setIrql(dequeue(kernel, LockHandle));
      return undefined;
    },
  }),
  KeAcquireInStackQueuedSpinLockAtDpcLevel: f({
    module,
    page: 'wdm-keacquireinstackqueuedspinlockatdpclevel',
    params: { SpinLock: POINTER, LockHandle: POINTER },
    returns: 'void',
    irql: AT_DPC,
    *body(kernel, { SpinLock, LockHandle }) {
      return yield* queued(kernel, SpinLock, LockHandle, kernel.scheduler.irql);
    },
  }),
  KeReleaseInStackQueuedSpinLockFromDpcLevel: f({
    module,
    page: 'wdm-kereleaseinstackqueuedspinlockfromdpclevel',
    params: { LockHandle: POINTER },
    returns: 'void',
    irql: AT_DPC,
    body(kernel, { LockHandle }) {
      dequeue(kernel, LockHandle);
      return undefined;
    },
  }),
  KeAcquireInStackQueuedSpinLockForDpc: f({
    module,
    page: 'wdm-keacquireinstackqueuedspinlockfordpc',
    params: { SpinLock: POINTER, LockHandle: POINTER },
    returns: 'void',
    irql: D,
    // A threaded DPC may run below DISPATCH_LEVEL; then the call raises.
    *body(kernel, { SpinLock, LockHandle }) {
      return yield* queued(kernel, SpinLock, LockHandle, kernel.scheduler.setIrql(DISPATCH_LEVEL));
    },
  }),
  KeReleaseInStackQueuedSpinLockForDpc: f({
    module,
    page: 'wdm-kereleaseinstackqueuedspinlockfordpc',
    params: { LockHandle: POINTER },
    returns: 'void',
    irql: EXACTLY_D,
    body(kernel, { LockHandle }) {
      kernel.scheduler.setIrql(dequeue(kernel, LockHandle));
      return undefined;
    },
  }),
  KeAcquireSpinLockForDpc: f({
    module,
    page: 'wdm-keacquirespinlockfordpc',
    params: { SpinLock: POINTER },
    returns: 'u8',
    irql: D,
    *body({ scheduler, spinLocks }, { SpinLock }) {
      const old = scheduler.setIrql(DISPATCH_LEVEL);
      yield* spinLocks.take(SpinLock);
      return old;
    },
  }),
  KeReleaseSpinLockForDpc: f({
    module,
    page: 'wdm-kereleasespinlockfordpc',
    params: { SpinLock: POINTER, OldIrql: UCHAR },
    returns: 'void',
    irql: EXACTLY_D,
    body({ scheduler, spinLocks }, { SpinLock, OldIrql }) {
      spinLocks.release(SpinLock);
      scheduler.setIrql(OldIrql as Irql);
      return undefined;
    },
  }),
};
