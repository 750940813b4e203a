/**
 * The machine's buses as the kernel sees them: physical memory, memory-mapped and port ranges that devices answer, interrupts
 * and DMA. Devices plug in here (see devices/); the kernel and NDIS map, read and connect through it.
 */
import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, DISPATCH_LEVEL, type Irql, NULL } from '../trace/units.ts';
import { BASE, type GuestMemory, MemoryFault, Shadow, type SlowAccess } from '../x64/memory.ts';
import { DmaMappings } from './dma-mappings.ts';
import type { Heap } from './heap.ts';
import { PAGE_SIZE } from './heap.ts';
import { DEVICE } from './ordering.ts';
import type { Coroutine, Scheduler } from './scheduler.ts';

/** Physical address of the first byte of guest memory: RAM lies below 4 GiB, as a small machine's does. */
export const RAM_BASE = 0x0100_0000;

export type AccessSize = 1 | 2 | 4 | 8;

/** A range of device registers or ports. */
export interface BusRange {
  readonly start: number;
  readonly size: number;
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** A range of the kernel's own address space outside guest memory that drivers may read. */
export interface SystemPage {
  readonly start: Address;
  readonly size: number;
  read(address: Address, size: number): bigint;
}

/** An interrupt a driver has connected. `serve` runs the driver's ISR at its IRQL and says whether the device was its. */
export interface ConnectedInterrupt {
  readonly irql: Irql;
  readonly name: string;
  serve(): Coroutine<boolean>;
}

/** One interrupt source of a device: its line, or one of its messages. */
export interface InterruptSource {
  readonly kind: 'line' | 'message';
  /** Vector number in the resource list. */
  readonly vector: number;
  asserted: boolean;
  /** Set while an ISR for it is queued or running. */
  inService: boolean;
  /** The next driver that connects it is asked at once: its message waits, or another device holds the line up. */
  pendingAtConnect?: boolean;
  /** Nobody knows what its device's registers say: an ISR that claims what is not its own is not to blame. */
  guessed?: boolean;
  connected: ConnectedInterrupt | undefined;
}

interface Mapping {
  readonly virtual: Address;
  readonly size: number;
  readonly physical: number;
}

/** After this many unserved rounds of one level-triggered line, Windows' machine would be stuck in an interrupt storm. */
const STORM = 10_000;

export class Hardware implements SlowAccess {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly mmio: BusRange[] = [];
  private readonly ports: BusRange[] = [];
  private readonly mappings: Mapping[] = [];
  private readonly systemPages: SystemPage[] = [];
  /** Counts accesses to devices and to the system's own pages. */
  accesses = 0;
  private rounds = 0;
  /** Sources whose next round of the ISR is not their device's doing. */
  private readonly foreign = new Set<InterruptSource>();
  /** Sources whose ISR has just claimed such a round. */
  private readonly claimed = new Set<InterruptSource>();
  private readonly serving = new Set<InterruptSource>();
  /** Every line and message of the devices there are. */
  readonly interrupts: InterruptSource[] = [];
  /** What devices may touch, and are about to. */
  readonly dma: DmaMappings;
  /** Which processor interrupts go to; the first where there is no such one. A scenario may vary it. */
  interruptProcessor = 0;
  /** Told of every port access of the driver: whoever hands ranges out watches that they are held. */
  watchPort: (port: number, size: 1 | 2 | 4, access: 'read' | 'write') => void = () => {};

  constructor(parts: { memory: GuestMemory; heap: Heap; scheduler: Scheduler; trace: Recorder }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.dma = new DmaMappings(parts.trace);
    parts.memory.slow = this;
    parts.heap.onFree.push((block) => this.dma.freed(block, this.physicalOf(block.address)));
  }

  addRegisters(range: BusRange): void {
    this.mmio.push(range);
  }

  addSystemPage(page: SystemPage): void {
    this.systemPages.push(page);
  }

  addPorts(range: BusRange): void {
    this.ports.push(range);
  }

  // --- physical memory ---

  /** Physical address of a guest virtual address in RAM. */
  physicalOf(address: Address): number {
    const mapping = this.mappings.find(({ virtual, size }) => address >= virtual && address < virtual + size);
    return mapping === undefined ? address - BASE + RAM_BASE : mapping.physical + (address - mapping.virtual);
  }

  /** The guest virtual address of a physical address in RAM. */
  virtualOf(physical: number): Address {
    return at(BASE, physical - RAM_BASE);
  }

