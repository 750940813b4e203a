/**
 * Timers that the system allocates: an EX_TIMER is an opaque object of the kernel that a thread can wait for; its callback runs
 * in a DPC. Deleting one disables it first and frees it once nothing of it is pending; the page "Deleting a System-Allocated
 * Timer Object" says how. Pages: wdm-exallocatetimer, wdm-exsettimer, wdm-excanceltimer, wdm-exdeletetimer.
 */
import { type Address, type Handle, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Clock } from './clock.ts';
import { type Dispatcher, ObjectType } from './dispatcher.ts';
import type { Dpcs } from './dpcs.ts';
import type { Heap } from './heap.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u32 } from './layout.ts';
import {
  BOOLEAN,
  CODE,
  callback,
  D,
  EXACTLY_D,
  failsNull,
  functionsOf,
  INOPT,
  LONGLONG,
  POINTER,
  ULONG,
} from './record.ts';
import type { Coroutine } from './scheduler.ts';
import { BugCheck } from './stops.ts';
import type { Timer, Timers } from './timers.ts';

/** An EX_TIMER is opaque; that it begins with a dispatcher header is why it can be waited for (observed size, rounded up). */
const EX_TIMER_SIZE = 0xa0;
const EX_TIMER_HIGH_RESOLUTION = 4;
const EX_TIMER_NO_WAKE = 8;
const EX_TIMER_NOTIFICATION = 0x8000_0000;
/** What a call that breaks a rule of these functions ends in (TIMER_OR_DPC_INVALID; the pages only say "bug check": assumed). */
const TIMER_OR_DPC_INVALID = 0xc7;

export const EXT_DELETE_PARAMETERS = struct('EXT_DELETE_PARAMETERS', {
  Version: u32,
  Reserved: u32,
  DeleteCallback: pointer,
  DeleteContext: pointer,
});

export const EXT_CALLBACK = callback({
  name: 'ExTimerCallback',
  page: 'wdm-ext_callback',
  params: { Timer: POINTER, Context: POINTER },
  returns: 'void',
  irql: EXACTLY_D,
});
export const EXT_DELETE_CALLBACK = callback({
  name: 'ExTimerDeleteCallback',
  page: 'wdm-ext_delete_callback',
  params: { Context: POINTER },
  returns: 'void',
  irql: D,
});

interface ExTimer {
  readonly object: Address;
  readonly timer: Timer;
  readonly routine: Address;
  readonly context: Address;
  readonly adapter: Handle | undefined;
  /** Set by ExDeleteTimer: the object takes no more calls. */
  disabled: boolean;
  gone: boolean;
  deleteRoutine: Address;
  deleteContext: Address;
}

export class ExTimers {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly dpcs: Dpcs;
  private readonly dispatcher: Dispatcher;
  private readonly invoker: () => Invoker;
  private readonly byObject = new Map<Address, ExTimer>();

  constructor(parts: {
    memory: GuestMemory;
    heap: Heap;
    clock: Clock;
    timers: Timers;
    dpcs: Dpcs;
    dispatcher: Dispatcher;
    invoker: () => Invoker;
  }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.clock = parts.clock;
    this.timers = parts.timers;
    this.dpcs = parts.dpcs;
    this.dispatcher = parts.dispatcher;
    this.invoker = parts.invoker;
  }

  allocate(routine: Address, context: Address, notification: boolean, adapter: Handle | undefined): Address {
    const object = this.heap.allocate(EX_TIMER_SIZE, 'EX_TIMER', { fill: 0 });
    const type = notification ? ObjectType.NotificationTimer : ObjectType.SynchronizationTimer;
    this.dispatcher.initialize(object, type, EX_TIMER_SIZE, 0);
    const timer: ExTimer = {
      object,
      timer: this.timers.create(() => this.expire(timer)),
      routine,
      context,
      adapter,
      disabled: false,
      gone: false,
      deleteRoutine: NULL,
      deleteContext: NULL,
    };
    this.byObject.set(object, timer);
    return object;
  }

  /** The timer; touches its memory, so that one that was deleted faults. */
  private known(object: Address): ExTimer | undefined {
    this.memory.readU8(object);
    return this.byObject.get(object);
  }

  set(object: Address, dueTime: number, period: number): boolean {
    const known = this.known(object);
    if (known === undefined || known.disabled) return false;
    this.dispatcher.signal(object, 0);
    return this.timers.set(known.timer, this.clock.dueAt(dueTime), period);
  }

  cancel(object: Address): boolean {
    const known = this.known(object);
    return known !== undefined && !known.disabled && this.timers.cancel(known.timer);
  }

