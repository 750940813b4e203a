/**
 * Timers. `Timers` is the system's timer queue for whatever expires in virtual time (kernel timers, EX_TIMERs, NDIS timer
 * objects); `KernelTimers` are KTIMERs in the driver's memory. Expiry queues a DPC; nothing of the driver runs in the alarm.
 * Pages: wdm-kesettimerex, wdm-kecanceltimer, wdm-kesetcoalescabletimer and their neighbours.
 */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, type Handle, hex, MILLISECOND, NULL, type VirtualTime } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Alarm, Clock } from './clock.ts';
import { type Dispatcher, ObjectType } from './dispatcher.ts';
import type { KernelDpcs } from './dpcs.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u32 } from './layout.ts';
import type { LiveObjects } from './live-objects.ts';
import type { Ordering } from './ordering.ts';
import { ANY, D, functionsOf, LONGLONG, POINTER, ULONG } from './record.ts';
import type { Resources } from './resources.ts';
import { DISPATCHER_HEADER, LIST_ENTRY, longlong } from './structures.ts';

/** One thing that can expire. `expire` runs in no context: it may signal and queue, never call the driver. */
export interface Timer {
  readonly expire: () => void;
  /** Set while it is in the timer queue. */
  alarm: Alarm | undefined;
  /** In units of 100 ns; 0 for a one-shot. */
  period: number;
}

export class Timers {
  private readonly clock: Clock;
  private readonly ordering: Ordering;

  constructor(clock: Clock, ordering: Ordering) {
    this.clock = clock;
    this.ordering = ordering;
  }

  create(expire: () => void): Timer {
    return { expire, alarm: undefined, period: 0 };
  }

  /** Puts it into the queue, anew if it was there. True when it was. */
  set(timer: Timer, due: VirtualTime, period = 0): boolean {
    const was = this.cancel(timer);
    this.ordering.publish(timer);
    timer.period = period;
    this.start(timer, due);
    return was;
  }

  /** What has been done since it was set, to the timer's own memory, comes before its expiry as well. */
  passOn(timer: Timer): void {
    this.ordering.publish(timer);
  }

  private start(timer: Timer, due: VirtualTime): void {
    timer.alarm = this.clock.set(due, () => {
      timer.alarm = undefined;
      if (timer.period > 0) this.start(timer, (Math.max(due, this.clock.now) + timer.period) as VirtualTime);
      this.ordering.actingFor(timer, timer.expire);
    });
  }

  /** True when it was in the queue. A periodic timer always is, from set to cancel. */
  cancel(timer: Timer): boolean {
    if (timer.alarm === undefined) return false;
    this.clock.cancel(timer.alarm);
    timer.alarm = undefined;
    this.ordering.observe(timer);
    return true;
  }

  isSet(timer: Timer): boolean {
    return timer.alarm !== undefined;
  }
}

export const KTIMER = struct('KTIMER', {
  Header: DISPATCHER_HEADER,
  DueTime: longlong,
  TimerListEntry: LIST_ENTRY,
  Dpc: pointer,
  Processor: u32,
  Period: u32,
});
/** `Inserted` in the header's fourth byte (wdm.h, TimerMiscFlags). */
const INSERTED = 0x40;

interface Known {
  readonly timer: Timer;
  dpc: Address;
  /** Who set it last, for the DPC it will queue. */
  by: { fn: string; stack: Stack; adapter: Handle | undefined };
}

export class KernelTimers {
  private readonly memory: GuestMemory;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly dispatcher: Dispatcher;
  private readonly dpcs: KernelDpcs;
  private readonly live: LiveObjects;
  private readonly trace: Recorder;
  private readonly resources: Resources;
  private readonly byAddress = new Map<Address, Known>();

  constructor(parts: {
    memory: GuestMemory;
    clock: Clock;
    timers: Timers;
    dispatcher: Dispatcher;
    kernelDpcs: KernelDpcs;
    live: LiveObjects;
    trace: Recorder;
    resources: Resources;
  }) {
    this.memory = parts.memory;
    this.clock = parts.clock;
    this.timers = parts.timers;
    this.dispatcher = parts.dispatcher;
    this.dpcs = parts.kernelDpcs;
    this.live = parts.live;
    this.trace = parts.trace;
    this.resources = parts.resources;
  }

  initialize(address: Address, type: 'notification' | 'synchronization'): void {
    if (this.isSet(address)) {
      this.trace.emit({ kind: 'fact', what: 'set-timer-initialized-again', detail: { timer: hex(address) } });
    }
    this.memory.fill(address, KTIMER.size, 0);
    const number = type === 'notification' ? ObjectType.NotificationTimer : ObjectType.SynchronizationTimer;
    this.dispatcher.initialize(address, number, KTIMER.size, 0);
  }

  /** True when it was set already. `dueTime` as KeSetTimer takes it, `period` in milliseconds. */
  set(address: Address, dueTime: number, period: number, dpc: Address, by: Known['by']): boolean {
    const due = this.clock.dueAt(dueTime);
    this.dispatcher.signal(address, 0);
    KTIMER.write(this.memory, address, { DueTime: due, Dpc: dpc, Period: period });
    const known = this.known(address);
    known.dpc = dpc;
    known.by = by;
    const was = this.timers.set(known.timer, due, period * MILLISECOND);
    if (was) {
      // Setting a set timer cancels it first (wdm-kesettimerex).
      this.resources.end(['ktimer'], address, by.fn);
    }
    this.mark(address, true);
    this.timers.passOn(known.timer);
    return was;
  }

