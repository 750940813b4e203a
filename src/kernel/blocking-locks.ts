/**
 * Locks that block: fast and guarded mutexes, push locks, executive resources.
 * Pages: wdm-exacquirefastmutex, wdm-exacquirepushlockexclusive, wdm-exinitializeresourcelite and their neighbours.
 */
import { type Address, APC_LEVEL, at, hex, type Irql, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { KEVENT } from './dispatcher.ts';
import type { Kernel } from './kernel.ts';
import { i32, pointer, struct, u32 } from './layout.ts';
import { type LockManners, type LockMode, sharing } from './reader-writer-locks.ts';
import { A, BOOLEAN, D, functionsOf, POINTER, SIZE_T, ULONG } from './record.ts';
import type { Coroutine } from './scheduler.ts';

// --- fast mutexes ---

/** Also KGUARDED_MUTEX. */
export const FAST_MUTEX = struct('FAST_MUTEX', {
  Count: i32,
  Owner: pointer,
  Contention: u32,
  Event: KEVENT,
  OldIrql: u32,
});

const MUTEX = { what: 'fast mutex' } as const;

/** Takes it; the count is 1 when free. Also for whoever holds it already: that is a deadlock, and a hang. */
function* lockMutex({ memory, threads, trace, lockOrder }: Kernel, mutex: Address): Coroutine<void> {
  const view = FAST_MUTEX.at(memory, mutex);
  lockOrder.wants(mutex, MUTEX);
  if (view.Count !== 1) {
    if (view.Owner === threads.current()) {
      trace.emit({ kind: 'fact', what: 'lock-taken-twice', detail: { lock: hex(mutex), type: 'fast mutex' } });
    }
    view.Contention++;
    // Unchecked: the scheduler asks, in nobody's context. Memory freed meanwhile shows at the next access.
    const ready = () => memory.raw(mutex, 1)[0] === 1;
    yield { kind: 'wait', what: `the fast mutex at ${hex(mutex)}`, ready, follows: 'own' };
  }
  view.Count = 0;
  view.Owner = threads.current();
  lockOrder.has(mutex, MUTEX, false);
}

function unlockMutex({ memory, threads, trace, lockOrder }: Kernel, mutex: Address): void {
  const view = FAST_MUTEX.at(memory, mutex);
  if (view.Count === 1 || view.Owner !== threads.current()) {
    trace.emit({ kind: 'fact', what: 'lock-not-held', detail: { lock: hex(mutex), type: 'fast mutex' } });
  }
  view.Owner = NULL;
  view.Count = 1;
  lockOrder.released(mutex);
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';

/** `raise`: the call holds APCs off by IRQL; `guard`: by a guarded region; `none`: the caller has done it. */
type ApcManner = 'raise' | 'guard' | 'none';

function enter(kernel: Kernel, mutex: Address, manner: ApcManner): void {
  if (manner === 'raise') FAST_MUTEX.at(kernel.memory, mutex).OldIrql = kernel.scheduler.irql;
  if (manner === 'raise') kernel.scheduler.setIrql(APC_LEVEL);
  if (manner === 'guard') kernel.threads.region('guardedRegions', 1);
}

const acquireMutex = (manner: ApcManner, page: string) =>
  f({
    module,
    page,
    params: { Mutex: POINTER },
    returns: 'void',
    irql: A,
    *body(kernel, { Mutex }) {
      const before = kernel.scheduler.irql;
      if (manner === 'raise') kernel.scheduler.setIrql(APC_LEVEL);
      yield* lockMutex(kernel, Mutex);
      if (manner === 'raise') FAST_MUTEX.at(kernel.memory, Mutex).OldIrql = before;
      if (manner === 'guard') kernel.threads.region('guardedRegions', 1);
      return undefined;
    },
  });
const tryMutex = (manner: ApcManner, page: string) =>
  f({
    module,
    page,
    params: { Mutex: POINTER },
    returns: 'bool',
    irql: A,
    body(kernel, { Mutex }) {
      const view = FAST_MUTEX.at(kernel.memory, Mutex);
      if (view.Count !== 1) return false;
      view.Count = 0;
      view.Owner = kernel.threads.current();
      kernel.lockOrder.has(Mutex, MUTEX, false);
      enter(kernel, Mutex, manner);
      return true;
    },
  });
const releaseMutex = (manner: ApcManner, page: string) =>
  f({
    module,
    page,
    params: { Mutex: POINTER },
    returns: 'void',
    irql: A,
    body(kernel, { Mutex }) {
      const old = FAST_MUTEX.at(kernel.memory, Mutex).OldIrql as Irql;
      unlockMutex(kernel, Mutex);
      if (manner === 'raise') kernel.scheduler.setIrql(old);
      if (manner === 'guard') kernel.threads.region('guardedRegions', -1);
      return undefined;
    },
  });
const initializeMutex = (page: string) =>
  f({
    module,
    page,
    params: { Mutex: POINTER },
    returns: 'void',
    irql: D,
    body({ memory, dispatcher }, { Mutex }) {
      memory.fill(Mutex, FAST_MUTEX.size, 0);
      FAST_MUTEX.at(memory, Mutex).Count = 1;
      dispatcher.initializeEvent(at(Mutex, FAST_MUTEX.offset('Event')), 'synchronization', false);
      return undefined;
    },
  });

export const mutexFunctions = {
  ExInitializeFastMutex: initializeMutex('wdm-exinitializefastmutex'),
  ExAcquireFastMutex: acquireMutex('raise', 'wdm-exacquirefastmutex'),
  ExTryToAcquireFastMutex: tryMutex('raise', 'wdm-extrytoacquirefastmutex'),
  ExReleaseFastMutex: releaseMutex('raise', 'wdm-exreleasefastmutex'),
  ExAcquireFastMutexUnsafe: acquireMutex('none', 'wdm-exacquirefastmutexunsafe'),
  ExReleaseFastMutexUnsafe: releaseMutex('none', 'wdm-exreleasefastmutexunsafe'),
  KeInitializeGuardedMutex: initializeMutex('wdm-keinitializeguardedmutex'),
  KeAcquireGuardedMutex: acquireMutex('guard', 'wdm-keacquireguardedmutex'),
  KeTryToAcquireGuardedMutex: tryMutex('guard', 'wdm-ketrytoacquireguardedmutex'),
  KeReleaseGuardedMutex: releaseMutex('guard', 'wdm-kereleaseguardedmutex'),
  KeAcquireGuardedMutexUnsafe: acquireMutex('none', 'wdm-keacquireguardedmutexunsafe'),
  KeReleaseGuardedMutexUnsafe: releaseMutex('none', 'wdm-kereleaseguardedmutexunsafe'),
};

// --- push locks ---

/** Eight bytes: bit 0 says locked, bits 4 and up count those who share (observed). */
export const pushLocks = (memory: GuestMemory): LockManners => ({
  what: 'push lock',
  spins: false,
  recursive: false,
  show(lock, state) {
    memory.writeU64(
      lock,
      state.owner !== undefined ? 1n : sharing(state) > 0 ? (BigInt(sharing(state)) << 4n) | 1n : 0n,
    );
  },
});

const acquirePush = (mode: LockMode, page: string) =>
  f({
    module,
    page,
    params: { PushLock: POINTER, Flags: ULONG },
    returns: 'void',
    irql: A,
    *body({ pushLocks: locks }, { PushLock }) {
      yield* locks.acquire(PushLock, mode);
      return undefined;
    },
  });
const releasePush = (mode: LockMode, page: string) =>
  f({
    module,
    page,
    params: { PushLock: POINTER, Flags: ULONG },
    returns: 'void',
    irql: A,
    body({ pushLocks: locks }, { PushLock }) {
      locks.release(PushLock, mode);
      return undefined;
    },
  });

export const pushLockFunctions = {
  ExInitializePushLock: f({
    module,
    page: 'wdm-exinitializepushlock',
    params: { PushLock: POINTER },
    returns: 'void',
    irql: D,
    body({ memory, pushLocks: locks }, { PushLock }) {
      memory.writeU64(PushLock, 0n);
      locks.forget(PushLock);
      return undefined;
    },
  }),
  // The page's functions are macros around these, with flags that only debugging heeds.
  ExAcquirePushLockExclusiveEx: acquirePush('exclusive', 'wdm-exacquirepushlockexclusive'),
  ExAcquirePushLockSharedEx: acquirePush('shared', 'wdm-exacquirepushlockshared'),
  ExReleasePushLockExclusiveEx: releasePush('exclusive', 'wdm-exreleasepushlockexclusive'),
  ExReleasePushLockSharedEx: releasePush('shared', 'wdm-exreleasepushlockshared'),
};

// --- executive resources ---

const ERESOURCE_SIZE = 0x68;
const ERESOURCE = { activeCount: 0x18, flag: 0x1a, owner: 0x30, ownerCount: 0x38, activeEntries: 0x40 } as const;
const OWNED_EXCLUSIVE = 0x80;

export const executiveResources = (memory: GuestMemory): LockManners => ({
  what: 'resource',
  spins: false,
  recursive: true,
  show(lock, state) {
    const active = state.owner === undefined ? state.sharers.size : 1;
    memory.writeU16(at(lock, ERESOURCE.activeCount), active > 0 ? 1 : 0);
    memory.writeU16(at(lock, ERESOURCE.flag), state.owner === undefined ? 0 : OWNED_EXCLUSIVE);
    memory.writeU32(at(lock, ERESOURCE.activeEntries), active);
    memory.writeU32(at(lock, ERESOURCE.ownerCount), state.depth << 3);
  },
});

type ResourceManner = { mode: LockMode; overtake?: boolean; region?: boolean };

const acquireResource = (manner: ResourceManner, page: string) =>
  f({
    module,
    page,
    params: { Resource: POINTER, Wait: BOOLEAN },
    returns: 'bool',
    irql: A,
    *body({ executiveResources: locks }, { Resource, Wait }) {
      if (!Wait) return locks.tryAcquire(Resource, manner.mode, manner.overtake);
      yield* locks.acquire(Resource, manner.mode, manner.overtake);
      return true;
    },
  });
const enterAndAcquire = (manner: ResourceManner, page: string) =>
  f({
    module,
    page,
    params: { Resource: POINTER },
    returns: 'pointer',
    irql: A,
    *body({ executiveResources: locks, threads }, { Resource }) {
      threads.region('criticalRegions', 1);
      yield* locks.acquire(Resource, manner.mode, manner.overtake);
      return threads.current();
    },
  });

function releaseResource({ executiveResources: locks }: Kernel, resource: Address): void {
  locks.release(resource, locks.state(resource).owner === undefined ? 'shared' : 'exclusive');
}

export const executiveResourceFunctions = {
  ExInitializeResourceLite: f({
    module,
    page: 'wdm-exinitializeresourcelite',
    params: { Resource: POINTER },
    returns: 'status',
    irql: D,
    acquires: { type: 'eresource', key: ({ Resource }) => Resource },
    body({ memory, executiveResources: locks, live }, { Resource }) {
      memory.fill(Resource, ERESOURCE_SIZE, 0);
      memory.writePointer(Resource, Resource);
      memory.writePointer(at(Resource, 8), Resource);
      locks.forget(Resource);
      live.add(Resource, ERESOURCE_SIZE, 'ERESOURCE');
      return 0;
    },
  }),
  ExReinitializeResourceLite: f({
    module,
    page: 'wdm-exreinitializeresourcelite',
    params: { Resource: POINTER },
    returns: 'status',
    irql: A,
    body({ executiveResources: locks }, { Resource }) {
      locks.forget(Resource);
      return 0;
    },
  }),
  ExDeleteResourceLite: f({
    module,
    page: 'wdm-exdeleteresourcelite',
    params: { Resource: POINTER },
    returns: 'status',
    irql: A,
    undoes: { types: ['eresource'], key: ({ Resource }) => Resource },
    body({ executiveResources: locks, live, trace }, { Resource }) {
      if (locks.isHeld(Resource)) {
        trace.emit({ kind: 'fact', what: 'held-lock-deleted', detail: { lock: hex(Resource), type: 'resource' } });
      }
      locks.forget(Resource);
      live.remove(Resource, 'ERESOURCE');
      return 0;
    },
  }),
  ExAcquireResourceExclusiveLite: acquireResource({ mode: 'exclusive' }, 'wdm-exacquireresourceexclusivelite'),
  ExAcquireResourceSharedLite: acquireResource({ mode: 'shared' }, 'wdm-exacquireresourcesharedlite'),
  ExAcquireSharedStarveExclusive: acquireResource(
    { mode: 'shared', overtake: true },
    'wdm-exacquiresharedstarveexclusive',
  ),
  ExAcquireSharedWaitForExclusive: acquireResource({ mode: 'shared' }, 'wdm-exacquiresharedwaitforexclusive'),
  ExEnterCriticalRegionAndAcquireResourceExclusive: enterAndAcquire(
    { mode: 'exclusive' },
    'wdm-exentercriticalregionandacquireresourceexclusive',
  ),
  ExEnterCriticalRegionAndAcquireResourceShared: enterAndAcquire(
    { mode: 'shared' },
    'wdm-exentercriticalregionandacquireresourceshared',
  ),
  ExReleaseResourceLite: f({
    module,
    page: 'wdm-exreleaseresourcelite',
    params: { Resource: POINTER },
    returns: 'void',
    irql: D,
    body(kernel, { Resource }) {
      releaseResource(kernel, Resource);
      return undefined;
    },
  }),
  ExReleaseResourceForThreadLite: f({
    module,
    page: 'wdm-exreleaseresourceforthreadlite',
    params: { Resource: POINTER, ResourceThreadId: SIZE_T },
    returns: 'void',
    irql: D,
    body(kernel, { Resource }) {
      releaseResource(kernel, Resource);
      return undefined;
    },
  }),
  ExReleaseResourceAndLeaveCriticalRegion: f({
    module,
    page: 'wdm-exreleaseresourceandleavecriticalregion',
    params: { Resource: POINTER },
    returns: 'void',
    irql: D,
    body(kernel, { Resource }) {
      releaseResource(kernel, Resource);
      kernel.threads.region('criticalRegions', -1);
      return undefined;
    },
  }),
  ExConvertExclusiveToSharedLite: f({
    module,
    page: 'wdm-exconvertexclusivetosharedlite',
    params: { Resource: POINTER },
    returns: 'void',
    irql: D,
    body({ executiveResources: locks }, { Resource }) {
      locks.convertToShared(Resource);
      return undefined;
    },
  }),
  ExIsResourceAcquiredExclusiveLite: f({
    module,
    page: 'wdm-exisresourceacquiredexclusivelite',
    params: { Resource: POINTER },
    returns: 'bool',
    irql: D,
    body: ({ executiveResources: locks, scheduler }, { Resource }) => locks.state(Resource).owner === scheduler.current,
  }),
  ExIsResourceAcquiredSharedLite: f({
    module,
    page: 'wdm-exisresourceacquiredsharedlite',
    params: { Resource: POINTER },
    returns: 'u32',
    irql: D,
    body: ({ executiveResources: locks }, { Resource }) => locks.held(Resource),
  }),
};
