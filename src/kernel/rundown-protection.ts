/**
 * Rundown protection: a count of users that somebody can wait to see at zero, after which there are no new ones. The state is
 * really in the eight bytes of the driver's memory: bit 0 says rundown has begun, the rest counts users (wdm.h, EX_RUNDOWN_REF).
 * The cache-aware kind is the same behind an opaque pointer. Pages: wdm-exacquirerundownprotection and its neighbours.
 */
import { type Address, hex } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { tagName } from './pool.ts';
import { A, D, failsNull, functionsOf, POINTER, SIZE_T, ULONG } from './record.ts';
import type { Coroutine } from './scheduler.ts';

const ACTIVE = 1n;
const ONE = 2n;

function acquire({ memory, scheduler }: Kernel, reference: Address, count: number): boolean {
  scheduler.ordering.observe(reference);
  const state = memory.readU64(reference);
  if ((state & ACTIVE) !== 0n) return false;
  memory.writeU64(reference, state + ONE * BigInt(count));
  return true;
}

function release({ memory, scheduler, trace }: Kernel, reference: Address, count: number): void {
  const state = memory.readU64(reference);
  if (state >> 1n < BigInt(count)) {
    trace.emit({ kind: 'fact', what: 'lock-not-held', detail: { lock: hex(reference), type: 'rundown protection' } });
    return;
  }
  memory.writeU64(reference, state - ONE * BigInt(count));
  scheduler.ordering.publish(reference);
}

function* wait({ memory, live, scheduler }: Kernel, reference: Address): Coroutine<void> {
  memory.writeU64(reference, memory.readU64(reference) | ACTIVE);
  // Unchecked: the scheduler asks, in nobody's context.
  const bytes = new DataView(memory.raw(reference, 8).buffer, memory.raw(reference, 8).byteOffset, 8);
  const ready = () => bytes.getBigUint64(0, true) >> 1n === 0n;
  if (!ready()) {
    live.add(reference, 8, 'rundown protection with a waiting thread');
    const what = `the users of the rundown protection at ${hex(reference)}`;
    yield { kind: 'wait', what, ready, follows: 'own' };
    live.remove(reference, 'rundown protection with a waiting thread');
  }
  scheduler.ordering.observe(reference);
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';

const setting = (page: string, state: bigint) =>
  f({
    module,
    page,
    params: { RunRef: POINTER },
    returns: 'void',
    irql: D,
    body({ memory }, { RunRef }) {
      memory.writeU64(RunRef, state);
      return undefined;
    },
  });
const acquiring = (page: string) =>
  f({
    module,
    page,
    params: { RunRef: POINTER },
    returns: 'bool',
    irql: D,
    body: (kernel, { RunRef }) => acquire(kernel, RunRef, 1),
  });
const acquiringMany = (page: string) =>
  f({
    module,
    page,
    params: { RunRef: POINTER, Count: ULONG },
    returns: 'bool',
    irql: D,
    body: (kernel, { RunRef, Count }) => acquire(kernel, RunRef, Count),
  });
const releasing = (page: string) =>
  f({
    module,
    page,
    params: { RunRef: POINTER },
    returns: 'void',
    irql: D,
    body(kernel, { RunRef }) {
      release(kernel, RunRef, 1);
      return undefined;
    },
  });
const releasingMany = (page: string) =>
  f({
    module,
    page,
    params: { RunRef: POINTER, Count: ULONG },
    returns: 'void',
    irql: D,
    body(kernel, { RunRef, Count }) {
      release(kernel, RunRef, Count);
      return undefined;
    },
  });
const waiting = (page: string) =>
  f({
    module,
    page,
    params: { RunRef: POINTER },
    returns: 'void',
    irql: A,
    *body(kernel, { RunRef }) {
      yield* wait(kernel, RunRef);
      return undefined;
    },
  });

export const rundownFunctions = {
  ExInitializeRundownProtection: setting('wdm-exinitializerundownprotection', 0n),
  ExReInitializeRundownProtection: setting('wdm-exreinitializerundownprotection', 0n),
  ExRundownCompleted: setting('wdm-exrundowncompleted', ACTIVE),
  ExAcquireRundownProtection: acquiring('wdm-exacquirerundownprotection'),
  ExAcquireRundownProtectionEx: acquiringMany('wdm-exacquirerundownprotectionex'),
  ExReleaseRundownProtection: releasing('wdm-exreleaserundownprotection'),
  ExReleaseRundownProtectionEx: releasingMany('wdm-exreleaserundownprotectionex'),
  ExWaitForRundownProtectionRelease: waiting('wdm-exwaitforrundownprotectionrelease'),

  ExAllocateCacheAwareRundownProtection: f({
    module,
    page: 'wdm-exallocatecacheawarerundownprotection',
    params: { PoolType: ULONG, PoolTag: ULONG },
    returns: 'pointer',
    irql: D,
    // Pool it is, and as pool it is owed.
    acquires: { type: 'pool', key: (_, result) => result, detail: ({ PoolTag }) => ({ Tag: tagName(PoolTag) }) },
    failures: [failsNull],
    body: ({ pool }) => pool.allocate({ size: 8, what: 'cache-aware rundown protection', zero: true }),
  }),
  ExFreeCacheAwareRundownProtection: f({
    module,
    page: 'wdm-exfreecacheawarerundownprotection',
    params: { RunRef: POINTER },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['pool'],
      key: ({ RunRef }) => RunRef,
      stray: ({ pool }, { RunRef }) => pool.describe(RunRef),
      otherwise: () => undefined,
    },
    body({ pool }, { RunRef }) {
      pool.free(RunRef);
      return undefined;
    },
  }),
  ExSizeOfRundownProtectionCacheAware: f({
    module,
    page: 'wdm-exsizeofrundownprotectioncacheaware',
    params: {},
    returns: 'u64',
    irql: D,
    body: () => 8n,
  }),
  ExInitializeRundownProtectionCacheAware: f({
    module,
    page: 'wdm-exinitializerundownprotectioncacheaware',
    params: { RunRef: POINTER, RunRefSize: SIZE_T },
    returns: 'void',
    irql: D,
    body({ memory }, { RunRef }) {
      memory.writeU64(RunRef, 0n);
      return undefined;
    },
  }),
  ExReInitializeRundownProtectionCacheAware: setting('wdm-exreinitializerundownprotectioncacheaware', 0n),
  ExRundownCompletedCacheAware: setting('wdm-exrundowncompletedcacheaware', ACTIVE),
  ExAcquireRundownProtectionCacheAware: acquiring('wdm-exacquirerundownprotectioncacheaware'),
  ExAcquireRundownProtectionCacheAwareEx: acquiringMany('wdm-exacquirerundownprotectioncacheawareex'),
  ExReleaseRundownProtectionCacheAware: releasing('wdm-exreleaserundownprotectioncacheaware'),
  ExReleaseRundownProtectionCacheAwareEx: releasingMany('wdm-exreleaserundownprotectioncacheawareex'),
  ExWaitForRundownProtectionReleaseCacheAware: waiting('wdm-exwaitforrundownprotectionreleasecacheaware'),
};