  *delete(object: Address, options: { cancel: boolean; wait: boolean; routine: Address; context: Address }) {
    const known = this.known(object);
    if (known === undefined || known.disabled) return false;
    known.disabled = true;
    known.deleteRoutine = options.routine;
    known.deleteContext = options.context;
    const cancelled = options.cancel && this.timers.cancel(known.timer);
    if (!this.isPending(known)) {
      // Waits for nothing; what its callback did comes before.
      yield* this.dpcs.flush(known);
      yield* this.finish(known);
    } else if (options.wait) {
      yield { kind: 'wait', what: 'the callback of an EX_TIMER to end', ready: () => known.gone } as const;
    }
    return cancelled;
  }

  private isPending(known: ExTimer): boolean {
    return this.timers.isSet(known.timer) || this.dpcs.isQueued(known) || this.dpcs.isRunning(known);
  }

  private expire(known: ExTimer): void {
    // A periodic timer expires at most once after it was disabled.
    if (known.disabled) this.timers.cancel(known.timer);
    this.dispatcher.signal(known.object, 1);
    if (known.routine === NULL && !known.disabled) return;
    this.dpcs.queue({ name: 'EX_TIMER callback', source: known, start: () => this.run(known) });
  }

  private *run(known: ExTimer): Coroutine<void> {
    const { routine, object, context, adapter } = known;
    if (routine !== NULL) {
      yield* this.invoker().invoke(EXT_CALLBACK, routine, { Timer: object, Context: context }, adapter);
    }
    // This flight still counts as running: whether another is under way decides.
    const others = this.timers.isSet(known.timer) || this.dpcs.isQueued(known) || this.dpcs.running(known) > 1;
    if (known.disabled && !known.gone && !others) yield* this.finish(known);
  }

  private *finish(known: ExTimer): Coroutine<void> {
    this.byObject.delete(known.object);
    this.heap.free(known.object);
    if (known.deleteRoutine !== NULL) {
      const args = { Context: known.deleteContext };
      yield* this.invoker().invoke(EXT_DELETE_CALLBACK, known.deleteRoutine, args, known.adapter);
    }
    known.gone = true;
  }
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';

export const exTimerFunctions = {
  ExAllocateTimer: f({
    module,
    page: 'wdm-exallocatetimer',
    params: { Callback: CODE, CallbackContext: POINTER, Attributes: ULONG },
    returns: 'pointer',
    irql: D,
    acquires: { type: 'ex-timer', key: (_, result) => result },
    failures: [failsNull],
    body({ exTimers, scheduler }, { Callback, CallbackContext, Attributes }) {
      if ((Attributes & EX_TIMER_HIGH_RESOLUTION) !== 0 && (Attributes & EX_TIMER_NO_WAKE) !== 0) {
        throw new BugCheck(TIMER_OR_DPC_INVALID, 'ExAllocateTimer with both high resolution and no wake');
      }
      const adapter = scheduler.current.callbacks.at(-1)?.adapter;
      return exTimers.allocate(Callback, CallbackContext, (Attributes & EX_TIMER_NOTIFICATION) !== 0, adapter);
    },
  }),
  ExSetTimer: f({
    module,
    page: 'wdm-exsettimer',
    params: { Timer: POINTER, DueTime: LONGLONG, Period: LONGLONG, Parameters: POINTER },
    returns: 'bool',
    irql: D,
    body: ({ exTimers }, { Timer, DueTime, Period }) => exTimers.set(Timer, DueTime, Period),
  }),
  ExCancelTimer: f({
    module,
    page: 'wdm-excanceltimer',
    params: { Timer: POINTER, Parameters: POINTER },
    returns: 'bool',
    irql: D,
    body: ({ exTimers }, { Timer }) => exTimers.cancel(Timer),
  }),
  ExDeleteTimer: f({
    module,
    page: 'wdm-exdeletetimer',
    params: { Timer: POINTER, Cancel: BOOLEAN, Wait: BOOLEAN, Parameters: INOPT(EXT_DELETE_PARAMETERS) },
    returns: 'bool',
    irql: D,
    undoes: {
      types: ['ex-timer'],
      key: ({ Timer }) => Timer,
      stray: ({ pool }, { Timer }) => pool.describe(Timer),
      otherwise: () => false,
    },
    *body({ exTimers }, { Timer, Cancel, Wait, Parameters }) {
      if (Wait && !Cancel) throw new BugCheck(TIMER_OR_DPC_INVALID, 'ExDeleteTimer with Wait but without Cancel');
      return yield* exTimers.delete(Timer, {
        cancel: Cancel,
        wait: Wait,
        routine: Parameters?.DeleteCallback ?? NULL,
        context: Parameters?.DeleteContext ?? NULL,
      });
    },
  }),
};
