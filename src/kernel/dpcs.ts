/**
 * Deferred procedure calls. The queue is the processor's own in the scheduler; here is what may be asked of it: is something
 * queued, is it running, take it back, wait until all of it is done. A KDPC is 64 bytes of the driver's memory that Windows
 * reads when the routine's turn comes, so it must live until then.
 * Pages: wdm-keinitializedpc, wdm-keinsertqueuedpc, wdm-keremovequeuedpc, wdm-keflushqueueddpcs and their neighbours.
 */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, DISPATCH_LEVEL, type Handle, hex, type Irql, NULL, PASSIVE_LEVEL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u8, u16 } from './layout.ts';
import type { LiveObjects } from './live-objects.ts';
import { ANY, CODE, callback, EXACTLY_D, functionsOf, IN, P, POINTER, UCHAR, ULONG } from './record.ts';
import type { Resources } from './resources.ts';
import type { Coroutine, Pending, Processor, Scheduler } from './scheduler.ts';
import { PROCESSOR_NUMBER } from './structures.ts';

export interface DpcWork {
  readonly name: string;
  /** What it belongs to: only one DPC of a source is queued at a time. */
  readonly source: object;
  /** Number of the processor it runs on; the current one by default. */
  readonly processor?: number | undefined;
  /** Before what is queued already (HighImportance). */
  readonly first?: boolean | undefined;
  /** DISPATCH_LEVEL unless threaded. */
  readonly irql?: Irql;
  /** Makes the routine's coroutine, when its turn comes. */
  start(): Coroutine<unknown>;
}

/** One time that a DPC is queued, from then until its routine has returned or it was taken back. */
interface Flight {
  readonly source: object;
  running: boolean;
  over: boolean;
}

export class Dpcs {
  private readonly scheduler: Scheduler;
  private readonly flights = new Set<Flight>();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  /** False when one of that source is queued already; then nothing happens. */
  queue(work: DpcWork): boolean {
    if (this.isQueued(work.source)) return false;
    const flight: Flight = { source: work.source, running: false, over: false };
    this.flights.add(flight);
    this.scheduler.ordering.publish(flight);
    const pending: Pending = {
      name: work.name,
      irql: work.irql ?? DISPATCH_LEVEL,
      source: work.source,
      start: () => {
        flight.running = true;
        return this.run(flight, work);
      },
    };
    const { dpcs } = this.target(work.processor);
    if (work.first) dpcs.unshift(pending);
    else dpcs.push(pending);
    return true;
  }

  /** What has been done since it was queued, to the DPC's own memory, comes before its run as well. */
  passOn(source: object): void {
    const flight = [...this.flights].find((candidate) => candidate.source === source && !candidate.running);
    if (flight !== undefined) this.scheduler.ordering.publish(flight);
  }

  private *run(flight: Flight, work: DpcWork): Coroutine<void> {
    const { ordering } = this.scheduler;
    ordering.observe(flight);
    yield* work.start();
    ordering.publish(work.source);
    ordering.publish(this);
    this.end(flight);
  }

  private end(flight: Flight): void {
    flight.over = true;
    this.flights.delete(flight);
  }

  private target(number: number | undefined): Processor {
    const { processors, active, timerProcessor } = this.scheduler;
    return processors[number ?? active?.processor ?? timerProcessor] as Processor;
  }

  /** Takes a queued DPC back; false when it was not queued (it may be running). */
  remove(source: object): boolean {
    const flight = [...this.flights].find((candidate) => candidate.source === source && !candidate.running);
    if (flight === undefined) return false;
    for (const { dpcs } of this.scheduler.processors) {
      const index = dpcs.findIndex((pending) => pending.source === source);
      if (index >= 0) dpcs.splice(index, 1);
    }
    this.end(flight);
    return true;
  }

  isQueued(source: object): boolean {
    return [...this.flights].some((flight) => flight.source === source && !flight.running);
  }

  isRunning(source: object): boolean {
    return this.running(source) > 0;
  }

  /** How many of that source run: one that is queued again may run on two processors at a time. */
  running(source: object): number {
    return [...this.flights].filter((flight) => flight.source === source && flight.running).length;
  }

  /** Blocks until every DPC that is queued or running now has ended; of one source only where given. */
  *flush(source?: object): Coroutine<void> {
    const flights = [...this.flights].filter((flight) => source === undefined || flight.source === source);
    const ready = () => flights.every((flight) => flight.over);
    if (!ready()) yield { kind: 'wait', what: 'the queued DPCs to end', ready, follows: 'own' };
    this.scheduler.ordering.observe(source ?? this);
  }
}

