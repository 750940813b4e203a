/**
 * Spin locks: KSPIN_LOCK, queued spin locks, and what NDIS builds on them. A lock is eight bytes of the driver's memory; who
 * holds it is known here, so that a second taker on another processor spins, and one on the same context is a deadlock.
 * Pages: wdm-keacquirespinlock, wdm-kereleasespinlock, wdm-keinitializespinlock and their neighbours.
 */

import type { Recorder } from '../trace/recorder.ts';
import { type Address, DISPATCH_LEVEL, hex, type Irql } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import type { LockOrder } from './lock-order.ts';
import { ANY, D, EXACTLY_D, functionsOf, POINTER, UCHAR } from './record.ts';
import type { Context, Coroutine, Scheduler } from './scheduler.ts';

const SPIN_LOCK = { what: 'spin lock' } as const;

export class SpinLocks {
  private readonly memory: GuestMemory;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly lockOrder: LockOrder;
  private readonly holders = new Map<Address, Context>();

  constructor(parts: { memory: GuestMemory; scheduler: Scheduler; trace: Recorder; lockOrder: LockOrder }) {
    this.memory = parts.memory;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.lockOrder = parts.lockOrder;
  }

  /** Takes the lock at the present IRQL; spins while another context has it. */
  *take(lock: Address): Coroutine<void> {
    const context = this.scheduler.current;
    this.memory.readU64(lock);
    this.lockOrder.wants(lock, SPIN_LOCK);
    if (this.holders.has(lock)) {
      if (this.holders.get(lock) === context)
        this.trace.emit({ kind: 'fact', what: 'spin-lock-taken-twice', detail: { lock: hex(lock) } });
      yield { kind: 'wait', what: `the spin lock at ${hex(lock)}`, ready: () => !this.holders.has(lock), spins: true };
    }
    this.own(lock, context);
  }

  tryTake(lock: Address): boolean {
    if (this.holders.has(lock)) return false;
    this.own(lock, this.scheduler.current);
    return true;
  }

  private own(lock: Address, context: Context): void {
    this.memory.writeU64(lock, 1n);
    this.holders.set(lock, context);
    context.locks.push(lock);
    this.lockOrder.has(lock, SPIN_LOCK, true);
  }

  release(lock: Address): void {
    const holder = this.holders.get(lock);
    if (holder === undefined) {
      this.trace.emit({ kind: 'fact', what: 'spin-lock-not-held', detail: { lock: hex(lock) } });
      return;
    }
    const order = holder.locks.lastIndexOf(lock);
    if (order !== holder.locks.length - 1) {
      this.trace.emit({ kind: 'fact', what: 'spin-locks-out-of-order', detail: { lock: hex(lock) } });
    }
    holder.locks.splice(order, 1);
    this.memory.writeU64(lock, 0n);
    this.lockOrder.released(lock);
    this.holders.delete(lock);
    this.scheduler.stirs++;
  }

  held(lock: Address): boolean {
    return this.holders.has(lock);
  }
}

const f = functionsOf<Kernel>();

export const spinLockFunctions = {
  KeInitializeSpinLock: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializespinlock',
    params: { SpinLock: POINTER },
    returns: 'void',
    irql: ANY,
    body({ memory }, { SpinLock }) {
      memory.writeU64(SpinLock, 0n);
      return undefined;
    },
  }),
  KeAcquireSpinLockRaiseToDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keacquirespinlockraisetodpc',
    params: { SpinLock: POINTER },
    returns: 'u8',
    irql: D,
    *body({ scheduler, spinLocks }, { SpinLock }) {
      const old = scheduler.setIrql(DISPATCH_LEVEL);
      yield* spinLocks.take(SpinLock);
      return old;
    },
  }),
  KeReleaseSpinLock: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereleasespinlock',
    params: { SpinLock: POINTER, NewIrql: UCHAR },
    returns: 'void',
    irql: EXACTLY_D,
    body({ scheduler, spinLocks }, { SpinLock, NewIrql }) {
      spinLocks.release(SpinLock);
      scheduler.setIrql(NewIrql as Irql);
      return undefined;
    },
  }),
  KeAcquireSpinLockAtDpcLevel: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keacquirespinlockatdpclevel',
    params: { SpinLock: POINTER },
    returns: 'void',
    irql: { min: DISPATCH_LEVEL, max: ANY.max },
    *body({ spinLocks }, { SpinLock }) {
      yield* spinLocks.take(SpinLock);
      return undefined;
    },
  }),
  KeReleaseSpinLockFromDpcLevel: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereleasespinlockfromdpclevel',
    params: { SpinLock: POINTER },
    returns: 'void',
    irql: { min: DISPATCH_LEVEL, max: ANY.max },
    body({ spinLocks }, { SpinLock }) {
      spinLocks.release(SpinLock);
      return undefined;
    },
  }),
};