  /**
   * True when it was in the timer queue. A DPC that an expiry has already queued stays queued: the page tells drivers to
   * flush after cancelling a periodic timer, and the timer is all that Windows takes out (observed).
   */
  cancel(address: Address): boolean {
    const known = this.byAddress.get(address);
    if (known === undefined || !this.timers.cancel(known.timer)) return false;
    this.mark(address, false);
    return true;
  }

  isSet(address: Address): boolean {
    const known = this.byAddress.get(address);
    return known !== undefined && this.timers.isSet(known.timer);
  }

  private known(address: Address): Known {
    const found = this.byAddress.get(address);
    if (found !== undefined) return found;
    const made: Known = {
      timer: this.timers.create(() => this.expire(address, made)),
      dpc: NULL,
      by: { fn: '', stack: [], adapter: undefined },
    };
    this.byAddress.set(address, made);
    return made;
  }

  private expire(address: Address, known: Known): void {
    this.live.require(address, KTIMER.size, 'KTIMER');
    if (!this.timers.isSet(known.timer)) {
      this.mark(address, false);
      this.resources.end(['ktimer'], address, 'the timer queue');
    }
    this.dispatcher.signal(address, 1);
    // The routine is told the time in two halves (observed; wdm-kdeferred_routine calls them undefined for timers).
    const time = this.clock.systemTime;
    if (known.dpc !== NULL) {
      this.dpcs.insertFor(known.dpc, Number(time & 0xffff_ffffn), Number(time >> 32n), known.by);
    }
  }

  private mark(address: Address, set: boolean): void {
    DISPATCHER_HEADER.at(this.memory, address).Reserved1 = set ? INSERTED : 0;
    if (set) this.live.add(address, KTIMER.size, 'set KTIMER');
    else this.live.remove(address, 'set KTIMER');
  }
}

const f = functionsOf<Kernel>();

/** Who calls, for the DPC that comes of it. */
function caller(kernel: Kernel, fn: string): Known['by'] {
  return { fn, stack: kernel.stack(), adapter: kernel.scheduler.current.callbacks.at(-1)?.adapter };
}

export const timerFunctions = {
  KeInitializeTimer: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializetimer',
    params: { Timer: POINTER },
    returns: 'void',
    irql: D,
    body({ kernelTimers }, { Timer }) {
      kernelTimers.initialize(Timer, 'notification');
      return undefined;
    },
  }),
  KeInitializeTimerEx: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializetimerex',
    params: { Timer: POINTER, Type: ULONG },
    returns: 'void',
    irql: D,
    body({ kernelTimers }, { Timer, Type }) {
      kernelTimers.initialize(Timer, Type === 0 ? 'notification' : 'synchronization');
      return undefined;
    },
  }),
  KeSetTimer: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesettimer',
    params: { Timer: POINTER, DueTime: LONGLONG, Dpc: POINTER },
    returns: 'bool',
    irql: D,
    acquires: { type: 'ktimer', key: ({ Timer }) => Timer, detail: () => ({ period: 0 }), when: () => true },
    body(kernel, { Timer, DueTime, Dpc }, { fn }) {
      return kernel.kernelTimers.set(Timer, DueTime, 0, Dpc, caller(kernel, fn));
    },
  }),
  KeSetTimerEx: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesettimerex',
    params: { Timer: POINTER, DueTime: LONGLONG, Period: ULONG, Dpc: POINTER },
    returns: 'bool',
    irql: D,
    acquires: {
      type: 'ktimer',
      key: ({ Timer }) => Timer,
      detail: ({ Period }) => ({ period: Period }),
      when: () => true,
    },
    body(kernel, { Timer, DueTime, Period, Dpc }, { fn }) {
      return kernel.kernelTimers.set(Timer, DueTime, Period, Dpc, caller(kernel, fn));
    },
  }),
  KeSetCoalescableTimer: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesetcoalescabletimer',
    params: { Timer: POINTER, DueTime: LONGLONG, Period: ULONG, TolerableDelay: ULONG, Dpc: POINTER },
    returns: 'bool',
    irql: D,
    acquires: {
      type: 'ktimer',
      key: ({ Timer }) => Timer,
      detail: ({ Period }) => ({ period: Period }),
      when: () => true,
    },
    // The delay it may have is never used: an expiry on time is one of the allowed ones.
    body(kernel, { Timer, DueTime, Period, Dpc }, { fn }) {
      return kernel.kernelTimers.set(Timer, DueTime, Period, Dpc, caller(kernel, fn));
    },
  }),
  KeCancelTimer: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kecanceltimer',
    params: { Timer: POINTER },
    returns: 'bool',
    irql: D,
    undoes: { types: ['ktimer'], key: ({ Timer }) => Timer, mayBeIdle: true },
    body({ kernelTimers }, { Timer }) {
      return kernelTimers.cancel(Timer);
    },
  }),
  KeReadStateTimer: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereadstatetimer',
    params: { Timer: POINTER },
    returns: 'bool',
    irql: ANY,
    body({ dispatcher }, { Timer }) {
      return dispatcher.state(Timer) > 0;
    },
  }),
};