/** Types of KDPC, as the kernel's headers number its objects (KOBJECTS; observed). */
const DpcObject = 19;
const ThreadedDpcObject = 24;
const HighImportance = 2;
/** `Number` of a KDPC with a target processor is this much above it; 0 is "wherever it is queued" (observed). */
const TARGETED = 0x800;

export const KDPC = struct('KDPC', {
  Type: u8,
  Importance: u8,
  Number: u16,
  DpcListEntry: pointer,
  ProcessorHistory: pointer,
  DeferredRoutine: pointer,
  DeferredContext: pointer,
  SystemArgument1: pointer,
  SystemArgument2: pointer,
  DpcData: pointer,
});

export const DEFERRED_ROUTINE = callback({
  name: 'DeferredRoutine',
  page: 'wdm-kdeferred_routine',
  params: { Dpc: POINTER, DeferredContext: POINTER, SystemArgument1: POINTER, SystemArgument2: POINTER },
  returns: 'void',
  irql: EXACTLY_D,
});

/** Who put a KDPC into the queue, for the inventory. */
export interface QueuedBy {
  readonly fn: string;
  readonly stack: Stack;
  readonly adapter: Handle | undefined;
}

/** KDPCs in the driver's memory. */
export class KernelDpcs {
  private readonly memory: GuestMemory;
  private readonly dpcs: Dpcs;
  private readonly live: LiveObjects;
  private readonly trace: Recorder;
  private readonly resources: Resources;
  private readonly invoker: () => Invoker;
  private readonly sources = new Map<Address, object>();

  constructor(parts: {
    memory: GuestMemory;
    dpcs: Dpcs;
    live: LiveObjects;
    trace: Recorder;
    resources: Resources;
    invoker: () => Invoker;
  }) {
    this.memory = parts.memory;
    this.dpcs = parts.dpcs;
    this.live = parts.live;
    this.trace = parts.trace;
    this.resources = parts.resources;
    this.invoker = parts.invoker;
  }

  initialize(dpc: Address, type: number, routine: Address, context: Address): void {
    this.memory.fill(dpc, KDPC.size, 0);
    KDPC.write(this.memory, dpc, { Type: type, Importance: 1, DeferredRoutine: routine, DeferredContext: context });
  }

  /** Queues it with its arguments; false when it is queued already. The caller enters the resource. */
  insert(dpc: Address, argument1: number, argument2: number, adapter: Handle | undefined): boolean {
    const view = KDPC.at(this.memory, dpc);
    if (view.Type !== DpcObject && view.Type !== ThreadedDpcObject) {
      this.trace.emit({ kind: 'fact', what: 'object-not-initialized', detail: { object: 'KDPC', address: hex(dpc) } });
    }
    const queued = this.dpcs.queue({
      name: `DPC ${hex(dpc)}`,
      source: this.source(dpc),
      processor: view.Number >= TARGETED ? view.Number - TARGETED : undefined,
      first: view.Importance === HighImportance,
      irql: view.Type === ThreadedDpcObject ? PASSIVE_LEVEL : DISPATCH_LEVEL,
      start: () => this.run(dpc, adapter),
    });
    if (!queued) return false;
    view.SystemArgument1 = argument1 as Address;
    view.SystemArgument2 = argument2 as Address;
    view.DpcData = dpc;
    this.dpcs.passOn(this.source(dpc));
    this.live.add(dpc, KDPC.size, 'queued KDPC');
    return true;
  }

  /** As `insert`, for what queues a DPC outside a call of the driver (a timer): also enters the resource. */
  insertFor(dpc: Address, argument1: number, argument2: number, by: QueuedBy): boolean {
    this.live.require(dpc, KDPC.size, 'KDPC');
    const queued = this.insert(dpc, argument1, argument2, by.adapter);
    if (queued) this.resources.acquire('dpc', dpc, { fn: by.fn, stack: by.stack });
    return queued;
  }

  /** Windows takes the routine and its arguments out of the KDPC, and then no longer needs it: it may free itself. */
  private *run(dpc: Address, adapter: Handle | undefined): Coroutine<void> {
    this.live.require(dpc, KDPC.size, 'KDPC');
    this.dequeued(dpc);
    this.resources.end(['dpc'], dpc, 'the DPC queue');
    const { DeferredRoutine, DeferredContext, SystemArgument1, SystemArgument2 } = KDPC.at(this.memory, dpc);
    yield* this.invoker().invoke(
      DEFERRED_ROUTINE,
      DeferredRoutine,
      { Dpc: dpc, DeferredContext, SystemArgument1, SystemArgument2 },
      adapter,
    );
  }

