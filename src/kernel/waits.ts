/**
 * The functions that make, signal and wait for dispatcher objects: events, semaphores, mutexes; waits and delays.
 * Pages: wdm-kesetevent, wdm-kereleasesemaphore, wdm-kereleasemutex, wdm-kewaitforsingleobject and their neighbours.
 */
import { type Address, at, hex, NULL, type VirtualTime } from '../trace/units.ts';
import { KMUTANT, ObjectType, type WaitResult } from './dispatcher.ts';
import type { Kernel } from './kernel.ts';
import { i32, struct } from './layout.ts';
import { KernelObject } from './object-manager.ts';
import { A, ANY, BOOLEAN, D, functionsOf, HANDLE, IN, INOPT, LONG, POINTER, UCHAR, ULONG } from './record.ts';
import { type Coroutine, SPINNING } from './scheduler.ts';
import { Status } from './status.ts';
import { BugCheck, Unsupported } from './stops.ts';
import { DISPATCHER_HEADER, LARGE_INTEGER } from './structures.ts';

const f = functionsOf<Kernel>();

export const KSEMAPHORE = struct('KSEMAPHORE', { Header: DISPATCHER_HEADER, Limit: i32 });

const STATUS_TIMEOUT = 0x102;
const KMODE_EXCEPTION_NOT_HANDLED = 0x1e;
const MAXIMUM_WAIT_OBJECTS_EXCEEDED = 0x0c;
/** Objects a thread has wait blocks of its own for, and the most it can wait for (wdm-kewaitformultipleobjects). */
const THREAD_WAIT_OBJECTS = 3;
const MAXIMUM_WAIT_OBJECTS = 64;
const WaitAll = 0;

function deadline(kernel: Kernel, timeout: { QuadPart: number } | undefined): { deadline?: VirtualTime } {
  return timeout === undefined ? {} : { deadline: kernel.clock.dueAt(timeout.QuadPart) };
}

/** What has a dispatcher header of its own. */
const WAITABLE: readonly string[] = ['Event', 'Semaphore', 'Thread'];

const statusOf = (result: WaitResult): number => (result === 'timeout' ? STATUS_TIMEOUT : result);

