/**
 * Who holds a lock that many may share or one may have alone. Executive spin locks, push locks and ERESOURCEs are this with
 * different manners: spinning or blocking, recursive or not. What the lock's own memory shows is written by each.
 */
import type { Recorder } from '../trace/recorder.ts';
import { type Address, hex } from '../trace/units.ts';
import type { LockOrder } from './lock-order.ts';
import type { Context, Coroutine, Scheduler } from './scheduler.ts';

export type LockMode = 'shared' | 'exclusive';

export interface LockState {
  /** Who has it alone, and how often. */
  owner: Context | undefined;
  depth: number;
  /** Who shares it, and how often. */
  readonly sharers: Map<Context, number>;
  waitingExclusive: number;
  waitingShared: number;
}

export interface LockManners {
  /** In words: `push lock`. */
  readonly what: string;
  /** Waits at DISPATCH_LEVEL or above without giving the processor up. */
  readonly spins: boolean;
  /** A holder may take it again. */
  readonly recursive: boolean;
  /** Shows the state in the lock's memory; touches it, so that a freed lock faults. */
  show(lock: Address, state: LockState): void;
}

export class ReaderWriterLocks {
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly lockOrder: LockOrder;
  private readonly manners: LockManners;
  private readonly states = new Map<Address, LockState>();

  constructor(parts: { scheduler: Scheduler; trace: Recorder; lockOrder: LockOrder }, manners: LockManners) {
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.lockOrder = parts.lockOrder;
    this.manners = manners;
  }

  state(lock: Address): LockState {
    const known = this.states.get(lock);
    if (known !== undefined) return known;
    const made = { owner: undefined, depth: 0, sharers: new Map(), waitingExclusive: 0, waitingShared: 0 };
    this.states.set(lock, made);
    return made;
  }

  /** Forgets the lock: its memory is initialized anew, or given back. */
  forget(lock: Address): void {
    this.states.delete(lock);
  }

  /** Takes the lock, waiting for it. `overtake`: a shared taker does not wait behind those who want it alone. */
  *acquire(lock: Address, mode: LockMode, overtake = false): Coroutine<void> {
    this.lockOrder.wants(lock, this.use(mode));
    if (this.tryAcquire(lock, mode, overtake)) return;
    const state = this.state(lock);
    const { current } = this.scheduler;
    const { what, spins, recursive } = this.manners;
    if (!recursive && this.heldBy(lock, current)) this.tell('lock-taken-twice', lock);
    const waiting = mode === 'exclusive' ? 'waitingExclusive' : 'waitingShared';
    state[waiting]++;
    const ready = () => this.free(state, mode, current, overtake, waiting === 'waitingExclusive' ? 1 : 0);
    yield { kind: 'wait', what: `the ${what} at ${hex(lock)}`, ready, spins, follows: 'own' };
    state[waiting]--;
    this.take(lock, state, mode, current);
  }

  tryAcquire(lock: Address, mode: LockMode, overtake = false): boolean {
    const state = this.state(lock);
    const { current } = this.scheduler;
    if (!this.free(state, mode, current, overtake, 0)) return false;
    this.take(lock, state, mode, current);
    return true;
  }

  private free(state: LockState, mode: LockMode, by: Context, overtake: boolean, self: number): boolean {
    const { recursive } = this.manners;
    if (recursive && state.owner === by) return true;
    if (state.owner !== undefined) return false;
    if (mode === 'exclusive') return state.sharers.size === 0;
    if (recursive && state.sharers.has(by)) return true;
    return overtake || state.waitingExclusive - self <= 0;
  }

  private take(lock: Address, state: LockState, mode: LockMode, by: Context): void {
    if (mode === 'exclusive' || state.owner === by) {
      state.owner = by;
      state.depth++;
    } else state.sharers.set(by, (state.sharers.get(by) ?? 0) + 1);
    this.manners.show(lock, state);
    if (this.manners.spins) by.locks.push(lock);
    this.lockOrder.has(lock, this.use(mode), this.manners.spins);
  }

  private use(mode: LockMode) {
    return { what: this.manners.what, shared: mode === 'shared' };
  }

  /** Gives it up once; any holder's in shared mode, when the current context holds none (a thread may release another's). */
  release(lock: Address, mode: LockMode): void {
    const state = this.state(lock);
    const { current } = this.scheduler;
    const holder = state.owner ?? (state.sharers.has(current) ? current : state.sharers.keys().next().value);
    const wrong =
      mode === 'exclusive' ? state.owner === undefined : state.owner !== undefined && !this.manners.recursive;
    if (holder === undefined || wrong) {
      this.tell('lock-not-held', lock);
      this.manners.show(lock, state);
      return;
    }
    if (state.owner !== undefined) {
      if (--state.depth === 0) state.owner = undefined;
    } else {
      const count = (state.sharers.get(holder) as number) - 1;
      if (count === 0) state.sharers.delete(holder);
      else state.sharers.set(holder, count);
    }
    const order = holder.locks.lastIndexOf(lock);
    if (order >= 0) {
      if (order !== holder.locks.length - 1) this.tell('spin-locks-out-of-order', lock);
      holder.locks.splice(order, 1);
    }
    this.manners.show(lock, state);
    this.lockOrder.released(lock);
  }

  /** From shared to exclusive, if the current context is the only sharer. */
  convertToExclusive(lock: Address): boolean {
    const state = this.state(lock);
    const { current } = this.scheduler;
    if (state.sharers.size !== 1 || state.sharers.get(current) !== 1) return false;
    state.sharers.clear();
    state.owner = current;
    state.depth = 1;
    this.manners.show(lock, state);
    return true;
  }

  convertToShared(lock: Address): void {
    const state = this.state(lock);
    if (state.owner === undefined) {
      this.tell('lock-not-held', lock);
      return;
    }
    state.sharers.set(state.owner, state.depth);
    state.owner = undefined;
    state.depth = 0;
    this.manners.show(lock, state);
  }

  /** How often a context holds the lock, in either mode. */
  held(lock: Address, by: Context = this.scheduler.current): number {
    const state = this.state(lock);
    return state.owner === by ? state.depth : (state.sharers.get(by) ?? 0);
  }

  private heldBy(lock: Address, by: Context): boolean {
    return this.held(lock, by) > 0;
  }

  isHeld(lock: Address): boolean {
    const state = this.state(lock);
    return state.owner !== undefined || state.sharers.size > 0;
  }

  private tell(what: string, lock: Address): void {
    this.trace.emit({ kind: 'fact', what, detail: { lock: hex(lock), type: this.manners.what } });
  }
}

/** How many share the lock, each as often as it took it. */
export function sharing(state: LockState): number {
  return [...state.sharers.values()].reduce((sum, count) => sum + count, 0);
}