  remove(dpc: Address): boolean {
    const removed = this.dpcs.remove(this.source(dpc));
    if (removed) this.dequeued(dpc);
    return removed;
  }

  private dequeued(dpc: Address): void {
    KDPC.at(this.memory, dpc).DpcData = NULL;
    this.live.remove(dpc, 'queued KDPC');
  }

  setTarget(dpc: Address, processor: number): void {
    KDPC.at(this.memory, dpc).Number = TARGETED + processor;
  }

  /** The source under which a KDPC is queued. */
  source(dpc: Address): object {
    const known = this.sources.get(dpc);
    if (known !== undefined) return known;
    const source = { dpc };
    this.sources.set(dpc, source);
    return source;
  }
}

const f = functionsOf<Kernel>();
const STATUS_INVALID_PARAMETER = 0xc000000d;

export const dpcFunctions = {
  KeInitializeDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializedpc',
    params: { Dpc: POINTER, DeferredRoutine: CODE, DeferredContext: POINTER },
    returns: 'void',
    irql: ANY,
    body({ kernelDpcs }, { Dpc, DeferredRoutine, DeferredContext }) {
      kernelDpcs.initialize(Dpc, DpcObject, DeferredRoutine, DeferredContext);
      return undefined;
    },
  }),
  KeInitializeThreadedDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinitializethreadeddpc',
    params: { Dpc: POINTER, DeferredRoutine: CODE, DeferredContext: POINTER },
    returns: 'void',
    irql: ANY,
    body({ kernelDpcs }, { Dpc, DeferredRoutine, DeferredContext }) {
      kernelDpcs.initialize(Dpc, ThreadedDpcObject, DeferredRoutine, DeferredContext);
      return undefined;
    },
  }),
  KeInsertQueueDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keinsertqueuedpc',
    params: { Dpc: POINTER, SystemArgument1: POINTER, SystemArgument2: POINTER },
    returns: 'bool',
    irql: ANY,
    acquires: { type: 'dpc', key: ({ Dpc }) => Dpc },
    body({ kernelDpcs, scheduler }, { Dpc, SystemArgument1, SystemArgument2 }) {
      return kernelDpcs.insert(Dpc, SystemArgument1, SystemArgument2, scheduler.current.callbacks.at(-1)?.adapter);
    },
  }),
  KeRemoveQueueDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keremovequeuedpc',
    params: { Dpc: POINTER },
    returns: 'bool',
    irql: ANY,
    undoes: { types: ['dpc'], key: ({ Dpc }) => Dpc, mayBeIdle: true, when: (_, removed) => removed },
    body({ kernelDpcs }, { Dpc }) {
      return kernelDpcs.remove(Dpc);
    },
  }),
  KeFlushQueuedDpcs: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keflushqueueddpcs',
    params: {},
    returns: 'void',
    irql: P,
    *body({ dpcs }) {
      yield* dpcs.flush();
      return undefined;
    },
  }),
  KeSetImportanceDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesetimportancedpc',
    params: { Dpc: POINTER, Importance: ULONG },
    returns: 'void',
    irql: ANY,
    body({ memory }, { Dpc, Importance }) {
      KDPC.at(memory, Dpc).Importance = Importance;
      return undefined;
    },
  }),
  KeSetTargetProcessorDpc: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesettargetprocessordpc',
    params: { Dpc: POINTER, Number: UCHAR },
    returns: 'void',
    irql: ANY,
    body({ kernelDpcs, scheduler, trace }, { Dpc, Number: number }) {
      if (number < scheduler.processors.length) kernelDpcs.setTarget(Dpc, number);
      else trace.emit({ kind: 'fact', what: 'dpc-target-missing', detail: { dpc: hex(Dpc), processor: number } });
      return undefined;
    },
  }),
  KeSetTargetProcessorDpcEx: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kesettargetprocessordpcex',
    params: { Dpc: POINTER, ProcNumber: IN(PROCESSOR_NUMBER) },
    returns: 'status',
    irql: ANY,
    body({ kernelDpcs, scheduler }, { Dpc, ProcNumber }) {
      const { Group, Number: number } = ProcNumber;
      if (Group !== 0 || number >= scheduler.processors.length) return STATUS_INVALID_PARAMETER;
      kernelDpcs.setTarget(Dpc, number);
      return 0;
    },
  }),
};
