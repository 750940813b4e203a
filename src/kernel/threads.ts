/**
 * Threads: the objects every thread has, and the threads drivers make. A system thread is a context of its own; it ends when
 * its routine returns or calls PsTerminateSystemThread, and then its object is signalled.
 * Pages: wdm-pscreatesystemthread, wdm-psterminatesystemthread, wdm-kesetprioritythread and their neighbours.
 */

import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, type Handle, hex, NULL } from '../trace/units.ts';
import { type Dispatcher, ObjectType } from './dispatcher.ts';
import type { Invoker } from './invoke.ts';
import type { ObjectManager } from './object-manager.ts';
import { callback, P, POINTER } from './record.ts';
import type { Resources } from './resources.ts';
import type { Context, Coroutine, Scheduler } from './scheduler.ts';

/** Bytes of an ETHREAD that are there; drivers treat it as opaque (size observed on Windows 10, rounded up). */
const ETHREAD_SIZE = 0x900;
/** Size of the part that can be waited for, as its header gives it. */
const KTHREAD_SIZE = 0x200;
const NORMAL_PRIORITY = 8;

export const START_ROUTINE = callback({
  name: 'StartRoutine',
  page: 'wdm-kstart_routine',
  params: { StartContext: POINTER },
  returns: 'void',
  irql: P,
});

/** What is known of a thread beside its coroutine. */
export interface Thread {
  readonly object: Address;
  readonly context: Context;
  /** PsGetCurrentThreadId. */
  readonly id: number;
  /** Made by the driver: only such a thread may end itself. */
  readonly isDrivers: boolean;
  priority: number;
  basePriority: number;
  /** How often normal APCs, and all APCs, are held off: critical and guarded regions. */
  criticalRegions: number;
  guardedRegions: number;
}

/** Ends the thread that it is thrown in. */
class ThreadEnd extends Error {
  readonly status: number;
  constructor(status: number) {
    super('the thread ends itself');
    this.status = status;
  }
}

export class Threads {
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly resources: Resources;
  private readonly objects: ObjectManager;
  private readonly dispatcher: () => Dispatcher;
  private readonly invoker: () => Invoker;
  private readonly byContext = new Map<Context, Thread>();
  private readonly byObject = new Map<Address, Thread>();
  private created = 0;

  constructor(parts: {
    scheduler: Scheduler;
    trace: Recorder;
    resources: Resources;
    objects: ObjectManager;
    dispatcher: () => Dispatcher;
    invoker: () => Invoker;
  }) {
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.resources = parts.resources;
    this.objects = parts.objects;
    this.dispatcher = parts.dispatcher;
    this.invoker = parts.invoker;
  }

  /** The thread that runs; the one under it, for a DPC or an interrupt. Undefined on an idle processor. */
  get running(): Thread | undefined {
    const { active } = this.scheduler;
    if (active === undefined) return undefined;
    const bottom = active.kind === 'thread' ? active : this.scheduler.processor.contexts[0];
    return bottom?.kind === 'thread' ? this.of(bottom) : undefined;
  }

  /** Its thread object, or NULL. */
  current(): Address {
    return this.running?.object ?? NULL;
  }

  of(context: Context): Thread {
    return this.byContext.get(context) ?? this.enter(context, false);
  }

  /** The thread behind a thread object. */
  behind(object: Address): Thread | undefined {
    return this.byObject.get(object);
  }

  private enter(context: Context, isDrivers: boolean): Thread {
    const object = this.objects.create('Thread', ETHREAD_SIZE, `ETHREAD of ${context.name}`, () => {
      this.byObject.delete(object);
    });
    const thread: Thread = {
      object,
      context,
      id: 4 * (this.byContext.size + 2),
      isDrivers,
      priority: NORMAL_PRIORITY,
      basePriority: 0,
      criticalRegions: isDrivers ? 1 : 0, // a new system thread runs inside a critical region (wdm-pscreatesystemthread)
      guardedRegions: 0,
    };
    this.byContext.set(context, thread);
    this.byObject.set(object, thread);
    this.dispatcher().initialize(object, ObjectType.Thread, KTHREAD_SIZE, 0);
    return thread;
  }

  /** Starts a thread of the driver in its routine. */
  start(routine: Address, startContext: Address, adapter: Handle | undefined): Thread {
    const name = `system thread ${++this.created}`;
    const context = this.scheduler.startThread(name, this.run(routine, startContext, adapter));
    return this.enter(context, true);
  }

  private *run(routine: Address, startContext: Address, adapter: Handle | undefined): Coroutine<void> {
    const thread = this.of(this.scheduler.current);
    try {
      yield* this.invoker().invoke(START_ROUTINE, routine, { StartContext: startContext }, adapter);
    } catch (signal) {
      if (!(signal instanceof ThreadEnd)) throw signal;
    }
    this.ended(thread);
  }

  private ended(thread: Thread): void {
    if (thread.context.locks.length > 0) {
      const locks = thread.context.locks.map((lock) => hex(lock)).join(', ');
      this.trace.emit({ kind: 'fact', what: 'thread-ended-with-locks', detail: { thread: hex(thread.object), locks } });
    }
    this.resources.end(['system-thread'], thread.object, 'the end of the thread');
    this.dispatcher().signal(thread.object, 1);
    this.objects.dereference(thread.object);
  }

  /** Ends the current thread; returns only when it may not. */
  end(status: number): void {
    const { current } = this.scheduler;
    if (current.kind === 'thread' && this.of(current).isDrivers) throw new ThreadEnd(status);
  }

  /** Its unique ids: process System, and the thread's own. */
  clientId(thread: Thread): { process: number; thread: number } {
    return { process: SYSTEM_PROCESS_ID, thread: thread.id };
  }

  /** Every thread of the driver that has not ended. */
  alive(): Thread[] {
    return [...this.byContext.values()].filter((thread) => thread.isDrivers && !thread.context.done);
  }

  /** Changes how often APCs are held off; says so when a region is left that nobody entered. */
  region(kind: 'criticalRegions' | 'guardedRegions', by: 1 | -1): void {
    const thread = this.running;
    if (thread === undefined) return;
    thread[kind] += by;
    if (thread[kind] >= 0) return;
    thread[kind] = 0;
    this.trace.emit({ kind: 'fact', what: 'region-left-unentered', detail: { thread: hex(thread.object), kind } });
  }
}

export const SYSTEM_PROCESS_ID = 4;
/** Where a waiter finds the state of a thread: the header's second word. */
export const threadState = (object: Address): Address => at(object, 4);
