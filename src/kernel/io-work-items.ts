/**
 * Work items: routines that a system worker thread runs later, at PASSIVE_LEVEL. NDIS' work items are the same machinery.
 * An item is taken off its queue before its routine is called, so the routine may queue or free it again; one that is freed
 * or queued while it waits is what Windows stops for (WORKER_INVALID).
 * Pages: wdm-ioallocateworkitem, wdm-ioqueueworkitem, wdm-iofreeworkitem, wdm-ioinitializeworkitem, bug-check-0xe4.
 */
import type { Recorder } from '../trace/recorder.ts';
import { type Address, hex, type VirtualTime } from '../trace/units.ts';
import type { Clock } from './clock.ts';
import type { Kernel } from './kernel.ts';
import { CODE, callback, D, failsNull, functionsOf, P, POINTER, ULONG } from './record.ts';
import type { Coroutine, Scheduler } from './scheduler.ts';
import { BugCheck } from './stops.ts';

/** WORKER_INVALID. */
const WORKER_INVALID = 0xe4;
/** What IoSizeofWorkItem gives on x64 (observed on Windows 10). */
const WORK_ITEM_SIZE = 0x58;

interface Item {
  /** Waits in a worker thread's queue. */
  queued: boolean;
  /** Routines of it that run now: one that is queued again from inside may run twice at once. */
  running: number;
}

export class WorkItems {
  private readonly clock: Clock;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly items = new Map<Address, Item>();
  private workers = 0;
  /** How long an item waits for a worker thread: nothing, or what a busy system lets it wait. Set by the machine. */
  delay = 0;

  constructor(parts: { scheduler: Scheduler; trace: Recorder; clock: Clock }) {
    this.clock = parts.clock;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
  }

  /** Makes the memory at `item` a work item that is not queued. */
  initialize(item: Address): void {
    this.items.set(item, { queued: false, running: 0 });
  }

  /** A worker thread will run `routine`. `name` is what the thread is called in the trace. */
  queue(item: Address, name: string, routine: () => Coroutine<unknown>): void {
    const state = this.stateOf(item);
    if (state.queued) this.refuse(item, 'queued', 'queues a work item that is queued already');
    state.queued = true;
    this.tell(item, 'queued');
    this.scheduler.startThread(`worker thread ${++this.workers} (${name})`, this.work(item, state, routine));
  }

  private *work(item: Address, state: Item, routine: () => Coroutine<unknown>): Coroutine<void> {
    const due = (this.clock.now + this.delay) as VirtualTime;
    yield { kind: 'wait', what: 'a worker thread', ready: () => this.clock.now >= due, deadline: due };
    state.queued = false;
    state.running++;
    this.tell(item, 'started');
    yield* routine();
    state.running--;
    this.tell(item, 'finished');
  }

  /** The driver's memory or handle stops being a work item. */
  free(item: Address): void {
    if (this.stateOf(item).queued) this.refuse(item, 'freed', 'frees a work item that is still queued');
    this.items.delete(item);
  }

  isQueued(item: Address): boolean {
    return this.items.get(item)?.queued ?? false;
  }

  isRunning(item: Address): boolean {
    return (this.items.get(item)?.running ?? 0) > 0;
  }

  private stateOf(item: Address): Item {
    const state = this.items.get(item);
    if (state !== undefined) return state;
    throw new BugCheck(WORKER_INVALID, `the driver uses a work item at ${hex(item)} where none is`);
  }

  private tell(item: Address, state: string): void {
    this.trace.emit({ kind: 'fact', what: `work-item-${state}`, detail: { item: hex(item) } });
  }

  private refuse(item: Address, what: string, text: string): never {
    this.tell(item, `${what}-while-queued`);
    throw new BugCheck(WORKER_INVALID, `the driver ${text}`);
  }
}

export const IO_WORKITEM_ROUTINE = callback({
  name: 'IO_WORKITEM_ROUTINE',
  page: 'wdm-io_workitem_routine',
  params: { DeviceObject: POINTER, Context: POINTER },
  returns: 'void',
  irql: P,
});
export const IO_WORKITEM_ROUTINE_EX = callback({
  name: 'IO_WORKITEM_ROUTINE_EX',
  page: 'wdm-io_workitem_routine_ex',
  params: { IoObject: POINTER, Context: POINTER, IoWorkItem: POINTER },
  returns: 'void',
  irql: P,
});

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: D } as const;
const queueing = { IoWorkItem: POINTER, WorkerRoutine: CODE, QueueType: ULONG, Context: POINTER };

