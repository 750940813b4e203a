/**
 * The kernel a machine runs on: one of each part, put together. Function bodies get this composition and use the parts they
 * need; the parts themselves are given only the few others they use.
 */
import type { Frame, Stack } from '../trace/events.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Address, Irql } from '../trace/units.ts';
import type { Cpu, CpuHost } from '../x64/cpu.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { WatchedMemory } from '../x64/watched-memory.ts';
import { Accesses } from './accesses.ts';
import { executiveResources, pushLocks } from './blocking-locks.ts';
import { BugCheckCallbacks } from './bug-check-callbacks.ts';
import { Callbacks } from './callbacks.ts';
import { Calls, type FaultPlan, noFaults } from './calls.ts';
import { CancelSafeQueues } from './cancel-safe-queues.ts';
import { Clock } from './clock.ts';
import { DeviceProperties } from './device-properties.ts';
import { Dispatcher } from './dispatcher.ts';
import { DmaAdapters } from './dma-adapters.ts';
import { Dpcs, KernelDpcs } from './dpcs.ts';
import { EventProviders } from './etw.ts';
import { ExTimers } from './ex-timers.ts';
import { Exceptions } from './exceptions.ts';
import { executiveSpinLocks } from './executive-spin-locks.ts';
import { kernelFunctions } from './functions.ts';
import { GenericTables } from './generic-tables.ts';
import { GuestCode } from './guest.ts';
import { Hardware } from './hardware.ts';
import { Heap } from './heap.ts';
import { FunctionLayout, HOST_CODE_SIZE, HostCode } from './host-code.ts';
import { SLists } from './interlocked-lists.ts';
import { InterruptObjects } from './interrupt-objects.ts';
import { Invoker } from './invoke.ts';
import { Devices } from './io-devices.ts';
import { IoDrivers } from './io-drivers.ts';
import { Requests } from './io-requests.ts';
import { IoTimers } from './io-timers.ts';
import { IoWorkItems, WorkItems } from './io-work-items.ts';
import { Irps } from './irps.ts';
import { LiveObjects } from './live-objects.ts';
import { LockOrder } from './lock-order.ts';
import { Lookasides } from './lookaside.ts';
import { Mdls } from './mdl.ts';
import { type CodeRanges, Modules } from './modules.ts';
import { ObjectManager } from './object-manager.ts';
import { Handles } from './objects.ts';
import { PageableSections } from './pageable-sections.ts';
import { Pool } from './pool.ts';
import { provideAddressLimits } from './probes.ts';
import { EPROCESS_SIZE, once, TOKEN_SIZE } from './processes.ts';
import { ProcessorBlocks } from './processors.ts';
import { ReaderWriterLocks } from './reader-writer-locks.ts';
import { Registry } from './registry.ts';
import { Resources } from './resources.ts';
import { Scheduler, type Strategy } from './scheduler.ts';
import { SharedUserData } from './shared-user-data.ts';
import { SpinLocks } from './spin-locks.ts';
import { Randomness } from './system.ts';
import { provideSystemVariables } from './system-variables.ts';
import { Threads } from './threads.ts';
import { KernelTimers, Timers } from './timers.ts';

const functions = new FunctionLayout(kernelFunctions);

export interface KernelOptions {
  readonly memory: GuestMemory;
  /** Makes the CPU that runs guest code on this memory. */
  readonly cpu: (host: CpuHost, hostCode: { start: Address; size: number }) => Cpu & CodeRanges;
  readonly processors: number;
  readonly strategy?: Strategy;
  readonly faults?: FaultPlan;
}

