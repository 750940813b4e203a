/**
 * What threads wait for: events, semaphores, mutexes, timers, threads. An object is the driver's memory and its SignalState is
 * really there (inlined code reads it); who waits is known here. Signalling satisfies waiters at once, first come first served,
 * as Windows does: an event that is set and cleared again still releases everyone who waited when it was set.
 * Pages: wdm-keinitializeevent, wdm-kesetevent, wdm-kewaitforsingleobject, wdm-kewaitformultipleobjects and their neighbours.
 */
import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, hex, NULL, type VirtualTime } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Clock } from './clock.ts';
import { pointer, struct, u8 } from './layout.ts';
import type { LiveObjects } from './live-objects.ts';
import type { LockOrder } from './lock-order.ts';
import { type Coroutine, type Scheduler, SPINNING } from './scheduler.ts';
import { BugCheck } from './stops.ts';
import { DISPATCHER_HEADER, LIST_ENTRY } from './structures.ts';

/** `Type` of a DISPATCHER_HEADER: the kernel's KOBJECTS (observed). */
export const ObjectType = {
  NotificationEvent: 0,
  SynchronizationEvent: 1,
  Mutant: 2,
  Process: 3,
  Semaphore: 5,
  Thread: 6,
  NotificationTimer: 8,
  SynchronizationTimer: 9,
} as const;
export type ObjectType = (typeof ObjectType)[keyof typeof ObjectType];
const known: ReadonlySet<number> = new Set(Object.values(ObjectType));

export const KEVENT = struct('KEVENT', { Header: DISPATCHER_HEADER });
export const KMUTANT = struct('KMUTANT', {
  Header: DISPATCHER_HEADER,
  MutantListEntry: LIST_ENTRY,
  OwnerThread: pointer,
  Abandoned: u8,
  ApcDisable: u8,
});

const SIGNAL_STATE = DISPATCHER_HEADER.offset('SignalState');
const WAITED_FOR = 'object with a waiting thread';

/** What a wait came to: the place of the object that satisfied it (0 for "all"), or that the time was up. */
export type WaitResult = number | 'timeout';

export interface WaitOptions {
  /** All objects at once; any one of them by default. */
  readonly all?: boolean;
  /** When to give up; a time in the past only looks. Left out: never. */
  readonly deadline?: VirtualTime | undefined;
}

interface Waiter {
  readonly thread: Address;
  readonly objects: readonly Address[];
  readonly all: boolean;
  satisfied: number | undefined;
}

const MUTEX = { what: 'mutex' } as const;

/** What STATUS_MUTANT_NOT_OWNED, raised and not handled, ends in. */
const KMODE_EXCEPTION_NOT_HANDLED = 0x1e;

export class Dispatcher {
  private readonly memory: GuestMemory;
  private readonly clock: Clock;
  private readonly trace: Recorder;
  private readonly live: LiveObjects;
  private readonly scheduler: Pick<Scheduler, 'stirs' | 'ordering'>;
  private readonly lockOrder: LockOrder;
  /** The thread object of the current context. */
  private readonly thread: () => Address;
  /** By object, in order of arrival. */
  private readonly waiters = new Map<Address, Waiter[]>();

  constructor(parts: {
    memory: GuestMemory;
    clock: Clock;
    trace: Recorder;
    live: LiveObjects;
    scheduler: Pick<Scheduler, 'stirs' | 'ordering'>;
    lockOrder: LockOrder;
    thread: () => Address;
  }) {
    this.memory = parts.memory;
    this.clock = parts.clock;
    this.trace = parts.trace;
    this.live = parts.live;
    this.scheduler = parts.scheduler;
    this.lockOrder = parts.lockOrder;
    this.thread = parts.thread;
  }

  // --- any object ---

  /** Writes the header of an object of `size` bytes. */
  initialize(object: Address, type: ObjectType, size: number, state: number): void {
    const list = at(object, DISPATCHER_HEADER.offset('WaitListHead'));
    DISPATCHER_HEADER.write(this.memory, object, {
      Type: type,
      Signalling: 0,
      Size: size / 4,
      Reserved1: 0,
      SignalState: state,
      WaitListHead: { Flink: list, Blink: list },
    });
  }

  state(object: Address): number {
    return DISPATCHER_HEADER.at(this.memory, object).SignalState;
  }

  /** Sets the state, lets through whom it lets through, and gives the state before. */
  signal(object: Address, state: number): number {
    this.check(object);
    this.scheduler.stirs++;
    if (!this.isMutex(object)) this.scheduler.ordering.observe(object);
    const before = this.state(object);
    this.setState(object, state);
    if (state > 0) this.release(object);
    // Whoever signals or clears an object comes before whoever waits for it next; who owns a mutex first is chance.
    if (!this.isMutex(object)) this.scheduler.ordering.publish(object);
    return before;
  }

  private setState(object: Address, state: number): void {
    this.memory.writeU32(at(object, SIGNAL_STATE), state);
  }

  private check(object: Address): void {
    const { Type, Size } = DISPATCHER_HEADER.at(this.memory, object);
    if (known.has(Type & 0x7f) && Size !== 0) return;
    this.trace.emit({
      kind: 'fact',
      what: 'object-not-initialized',
      detail: { object: 'dispatcher object', address: hex(object) },
    });
  }

  // --- waiting ---

