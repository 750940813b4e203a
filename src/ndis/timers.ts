/**
 * NDIS timer objects. Expiry queues a DPC that calls NetTimerCallback at DISPATCH_LEVEL; cancelling takes a timer out of the
 * system's queue and no more: a one-shot's callback may be queued or running on another processor, and only the cancel of a
 * periodic timer waits for it. Pages: ndis-ndisallocatetimerobject, ndis-ndissettimerobject, ndis-ndiscanceltimerobject,
 * ndis-ndisfreetimerobject, nc-ndis-ndis_timer_function, network/setting-and-clearing-timers.
 */
import { code, pointer, struct, u32 } from '../kernel/layout.ts';
import {
  callback,
  D,
  EXACTLY_D,
  failsWith,
  functionsOf,
  HANDLE,
  IN,
  LONG,
  LONGLONG,
  OUT,
  POINTER,
  ULONG,
} from '../kernel/record.ts';
import type { Context, Coroutine, Processor } from '../kernel/scheduler.ts';
import { BugCheck } from '../kernel/stops.ts';
import type { Timer } from '../kernel/timers.ts';
import { type Address, type Handle, hex, MILLISECOND, NULL, type VirtualTime } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import { adapterFor, checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import {
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

export const NDIS_TIMER_CHARACTERISTICS = struct('NDIS_TIMER_CHARACTERISTICS', {
  Header: NDIS_OBJECT_HEADER,
  AllocationTag: u32,
  TimerFunction: code,
  FunctionContext: pointer,
});

export const NetTimerCallback = callback({
  name: 'NetTimerCallback',
  page: 'nc-ndis-ndis_timer_function',
  params: { SystemSpecific1: POINTER, FunctionContext: POINTER, SystemSpecific2: POINTER, SystemSpecific3: POINTER },
  returns: 'void',
  irql: EXACTLY_D,
});

/** How long the other processor keeps a lost timer's DPC waiting (assumed; only that it outlasts what halt does meanwhile). */
const BUSY = 500 * MILLISECOND;

/** TIMER_OR_DPC_INVALID: a timer or its DPC lies in memory that was freed. */
const TIMER_OR_DPC_INVALID = 0xc7;

/** A timer of NDIS: an object it allocated, or the driver's own NDIS_TIMER (legacy-timers.ts). */
export interface NdisTimer {
  /** The object's handle, or where the NDIS_TIMER lies. */
  readonly key: Address;
  /** The NDIS handle it was made with. */
  readonly owner: Handle | undefined;
  readonly routine: Address;
  /** What the callback is given unless a set says otherwise. */
  readonly defaultContext: Address;
  /** Bytes of the driver's memory it takes; 0 for an object of NDIS' own. */
  readonly storage: number;
  readonly queue: Timer;
  context: Address;
  /** As it was set last. */
  periodic: boolean;
  /** Where its callback runs now. */
  runs: Context | undefined;
  freed: boolean;
}

const LIVE = 'set NDIS_TIMER';

export class NdisTimers {
  private readonly ndis: Ndis;
  /** Freed ones stay known, so that a late call can be told from a wild one. */
  private readonly timers = new Map<Address, NdisTimer>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  create(parts: Pick<NdisTimer, 'key' | 'owner' | 'routine' | 'defaultContext' | 'storage'>): NdisTimer {
    const timer: NdisTimer = {
      ...parts,
      queue: this.ndis.kernel.timers.create(() => this.expire(timer)),
      context: parts.defaultContext,
      periodic: false,
      runs: undefined,
      freed: false,
    };
    this.timers.set(timer.key, timer);
    return timer;
  }

  /** The timer a call names. What names none is a fact, and NDIS looks into it: NULL and stray pointers fault there. */
  named(key: Address, fn: string): NdisTimer | undefined {
    const timer = this.timers.get(key);
    if (timer !== undefined && !timer.freed) return timer;
    const { kernel } = this.ndis;
    const what = timer === undefined ? 'timer-call-on-unknown' : 'timer-call-on-freed';
    emitFact(kernel, what, { fn, timer: hex(key) });
    if (timer === undefined) kernel.memory.readU8(key);
    return undefined;
  }

  /** Whether it is in the system's timer queue. */
  isSet(timer: NdisTimer): boolean {
    return this.ndis.kernel.timers.isSet(timer.queue);
  }

  /** The one live under that key, if any; says nothing. */
  peek(key: Address): NdisTimer | undefined {
    const timer = this.timers.get(key);
    return timer?.freed === false ? timer : undefined;
  }

  /** Queues it, anew if it was there; true when it was. `period` in milliseconds, 0 for a one-shot. */
  set(timer: NdisTimer, due: VirtualTime, period: number, context: Address, fn: string): boolean {
    const { kernel } = this.ndis;
    timer.context = context === NULL ? timer.defaultContext : context;
    timer.periodic = period !== 0;
    const was = kernel.timers.set(timer.queue, due, period * MILLISECOND);
    if (timer.storage > 0) kernel.live.add(timer.key, timer.storage, LIVE);
    if (kernel.resources.live(['timer-set'], timer.key) === undefined) {
      kernel.resources.acquire('timer-set', timer.key, {
        fn,
        ...(timer.owner === undefined ? {} : { owner: timer.owner }),
        detail: { period },
        stack: kernel.stack(),
      });
    } else {
      // Setting a set timer moves it; there is still one thing to cancel.
      this.tell('timer-rearmed', timer, { period });
    }
    return was;
  }

  /** Takes it out of the queue; true when it was there. `lost`: it expires on another processor at this very moment. */
  cancel(timer: NdisTimer, fn: string, lost = false): boolean {
    const { kernel } = this.ndis;
    if (lost && this.canLose(timer)) this.expireElsewhere(timer);
    const was = kernel.timers.cancel(timer.queue);
    if (was) {
      kernel.live.remove(timer.key, LIVE);
      const found = kernel.resources.find(['timer-set'], timer.key);
      kernel.resources.undo(['timer-set'], timer.key, { fn, outcome: 'undone', found, stack: kernel.stack() });
    } else {
      const state = this.callbackState(timer);
      if (state !== undefined && state !== 'calls this')
        this.tell('timer-callback-pending', timer, { callback: state });
    }
    return was;
  }

  /** Waits for a callback that is queued or running. Not for the one that calls: NDIS' reaction is not documented. */
  *drain(timer: NdisTimer): Coroutine<void> {
    if (timer.runs !== undefined && timer.runs === this.ndis.kernel.scheduler.active) {
      this.tell('timer-cancelled-in-own-callback', timer, {});
      return;
    }
    yield* this.ndis.kernel.dpcs.flush(timer);
  }

  free(timer: NdisTimer): void {
    const { kernel } = this.ndis;
    const state = this.isSet(timer) ? 'set' : this.callbackState(timer);
    if (state !== undefined) this.tell('timer-freed-while-active', timer, { state });
    timer.freed = true;
    kernel.heap.free(timer.key, kernel.stack());
  }

  /** How far the callback of an expiry has come, or undefined when none is under way. */
  callbackState(timer: NdisTimer): 'queued' | 'running' | 'calls this' | undefined {
    const { dpcs, scheduler } = this.ndis.kernel;
    if (dpcs.isQueued(timer)) return 'queued';
    // A processor has taken the DPC, and its first instruction is yet to come.
    if (timer.runs === undefined) return dpcs.isRunning(timer) ? 'running' : undefined;
    return timer.runs === scheduler.active ? 'calls this' : 'running';
  }

  /** Whether a cancel of it can come too late: a one-shot in the queue, and a processor to expire on meanwhile. */
  canLose(timer: NdisTimer): boolean {
    return this.isSet(timer) && !timer.periodic && this.ndis.kernel.scheduler.processors.length > 1;
  }

  /** Its DPC is queued on a processor that is busy for a while: nothing but waiting for it sees it run. */
  private expireElsewhere(timer: NdisTimer): void {
    const { timers, scheduler, clock } = this.ndis.kernel;
    timers.cancel(timer.queue);
    const elsewhere = scheduler.active?.processor === 1 ? 0 : 1;
    scheduler.occupy(scheduler.processors[elsewhere] as Processor, (clock.now + BUSY) as VirtualTime);
    this.expire(timer, elsewhere);
  }

  private expire(timer: NdisTimer, processor?: number): void {
    this.mustBeThere(timer);
    // A one-shot has left the queue: there is nothing to cancel any more, only its callback to wait for.
    if (!this.isSet(timer)) {
      this.ndis.kernel.live.remove(timer.key, LIVE);
      this.ndis.kernel.resources.end(['timer-set'], timer.key, 'the timer queue');
    }
    this.ndis.kernel.dpcs.queue({
      name: `DPC of the NDIS timer ${hex(timer.key)}`,
      source: timer,
      processor,
      start: () => this.run(timer),
    });
  }

  private *run(timer: NdisTimer): Coroutine<void> {
    this.mustBeThere(timer);
    const { kernel } = this.ndis;
    this.tell('timer-callback-started', timer, {});
    timer.runs = kernel.scheduler.current;
    yield* kernel.invoker.invoke(
      NetTimerCallback,
      timer.routine,
      { SystemSpecific1: NULL, FunctionContext: timer.context, SystemSpecific2: NULL, SystemSpecific3: NULL },
      timer.owner === undefined ? undefined : adapterFor(this.ndis, timer.owner),
    );
    timer.runs = undefined;
    this.tell('timer-callback-ended', timer, {});
  }

  /** The system touches the timer outside any call of the driver: its memory must still be there. */
  private mustBeThere(timer: NdisTimer): void {
    if (timer.storage > 0) this.ndis.kernel.live.require(timer.key, timer.storage, 'NDIS_TIMER');
    if (!timer.freed) return;
    this.tell('timer-expired-after-free', timer, {});
    throw new BugCheck(TIMER_OR_DPC_INVALID, `the NDIS timer object ${hex(timer.key)} expires after it was freed`);
  }

  private tell(what: string, timer: NdisTimer, detail: Readonly<Record<string, string | number>>): void {
    emitFact(this.ndis.kernel, what, { timer: hex(timer.key), ...detail });
  }
}

function setObject(ndis: Ndis, args: { TimerObject: Handle } & Setting, fn: string): boolean {
  const timer = ndis.timers.named(args.TimerObject, fn);
  if (timer === undefined) return false;
  const due = ndis.kernel.clock.dueAt(args.DueTime);
  return ndis.timers.set(timer, due, args.MillisecondsPeriod, args.FunctionContext, fn);
}
interface Setting {
  readonly DueTime: number;
  readonly MillisecondsPeriod: number;
  readonly FunctionContext: Address;
}
const setting = { TimerObject: HANDLE, DueTime: LONGLONG, MillisecondsPeriod: LONG, FunctionContext: POINTER };

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS', irql: D } as const;
/** Entered by `NdisTimers.set`: a timer that is set again is still one thing. */
const acquiresSet = {
  type: 'timer-set',
  key: ({ TimerObject }: { TimerObject: Handle }) => TimerObject,
  when: () => false,
};

export const timerFunctions = {
  NdisAllocateTimerObject: f({
    ...common,
    page: 'ndis-ndisallocatetimerobject',
    params: { NdisHandle: HANDLE, TimerCharacteristics: IN(NDIS_TIMER_CHARACTERISTICS), pTimerObject: OUT(pointer) },
    returns: 'status',
    acquires: {
      type: 'timer-object',
      key: ({ pTimerObject }) => pTimerObject.get(),
      owner: ({ NdisHandle }) => NdisHandle,
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('bad-characteristics', NDIS_STATUS_BAD_CHARACTERISTICS),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ],
    body(ndis, { NdisHandle, TimerCharacteristics: given, pTimerObject }, { fn }) {
      if (!checkHandle(ndis, NdisHandle, fn)) return NDIS_STATUS_FAILURE;
      const fault = headerFault(given.Header, ObjectType.TIMER_CHARACTERISTICS, [NDIS_TIMER_CHARACTERISTICS.end]);
      if (fault !== undefined || given.TimerFunction === NULL) return NDIS_STATUS_BAD_CHARACTERISTICS;
      const { key } = ndis.timers.create({
        key: ndis.newHandle('NDIS timer object'),
        owner: NdisHandle,
        routine: given.TimerFunction,
        defaultContext: given.FunctionContext,
        storage: 0,
      });
      pTimerObject.set(key);
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisSetTimerObject: f({
    ...common,
    page: 'ndis-ndissettimerobject',
    params: setting,
    returns: 'bool',
    acquires: acquiresSet,
    body: (ndis, args, { fn }) => setObject(ndis, args, fn),
  }),

  NdisSetCoalescableTimerObject: f({
    ...common,
    page: 'ndis-ndissetcoalescabletimerobject',
    params: { ...setting, Tolerance: ULONG },
    returns: 'bool',
    acquires: acquiresSet,
    // The tolerance is never used: an expiry on time is one of the allowed ones.
    body: (ndis, args, { fn }) => setObject(ndis, args, fn),
  }),

  NdisCancelTimerObject: f({
    ...common,
    page: 'ndis-ndiscanceltimerobject',
    params: { TimerObject: HANDLE },
    returns: 'bool',
    // The undo is written by `NdisTimers.cancel`, before a periodic timer's callback is waited for.
    undoes: { types: ['timer-set'], key: ({ TimerObject }) => TimerObject, mayBeIdle: true, when: (_, was) => was },
    failures: [
      {
        // The timer has just expired on another processor (network/setting-and-clearing-timers).
        id: 'lost',
        when({ TimerObject }, ndis: Ndis) {
          const timer = ndis.timers.peek(TimerObject);
          return timer !== undefined && ndis.timers.canLose(timer);
        },
      },
    ],
    *body(ndis, { TimerObject }, { fn, soft }) {
      const timer = ndis.timers.named(TimerObject, fn);
      if (timer === undefined) return false;
      const was = ndis.timers.cancel(timer, fn, soft === 'lost' || ndis.timerRace);
      if (timer.periodic) yield* ndis.timers.drain(timer);
      return was;
    },
  }),

  NdisFreeTimerObject: f({
    ...common,
    page: 'ndis-ndisfreetimerobject',
    params: { TimerObject: HANDLE },
    returns: 'void',
    undoes: { types: ['timer-object'], key: ({ TimerObject }) => TimerObject, otherwise: () => undefined },
    body(ndis, { TimerObject }) {
      const timer = ndis.timers.peek(TimerObject);
      if (timer !== undefined) ndis.timers.free(timer);
      return undefined;
    },
  }),
};