export class Kernel {
  readonly memory: GuestMemory;
  readonly clock = new Clock();
  readonly scheduler: Scheduler;
  readonly trace: Recorder;
  readonly heap: Heap;
  readonly code: HostCode;
  readonly resources: Resources;
  readonly calls: Calls;
  readonly modules: Modules;
  readonly exceptions: Exceptions;
  readonly invoker: Invoker;
  readonly hardware: Hardware;
  readonly live: LiveObjects;
  readonly pool: Pool;
  readonly handles = new Handles();
  readonly objects: ObjectManager;
  readonly threads: Threads;
  readonly mdls: Mdls;
  readonly dmaAdapters: DmaAdapters;
  readonly pageableSections: PageableSections;
  readonly workItems: WorkItems;
  readonly ioWorkItems: IoWorkItems;
  readonly randomness: Randomness;
  readonly registry: Registry;
  readonly requests: Requests;
  readonly ioDrivers: IoDrivers;
  readonly irps: Irps;
  readonly devices: Devices;
  readonly deviceProperties = new DeviceProperties();
  readonly eventProviders: EventProviders;
  readonly callbacks: Callbacks;
  readonly bugCheckCallbacks: BugCheckCallbacks;
  readonly csqs: CancelSafeQueues;
  /** The one process, and the token its threads run with. */
  readonly systemProcess: () => Address;
  readonly systemToken: () => Address;
  readonly lockOrder: LockOrder;
  readonly spinLocks: SpinLocks;
  readonly exSpinLocks: ReaderWriterLocks;
  readonly pushLocks: ReaderWriterLocks;
  readonly executiveResources: ReaderWriterLocks;
  readonly slists: SLists;
  readonly lookasides: Lookasides;
  /** Interrupts connected through the kernel rather than NDIS. */
  readonly interruptObjects: InterruptObjects;
  readonly dispatcher: Dispatcher;
  readonly dpcs: Dpcs;
  readonly kernelDpcs: KernelDpcs;
  readonly timers: Timers;
  readonly kernelTimers: KernelTimers;
  readonly exTimers: ExTimers;
  readonly ioTimers: IoTimers;
  readonly genericTables: GenericTables;

  /** Tells whoever runs guest code that DPCs or interrupts may come in now. */
  private irqlLowered: () => void = () => {};

  constructor(options: KernelOptions) {
    const { memory } = options;
    this.memory = memory;
    this.scheduler = new Scheduler(this.clock, options.processors, options.strategy);
    this.trace = new Recorder(() => this.where());
    this.heap = new Heap(memory, HOST_CODE_SIZE);
    const capture = () => this.stack();
    if (memory instanceof WatchedMemory) new Accesses(memory, { ...this.parts(), capture });
    this.lockOrder = new LockOrder({ ...this.parts(), capture });
    this.code = new HostCode(memory);
    this.resources = new Resources(this.trace);
    this.hardware = new Hardware(this);
    this.callbacks = new Callbacks({ ...this.parts(), invoker: () => this.invoker });
    this.bugCheckCallbacks = new BugCheckCallbacks({ ...this.parts(), invoker: () => this.invoker });
    this.eventProviders = new EventProviders();
    this.registry = new Registry();
    this.hardware.addSystemPage(new SharedUserData(this.clock));
    this.randomness = new Randomness();
    this.workItems = new WorkItems(this);
    this.ioWorkItems = new IoWorkItems(this);
    this.mdls = new Mdls(this);
    this.dmaAdapters = new DmaAdapters(this);
    this.pageableSections = new PageableSections(this);
    this.live = new LiveObjects(this);
    this.pool = new Pool({ memory, heap: this.heap, stack: () => this.stack() });
    this.objects = new ObjectManager(this);
    this.systemProcess = once(() => this.objects.create('Process', EPROCESS_SIZE, 'EPROCESS of System'));
    this.systemToken = once(() => this.objects.create('Token', TOKEN_SIZE, 'access token of System'));
    provideSystemVariables(this, { processors: options.processors, process: this.systemProcess() });
    this.threads = new Threads({
      ...this.parts(),
      objects: this.objects,
      dispatcher: () => this.dispatcher,
      invoker: () => this.invoker,
    });
    this.spinLocks = new SpinLocks(this);
    this.devices = new Devices(this);
    this.irps = new Irps({ ...this.parts(), spinLocks: this.spinLocks, invoker: () => this.invoker });
    this.csqs = new CancelSafeQueues({ ...this.parts(), irps: this.irps, invoker: () => this.invoker });
    this.ioDrivers = new IoDrivers(this);
    this.requests = new Requests(this);
    this.exSpinLocks = new ReaderWriterLocks(this, executiveSpinLocks(memory));
    this.pushLocks = new ReaderWriterLocks(this, pushLocks(memory));
    this.executiveResources = new ReaderWriterLocks(this, executiveResources(memory));
    this.slists = new SLists(memory);
    this.lookasides = new Lookasides({ ...this.parts(), slists: this.slists, invoker: () => this.invoker });
    this.interruptObjects = new InterruptObjects({
      ...this.parts(),
      hardware: this.hardware,
      spinLocks: this.spinLocks,
      invoker: () => this.invoker,
    });
    this.dispatcher = new Dispatcher({
      ...this.parts(),
      clock: this.clock,
      lockOrder: this.lockOrder,
      thread: () => this.threads.current(),
    });
    this.dpcs = new Dpcs(this.scheduler);
    this.kernelDpcs = new KernelDpcs({ ...this.parts(), dpcs: this.dpcs, invoker: () => this.invoker });
    this.timers = new Timers(this.clock, this.scheduler.ordering);
    this.kernelTimers = new KernelTimers(this);
    const { clock, timers, dpcs, dispatcher } = this;
    this.exTimers = new ExTimers({ ...this.parts(), clock, timers, dpcs, dispatcher, invoker: () => this.invoker });
    this.ioTimers = new IoTimers({ ...this.parts(), clock, timers, dpcs, invoker: () => this.invoker });
    this.genericTables = new GenericTables({ ...this.parts(), invoker: () => this.invoker });
    this.calls = new Calls({
      ...this.parts(),
      faults: options.faults ?? noFaults,
      capture: () => this.stack(),
      idle: () => !this.scheduler.attentive && this.idle(),
      runs: (address, fn) => this.pageableSections.runs(address, { fn }),
    });
    const cpu = options.cpu(this.cpuHost(), { start: this.code.start, size: HOST_CODE_SIZE });
    this.modules = new Modules({ ...this.parts(), ranges: cpu });
    this.exceptions = new Exceptions({ ...this.parts(), modules: this.modules });
    const { exceptions } = this;
    const guest = new GuestCode({
      ...this.parts(),
      cpu,
      exceptions,
      advance: (ticks) => this.clock.advance(ticks),
      processors: new ProcessorBlocks(this.heap, memory, options.processors, () => this.threads.current()),
    });
    exceptions.connect(guest);
    this.irqlLowered = () => guest.lowered();
    const entered = (address: Address, name: string) => this.pageableSections.runs(address, { entered: name });
    this.invoker = new Invoker({ ...this.parts(), guest, exceptions, entered });
    provideAddressLimits(this);
    this.code.provideAll(functions, this);
  }