  *wait(objects: readonly Address[], options: WaitOptions = {}): Coroutine<WaitResult> {
    for (const object of objects) this.check(object);
    const waiter: Waiter = { thread: this.thread(), objects, all: options.all ?? false, satisfied: undefined };
    const { deadline } = options;
    // Who gives up after a while does not deadlock.
    if (deadline === undefined && (waiter.all || objects.length === 1)) {
      for (const object of objects) if (this.isMutex(object)) this.lockOrder.wants(object, MUTEX);
    }
    if (this.satisfy(waiter)) return this.satisfied(waiter);
    if (deadline !== undefined && deadline <= this.clock.now) {
      // Whoever polls must let time pass, or a loop around this call would never end. 100 ns a look: assumed.
      this.clock.advance(1);
      yield SPINNING;
      return 'timeout';
    }
    for (const object of objects) this.enlist(object, waiter);
    yield {
      kind: 'wait',
      what: objects.map((object) => this.describe(object)).join(waiter.all ? ' and ' : ' or '),
      ready: () => waiter.satisfied !== undefined,
      follows: 'own',
      ...(deadline === undefined ? {} : { deadline }),
    };
    if (waiter.satisfied !== undefined) return this.satisfied(waiter);
    this.withdraw(waiter);
    return 'timeout';
  }

  /** The wait is over, in the context that waited. */
  private satisfied({ objects, all, satisfied }: Waiter): number {
    const index = satisfied as number;
    for (const object of all ? objects : [objects[index] as Address]) {
      this.scheduler.ordering.observe(object);
      if (this.isMutex(object)) this.lockOrder.has(object, MUTEX, false);
    }
    return index;
  }

  private isMutex(object: Address): boolean {
    return this.typeOf(object) === ObjectType.Mutant;
  }

  private enlist(object: Address, waiter: Waiter): void {
    const list = this.waiters.get(object) ?? [];
    list.push(waiter);
    this.waiters.set(object, list);
    this.live.add(object, DISPATCHER_HEADER.size, WAITED_FOR);
  }

  private withdraw(waiter: Waiter): void {
    for (const object of waiter.objects) {
      const list = (this.waiters.get(object) ?? []).filter((other) => other !== waiter);
      if (list.length > 0) this.waiters.set(object, list);
      else {
        this.waiters.delete(object);
        this.live.remove(object, WAITED_FOR);
      }
    }
  }

  private release(object: Address): void {
    for (const waiter of [...(this.waiters.get(object) ?? [])]) {
      if (this.satisfy(waiter)) this.withdraw(waiter);
    }
  }

  /** Takes what the waiter waits for, if it is there. */
  private satisfy(waiter: Waiter): boolean {
    const { objects, all, thread } = waiter;
    if (all) {
      if (!objects.every((object) => this.isFor(object, thread))) return false;
      for (const object of objects) this.take(object, thread);
      waiter.satisfied = 0;
      return true;
    }
    const index = objects.findIndex((object) => this.isFor(object, thread));
    if (index < 0) return false;
    this.take(objects[index] as Address, thread);
    waiter.satisfied = index;
    return true;
  }

  private typeOf(object: Address): number {
    return this.memory.readU8(object) & 0x7f;
  }

  private isFor(object: Address, thread: Address): boolean {
    if (this.state(object) > 0) return true;
    return this.typeOf(object) === ObjectType.Mutant && KMUTANT.at(this.memory, object).OwnerThread === thread;
  }

  /** What a satisfied wait does to the object: a synchronization object goes back, a count goes down, a mutex is owned. */
  private take(object: Address, thread: Address): void {
    switch (this.typeOf(object)) {
      case ObjectType.SynchronizationEvent:
      case ObjectType.SynchronizationTimer:
        this.setState(object, 0);
        return;
      case ObjectType.Semaphore:
        this.setState(object, this.state(object) - 1);
        return;
      case ObjectType.Mutant: {
        this.setState(object, this.state(object) - 1);
        KMUTANT.at(this.memory, object).OwnerThread = thread;
      }
    }
  }

  private describe(object: Address): string {
    const type = Object.entries(ObjectType).find(([, number]) => number === this.typeOf(object))?.[0];
    return `the ${type ?? 'object'} at ${hex(object)}`;
  }

  /** Whether a thread waits for the object. */
  isWaitedFor(object: Address): boolean {
    return this.waiters.has(object);
  }

  // --- events ---

  initializeEvent(event: Address, type: 'notification' | 'synchronization', set: boolean): void {
    const number = type === 'notification' ? ObjectType.NotificationEvent : ObjectType.SynchronizationEvent;
    this.initialize(event, number, KEVENT.size, set ? 1 : 0);
  }

  /** Gives the state before. */
  setEvent(event: Address): number {
    return this.signal(event, 1);
  }

  clearEvent(event: Address): number {
    return this.signal(event, 0);
  }

  // --- mutexes ---

  /** Releases a mutex of the current thread once; gives the state before (0: it is free now). */
  releaseMutex(mutex: Address): number {
    this.check(mutex);
    const view = KMUTANT.at(this.memory, mutex);
    const before = this.state(mutex);
    if (before > 0 || view.OwnerThread !== this.thread()) {
      this.trace.emit({ kind: 'fact', what: 'mutex-not-owned', detail: { mutex: hex(mutex) } });
      throw new BugCheck(KMODE_EXCEPTION_NOT_HANDLED, `the mutex at ${hex(mutex)} is released by who does not own it`);
    }
    if (before + 1 > 0) view.OwnerThread = NULL;
    this.signal(mutex, before + 1);
    this.lockOrder.released(mutex);
    return before;
  }
}