  /** True for physical addresses that are RAM: a driver that maps them as device memory is wrong. */
  isRam(physical: number): boolean {
    return physical >= RAM_BASE && physical < RAM_BASE + this.memory.size;
  }

  /** Maps device registers into the guest: every access to the block goes to the device. NULL when no device is there. */
  mapRegisters(physical: number, size: number, what: string): Address {
    if (this.find(this.mmio, physical, 1) === undefined && !this.isRam(physical)) return NULL;
    const page = physical % PAGE_SIZE;
    const block = this.heap.allocate(size + page, what, { align: PAGE_SIZE, shadow: Shadow.Device });
    const virtual = at(block, page);
    this.mappings.push({ virtual, size, physical });
    return virtual;
  }

  unmapRegisters(virtual: Address): void {
    const index = this.mappings.findIndex((mapping) => mapping.virtual === virtual);
    if (index < 0) return;
    this.mappings.splice(index, 1);
    const block = this.heap.blockAt(virtual);
    if (block !== undefined) this.heap.free(block.address);
  }

  // --- accesses the inline check did not let through ---

  load(address: Address, size: number): bigint {
    this.accesses++;
    const page = this.systemPages.find(({ start, size: room }) => address >= start && address + size <= start + room);
    if (page !== undefined) return page.read(address, size);
    const pageable = this.pageable(address, size, false);
    if (pageable !== undefined) return pageable.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    const range = this.deviceAt(address, size, 'read');
    const value = range.read(this.physicalOf(address) - range.start, size as AccessSize);
    return BigInt.asUintN(8 * size, BigInt(value));
  }

  store(address: Address, size: number, value: bigint): void {
    this.accesses++;
    const pageable = this.pageable(address, size, true);
    if (pageable !== undefined) {
      for (let i = 0; i < size; i++) pageable[i] = Number((value >> BigInt(8 * i)) & 0xffn);
      return;
    }
    const range = this.deviceAt(address, size, 'write');
    this.scheduler.ordering.publish(DEVICE);
    range.write(this.physicalOf(address) - range.start, size as AccessSize, Number(value));
  }

  /**
   * The bytes, when some of them are pageable and all may be touched now: below DISPATCH_LEVEL a page that is not there is
   * brought in. Above, whether it happens to be there or not, the access is an error (bug-check-0xd1).
   */
  private pageable(address: Address, size: number, write: boolean): Uint8Array | undefined {
    if (this.scheduler.irql >= DISPATCH_LEVEL || !this.memory.contains(address, size)) return undefined;
    let some = false;
    for (let i = 0; i < size; i++) {
      const shadow = this.memory.shadowAt(at(address, i));
      const here = shadow === Shadow.Pageable || (shadow === Shadow.PageableReadOnly && !write);
      some ||= here;
      if (!here && shadow !== Shadow.ReadWrite && (write || shadow !== Shadow.ReadOnly)) return undefined;
    }
    return some ? this.memory.raw(address, size) : undefined;
  }

  private deviceAt(address: Address, size: number, access: 'read' | 'write'): BusRange {
    const shadow = this.memory.shadowAt(address);
    if (shadow !== Shadow.Device) throw new MemoryFault(access, address, size, shadow);
    const range = this.find(this.mmio, this.physicalOf(address), size);
    if (range === undefined) throw new MemoryFault(access, address, size, shadow);
    return range;
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    this.accesses++;
    this.watchPort(port, size, 'read');
    const range = this.find(this.ports, port, size);
    return range === undefined ? 2 ** (8 * size) - 1 : range.read(port - range.start, size);
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    this.accesses++;
    this.watchPort(port, size, 'write');
    this.scheduler.ordering.publish(DEVICE);
    const range = this.find(this.ports, port, size);
    range?.write(port - range.start, size, value);
  }

  private find(ranges: readonly BusRange[], start: number, size: number): BusRange | undefined {
    return ranges.find((range) => start >= range.start && start + size <= range.start + range.size);
  }

  // --- DMA ---

  /** The device reads RAM. An address that is not the driver's to give is a fault of the driver, blamed on the device. */
  dmaRead(physical: number, size: number): Uint8Array {
    const address = this.dmaTarget(physical, size, 'read');
    return address === undefined ? new Uint8Array(size) : this.memory.raw(address, size).slice();
  }

  dmaWrite(physical: number, data: Uint8Array): void {
    const address = this.dmaTarget(physical, data.length, 'write');
    if (address !== undefined) this.memory.raw(address, data.length).set(data);
  }