  /** The driver's call stack in the current context, innermost frame first. */
  stack(): Stack {
    const frames = this.scheduler.active?.frames ?? [];
    if (frames.length === 1) return (frames[0] as () => Stack)();
    const stack: Frame[] = [];
    for (let i = frames.length - 1; i >= 0; i--) stack.push(...(frames[i] as () => Stack)());
    return stack;
  }

  /**
   * Whether nothing waits to come in where the current context stands. In the plain order it would then go on at a point, so the
   * way to the scheduler and back, through every coroutine in between, is spared.
   */
  private idle(): boolean {
    const { scheduler, clock } = this;
    const { current, limits, processors } = scheduler;
    const now = clock.now;
    if (clock.nextDue !== undefined && clock.nextDue <= now) return false;
    if (current.affinity !== undefined || now > limits.time || scheduler.instructions > limits.instructions)
      return false;
    for (const { dpcs, interrupts } of processors) if (dpcs.length > 0 || interrupts.length > 0) return false;
    return true;
  }

  private parts() {
    const { memory, scheduler, trace, heap, code, resources, calls, live } = this;
    return { memory, scheduler, trace, heap, code, resources, calls, live };
  }

  private where() {
    const context = this.scheduler.active;
    const inside = context?.callbacks.at(-1);
    return {
      time: this.clock.now,
      processor: context?.processor ?? 0,
      context: context?.name ?? 'machine',
      irql: this.scheduler.irql,
      callback: inside?.name,
      adapter: inside?.adapter,
    };
  }

  private cpuHost(): CpuHost {
    return {
      cpuid: (leaf) => cpuid(leaf),
      rdtsc: () => {
        this.hardware.accesses++;
        return BigInt(Math.floor(this.clock.now * 100));
      },
      readPort: (port, size) => this.hardware.readPort(port, size),
      writePort: (port, size, value) => this.hardware.writePort(port, size, value),
      readCr8: () => this.scheduler.irql,
      writeCr8: (value) => {
        if (this.scheduler.setIrql(value as Irql) > value) this.irqlLowered();
      },
    };
  }
}

/** A plain x64 processor with SSE2 and cmpxchg16b, nothing newer: what every Windows 10 machine has (assumed sufficient). */
function cpuid(leaf: number): { eax: number; ebx: number; ecx: number; edx: number } {
  if (leaf === 0) return { eax: 1, ebx: 0x756e6547, ecx: 0x6c65746e, edx: 0x49656e69 };
  if (leaf === 1) return { eax: 0x000306a9, ebx: 0, ecx: 0x0000_2001, edx: 0x0783_fbff };
  if (leaf === 0x8000_0000) return { eax: 0x8000_0001, ebx: 0, ecx: 0, edx: 0 };
  return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
}