export class IoWorkItems {
  private readonly kernel: Kernel;
  /** The device or driver object each item was made with. */
  private readonly owners = new Map<Address, Address>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  open(item: Address, owner: Address): void {
    this.kernel.workItems.initialize(item);
    this.owners.set(item, owner);
  }

  close(item: Address): void {
    this.kernel.workItems.free(item);
    this.owners.delete(item);
  }

  queue(item: Address, routine: Address, context: Address, extended: boolean): void {
    const { workItems, invoker } = this.kernel;
    const owner = this.owners.get(item) ?? (0 as Address);
    workItems.queue(item, 'work item', () =>
      extended
        ? invoker.invoke(IO_WORKITEM_ROUTINE_EX, routine, { IoObject: owner, Context: context, IoWorkItem: item })
        : invoker.invoke(IO_WORKITEM_ROUTINE, routine, { DeviceObject: owner, Context: context }),
    );
  }
}

export const ioWorkItemFunctions = {
  IoSizeofWorkItem: f({
    ...common,
    page: 'wdm-iosizeofworkitem',
    params: {},
    returns: 'u32',
    body: () => WORK_ITEM_SIZE,
  }),
  IoAllocateWorkItem: f({
    ...common,
    page: 'wdm-ioallocateworkitem',
    params: { DeviceObject: POINTER },
    returns: 'pointer',
    acquires: { type: 'io-work-item', key: (_, result) => result },
    failures: [failsNull],
    body(kernel, { DeviceObject }) {
      const item = kernel.heap.allocate(WORK_ITEM_SIZE, 'IO_WORKITEM', { fill: 0, stack: kernel.stack() });
      kernel.ioWorkItems.open(item, DeviceObject);
      return item;
    },
  }),
  IoFreeWorkItem: f({
    ...common,
    page: 'wdm-iofreeworkitem',
    params: { IoWorkItem: POINTER },
    returns: 'void',
    undoes: { types: ['io-work-item'], key: ({ IoWorkItem }) => IoWorkItem, otherwise: () => undefined },
    body(kernel, { IoWorkItem }) {
      kernel.ioWorkItems.close(IoWorkItem);
      kernel.heap.free(IoWorkItem, kernel.stack());
      return undefined;
    },
  }),
  IoInitializeWorkItem: f({
    ...common,
    page: 'wdm-ioinitializeworkitem',
    params: { IoObject: POINTER, IoWorkItem: POINTER },
    returns: 'void',
    acquires: { type: 'io-work-item', key: ({ IoWorkItem }) => IoWorkItem },
    body(kernel, { IoObject, IoWorkItem }) {
      kernel.memory.fill(IoWorkItem, WORK_ITEM_SIZE, 0);
      kernel.ioWorkItems.open(IoWorkItem, IoObject);
      return undefined;
    },
  }),
  IoUninitializeWorkItem: f({
    ...common,
    page: 'wdm-iouninitializeworkitem',
    params: { IoWorkItem: POINTER },
    returns: 'void',
    undoes: { types: ['io-work-item'], key: ({ IoWorkItem }) => IoWorkItem, otherwise: () => undefined },
    body(kernel, { IoWorkItem }) {
      kernel.ioWorkItems.close(IoWorkItem);
      return undefined;
    },
  }),
  IoQueueWorkItem: f({
    ...common,
    page: 'wdm-ioqueueworkitem',
    params: queueing,
    returns: 'void',
    body(kernel, { IoWorkItem, WorkerRoutine, Context }) {
      kernel.ioWorkItems.queue(IoWorkItem, WorkerRoutine, Context, false);
      return undefined;
    },
  }),
  IoQueueWorkItemEx: f({
    ...common,
    page: 'wdm-ioqueueworkitemex',
    params: queueing,
    returns: 'void',
    body(kernel, { IoWorkItem, WorkerRoutine, Context }) {
      kernel.ioWorkItems.queue(IoWorkItem, WorkerRoutine, Context, true);
      return undefined;
    },
  }),
  IoTryQueueWorkItem: f({
    ...common,
    page: 'wdm-ioqueueworkitemex',
    params: queueing,
    returns: 'bool',
    body(kernel, { IoWorkItem, WorkerRoutine, Context }) {
      if (kernel.workItems.isQueued(IoWorkItem)) return false;
      kernel.ioWorkItems.queue(IoWorkItem, WorkerRoutine, Context, true);
      return true;
    },
  }),
};
