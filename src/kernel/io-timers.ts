/**
 * The timer of a device object: a routine the system calls once a second at DISPATCH_LEVEL while it is started.
 * Pages: wdm-ioinitializetimer, wdm-iostarttimer, wdm-iostoptimer, nc-wdm-io_timer_routine.
 */
import { type Address, hex, SECOND, type VirtualTime } from '../trace/units.ts';
import type { Clock } from './clock.ts';
import type { Dpcs } from './dpcs.ts';
import type { Invoker } from './invoke.ts';
import { DEVICE_OBJECT } from './io-structures.ts';
import type { Kernel } from './kernel.ts';
import type { LiveObjects } from './live-objects.ts';
import { CODE, callback, D, EXACTLY_D, failsWith, functionsOf, P, POINTER } from './record.ts';
import { Status } from './status.ts';
import { BugCheck } from './stops.ts';
import type { Timer, Timers } from './timers.ts';

export const IO_TIMER_ROUTINE = callback({
  name: 'IoTimer',
  page: 'nc-wdm-io_timer_routine',
  params: { DeviceObject: POINTER, Context: POINTER },
  returns: 'void',
  irql: EXACTLY_D,
});

/** As it is called in findings: a device that goes while it is started is bug check 0xC7's. */
const STARTED = 'started IO_TIMER';
/** DRIVER_VERIFIER_IOMANAGER_VIOLATION stands for it under Driver Verifier; without, the NULL timer is dereferenced. */
const NO_TIMER = 0x50;

export class IoTimers {
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly dpcs: Dpcs;
  private readonly live: LiveObjects;
  private readonly invoker: () => Invoker;
  private readonly byDevice = new Map<Address, Timer>();

  constructor(parts: { clock: Clock; timers: Timers; dpcs: Dpcs; live: LiveObjects; invoker: () => Invoker }) {
    this.clock = parts.clock;
    this.timers = parts.timers;
    this.dpcs = parts.dpcs;
    this.live = parts.live;
    this.invoker = parts.invoker;
  }

  /** A device has one; another call changes the routine of a later round only in that it is the one that is called. */
  initialize(device: Address, routine: Address, context: Address): void {
    const start = () => this.invoker().invoke(IO_TIMER_ROUTINE, routine, { DeviceObject: device, Context: context });
    const timer: Timer = this.timers.create(() => {
      this.live.require(device, DEVICE_OBJECT.size, 'DEVICE_OBJECT with a started timer');
      this.dpcs.queue({ name: `IoTimer of ${hex(device)}`, source: timer, start });
    });
    this.byDevice.set(device, timer);
  }

  start(device: Address): void {
    this.timers.set(this.of(device), (this.clock.now + SECOND) as VirtualTime, SECOND);
    this.live.add(device, DEVICE_OBJECT.size, STARTED);
  }

  /** A routine that is under way runs on; the page promises nothing about it. */
  stop(device: Address): void {
    this.timers.cancel(this.of(device));
    this.live.remove(device, STARTED);
  }

  private of(device: Address): Timer {
    const timer = this.byDevice.get(device);
    if (timer !== undefined) return timer;
    throw new BugCheck(NO_TIMER, `the device object at ${hex(device)} has no timer: IoInitializeTimer was not called`);
  }
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const key = ({ DeviceObject }: { DeviceObject: Address }) => DeviceObject;

export const ioTimerFunctions = {
  IoInitializeTimer: f({
    module,
    page: 'wdm-ioinitializetimer',
    params: { DeviceObject: POINTER, TimerRoutine: CODE, Context: POINTER },
    returns: 'status',
    irql: P,
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body({ ioTimers }, { DeviceObject, TimerRoutine, Context }) {
      ioTimers.initialize(DeviceObject, TimerRoutine, Context);
      return Status.SUCCESS;
    },
  }),
  IoStartTimer: f({
    module,
    page: 'wdm-iostarttimer',
    params: { DeviceObject: POINTER },
    returns: 'void',
    irql: D,
    acquires: { type: 'ktimer', key },
    body({ ioTimers }, { DeviceObject }) {
      ioTimers.start(DeviceObject);
      return undefined;
    },
  }),
  IoStopTimer: f({
    module,
    page: 'wdm-iostoptimer',
    params: { DeviceObject: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['ktimer'], key, mayBeIdle: true },
    body({ ioTimers }, { DeviceObject }) {
      ioTimers.stop(DeviceObject);
      return undefined;
    },
  }),
};