export const waitFunctions = {
  KeInitializeEvent: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializeevent',
    params: { Event: POINTER, Type: ULONG, State: BOOLEAN },
    returns: 'void',
    irql: ANY,
    body({ dispatcher }, { Event, Type, State }) {
      dispatcher.initializeEvent(Event, Type === 0 ? 'notification' : 'synchronization', State);
      return undefined;
    },
  }),
  KeSetEvent: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesetevent',
    params: { Event: POINTER, Increment: LONG, Wait: BOOLEAN },
    returns: 'i32',
    irql: D,
    body({ dispatcher }, { Event }) {
      return dispatcher.setEvent(Event);
    },
  }),
  KeClearEvent: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keclearevent',
    params: { Event: POINTER },
    returns: 'void',
    irql: D,
    body({ dispatcher }, { Event }) {
      dispatcher.clearEvent(Event);
      return undefined;
    },
  }),
  KeResetEvent: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keresetevent',
    params: { Event: POINTER },
    returns: 'i32',
    irql: D,
    body({ dispatcher }, { Event }) {
      return dispatcher.clearEvent(Event);
    },
  }),
  KePulseEvent: f({
    module: 'ntoskrnl.exe',
    page: 'ntddk-kepulseevent',
    params: { Event: POINTER, Increment: LONG, Wait: BOOLEAN },
    returns: 'i32',
    irql: D,
    body({ dispatcher }, { Event }) {
      const before = dispatcher.setEvent(Event);
      dispatcher.clearEvent(Event);
      return before;
    },
  }),
  KeReadStateEvent: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereadstateevent',
    params: { Event: POINTER },
    returns: 'i32',
    irql: ANY,
    body({ dispatcher }, { Event }) {
      return dispatcher.state(Event);
    },
  }),
  KeInitializeSemaphore: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializesemaphore',
    params: { Semaphore: POINTER, Count: LONG, Limit: LONG },
    returns: 'void',
    irql: ANY,
    body({ dispatcher, memory }, { Semaphore, Count, Limit }) {
      dispatcher.initialize(Semaphore, ObjectType.Semaphore, KSEMAPHORE.size, Count);
      KSEMAPHORE.at(memory, Semaphore).Limit = Limit;
      return undefined;
    },
  }),
  KeReleaseSemaphore: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereleasesemaphore',
    params: { Semaphore: POINTER, Increment: LONG, Adjustment: LONG, Wait: BOOLEAN },
    returns: 'i32',
    irql: D,
    body({ dispatcher, memory, trace }, { Semaphore, Adjustment }) {
      const count = dispatcher.state(Semaphore);
      const limit = KSEMAPHORE.at(memory, Semaphore).Limit;
      if (Adjustment <= 0 || count + Adjustment > limit) {
        const detail = { semaphore: hex(Semaphore), count, adjustment: Adjustment, limit };
        trace.emit({ kind: 'fact', what: 'semaphore-limit-exceeded', detail });
        throw new BugCheck(
          KMODE_EXCEPTION_NOT_HANDLED,
          `the semaphore at ${hex(Semaphore)} is released beyond its limit`,
        );
      }
      return dispatcher.signal(Semaphore, count + Adjustment);
    },
  }),
  KeReadStateSemaphore: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereadstatesemaphore',
    params: { Semaphore: POINTER },
    returns: 'i32',
    irql: ANY,
    body({ dispatcher }, { Semaphore }) {
      return dispatcher.state(Semaphore);
    },
  }),
  KeInitializeMutex: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializemutex',
    params: { Mutex: POINTER, Level: ULONG },
    returns: 'void',
    irql: ANY,
    body({ dispatcher, memory }, { Mutex }) {
      memory.fill(Mutex, KMUTANT.size, 0);
      dispatcher.initialize(Mutex, ObjectType.Mutant, KMUTANT.size, 1);
      return undefined;
    },
  }),
  KeReleaseMutex: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereleasemutex',
    params: { Mutex: POINTER, Wait: BOOLEAN },
    returns: 'i32',
    irql: D,
    body({ dispatcher }, { Mutex }) {
      return dispatcher.releaseMutex(Mutex);
    },
  }),
  KeReadStateMutex: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kereadstatemutex',
    params: { Mutex: POINTER },
    returns: 'i32',
    irql: D,
    body({ dispatcher }, { Mutex }) {
      return dispatcher.state(Mutex);
    },
  }),
  KeWaitForSingleObject: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kewaitforsingleobject',
    params: {
      Object: POINTER,
      WaitReason: ULONG,
      WaitMode: UCHAR,
      Alertable: BOOLEAN,
      Timeout: INOPT(LARGE_INTEGER),
    },
    returns: 'status',
    irql: D,
    *body(kernel, { Object: object, Timeout }) {
      return statusOf(yield* kernel.dispatcher.wait([object], deadline(kernel, Timeout)));
    },
  }),
  ZwWaitForSingleObject: f({
    module: 'ntoskrnl.exe',
    page: 'ntifs-zwwaitforsingleobject',
    params: { Handle: HANDLE, Alertable: BOOLEAN, Timeout: INOPT(LARGE_INTEGER) },
    returns: 'status',
    irql: D,
    *body(kernel, { Handle: handle, Timeout }, { fn }) {
      const entry = kernel.handles.entry(handle);
      if (entry === undefined) return Status.INVALID_HANDLE;
      const { object } = entry;
      if (!(object instanceof KernelObject) || !WAITABLE.includes(object.type)) {
        throw new Unsupported(fn, `a wait for what is behind a handle of type ${entry.type}`, kernel.stack());
      }
      return statusOf(yield* kernel.dispatcher.wait([object.address], deadline(kernel, Timeout)));
    },
  }),
  KeWaitForMultipleObjects: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kewaitformultipleobjects',
    params: {
      Count: ULONG,
      Object: POINTER,
      WaitType: ULONG,
      WaitReason: ULONG,
      WaitMode: UCHAR,
      Alertable: BOOLEAN,
      Timeout: INOPT(LARGE_INTEGER),
      WaitBlockArray: POINTER,
    },
    returns: 'status',
    irql: D,
    *body(kernel, { Count, Object: objects, WaitType, Timeout, WaitBlockArray }) {
      const most = WaitBlockArray === NULL ? THREAD_WAIT_OBJECTS : MAXIMUM_WAIT_OBJECTS;
      if (Count > most) {
        throw new BugCheck(MAXIMUM_WAIT_OBJECTS_EXCEEDED, `a wait for ${Count} objects, with room for ${most}`);
      }
      const all = Array.from(
        { length: Count },
        (_, index): Address => kernel.memory.readPointer(at(objects, 8 * index)),
      );
      const options = { all: WaitType === WaitAll, ...deadline(kernel, Timeout) };
      return statusOf(yield* kernel.dispatcher.wait(all, options));
    },
  }),
  KeDelayExecutionThread: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kedelayexecutionthread',
    params: { WaitMode: UCHAR, Alertable: BOOLEAN, Interval: IN(LARGE_INTEGER) },
    returns: 'status',
    irql: A,
    *body({ clock }, { Interval }): Coroutine<number> {
      const due = clock.dueAt(Interval.QuadPart);
      if (due <= clock.now) yield SPINNING;
      else yield { kind: 'wait', what: 'a delay to pass', ready: () => false, deadline: due };
      return 0;
    },
  }),
};