  /** RAM as it lies there, for a device that tells what it will touch: no access, no fault. */
  peek(physical: number, size: number): Uint8Array | undefined {
    const address = this.virtualOf(physical);
    return this.memory.contains(address, size) && this.memory.readable(address, size)
      ? this.memory.raw(address, size)
      : undefined;
  }

  private dmaTarget(physical: number, size: number, access: 'read' | 'write'): Address | undefined {
    const address = this.virtualOf(physical);
    const allowed = this.memory.contains(address, size) && this.memory.readable(address, size);
    if (allowed && (access === 'read' || this.memory.writable(address, size))) {
      this.dma.touched(physical, size, access, this.heap.blockAt(address));
      return address;
    }
    const shadow = this.memory.shadowAt(address);
    const block = this.heap.explain(address);
    const why =
      shadow === Shadow.Freed
        ? 'freed'
        : shadow === Shadow.Guard
          ? 'guard'
          : shadow === Shadow.ReadOnly
            ? 'read-only'
            : 'unmapped';
    this.trace.emit({
      kind: 'fault',
      by: 'device',
      access,
      address,
      size,
      why,
      ...(block === undefined ? {} : { block }),
      stack: [],
    });
    return undefined;
  }

  // --- interrupts ---

  connect(source: InterruptSource, interrupt: ConnectedInterrupt): void {
    this.scheduler.ordering.publish(source);
    source.connected = interrupt;
    const pending = source.pendingAtConnect === true;
    source.pendingAtConnect = false;
    if (pending && source.kind === 'line') this.pulse(source);
    else if (pending || source.asserted) this.queue(source);
  }

  disconnect(source: InterruptSource): void {
    source.connected = undefined;
    for (const processor of this.scheduler.processors) {
      const kept = processor.interrupts.filter((pending) => pending.source !== source);
      processor.interrupts.splice(0, processor.interrupts.length, ...kept);
    }
    source.inService = false;
  }

  /** A message is sent, or a line goes up. */
  assert(source: InterruptSource): void {
    source.asserted = true;
    this.queue(source);
  }

  /** One round of the ISR that its device did not ask for: another device on a shared line, or a late message. */
  pulse(source: InterruptSource): void {
    // A message is nobody else's: to claim a late one is no mistake.
    if (source.kind === 'line') this.foreign.add(source);
    this.queue(source);
  }

  /** A line goes down. */
  deassert(source: InterruptSource): void {
    source.asserted = false;
    this.rounds = 0;
  }

  private queue(source: InterruptSource): void {
    const interrupt = source.connected;
    if (interrupt === undefined || source.inService) return;
    source.inService = true;
    const { processors } = this.scheduler;
    (processors[this.interruptProcessor] ?? processors[0])?.interrupts.push({
      name: interrupt.name,
      irql: interrupt.irql,
      source,
      start: () => {
        this.serving.add(source);
        return this.serve(source, interrupt);
      },
    });
  }

  /** Whether a processor has taken the interrupt and its ISR has not returned yet. */
  isServing(source: InterruptSource): boolean {
    return this.serving.has(source);
  }

  private *serve(source: InterruptSource, interrupt: ConnectedInterrupt): Coroutine<void> {
    const foreign = this.foreign.delete(source) && !source.asserted;
    if (source.kind === 'message') source.asserted = false;
    const { ordering } = this.scheduler;
    ordering.observe(source);
    ordering.observe(DEVICE);
    const claimed = yield* interrupt.serve();
    ordering.publish(source);
    this.serving.delete(source);
    source.inService = false;
    if (foreign && claimed && source.guessed !== true) this.claim(source);
    else this.claimed.delete(source);
    if (source.inService) return;
    if (!source.asserted || source.connected === undefined) return;
    if (++this.rounds > STORM) {
      this.trace.emit({ kind: 'fact', what: 'interrupt-storm', detail: { vector: source.vector } });
      source.asserted = false;
      return;
    }
    this.queue(source);
  }

  /**
   * A round that was not its device's is claimed. The neighbour's line is still up, so the next round follows at once: an ISR that
   * found a masked cause of its own NIC, and has acknowledged it, lets that one pass. Only one that claims again starves others.
   */
  private claim(source: InterruptSource): void {
    if (this.claimed.delete(source)) {
      this.trace.emit({ kind: 'fact', what: 'foreign-interrupt-claimed', detail: { vector: source.vector } });
      return;
    }
    this.claimed.add(source);
    if (!source.asserted) this.pulse(source);
  }
}
