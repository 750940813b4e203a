/** A PCI function brought to life from a definition: configuration space, register blocks, interrupts, DMA, timers. */
import type { Alarm, Clock } from '../kernel/clock.ts';
import type { DmaTarget } from '../kernel/dma-mappings.ts';
import type { AccessSize, Hardware, InterruptSource } from '../kernel/hardware.ts';
import type { PciDevice, PciRange } from '../kernel/pci.ts';
import type { Scheduler } from '../kernel/scheduler.ts';
import { Hang } from '../kernel/stops.ts';
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { hex, type VirtualTime } from '../trace/units.ts';
import { ConfigSpace } from './config-space.ts';
import type { Device, DeviceDefinition, Timer } from './define-device.ts';
import { RegisterBlock } from './registers.ts';
import type { BusTrouble, Withheld } from './troubles.ts';

/** Where the plug and play manager put the device. */
export interface Placement {
  /** One for each base address register. */
  readonly ranges: readonly PciRange[];
  /** What is there, but was not assigned. */
  readonly withheld: readonly Withheld[];
  readonly location: PciDevice['location'];
  /** Interrupt vectors: the line's, then the messages'; none when they are withheld. */
  readonly vectors: readonly number[];
}

/**
 * Accesses in a row that no driver makes and still ends: two seconds or more of real time, for a read over PCI Express takes about
 * a microsecond (assumed).
 */
const POLLS = 2_000_000;
/** More than guest code makes until it is looked at. */
const SLICE_OF_POLLS = 100_000;

export class PciFunction<S, O> implements PciDevice, Device<S> {
  readonly name: string;
  readonly ranges: readonly PciRange[];
  readonly location: PciDevice['location'];
  readonly line: InterruptSource | undefined;
  readonly messages: readonly InterruptSource[];
  readonly sent: Uint8Array[] = [];
  state: S;
  readonly registers: Record<string, number> = {};
  private readonly definition: DeviceDefinition<S, O>;
  private readonly hardware: Hardware;
  private readonly clock: Clock;
  private readonly trace: Recorder;
  private readonly scheduler: Scheduler;
  private readonly stack: () => Stack;
  private readonly trouble: BusTrouble;
  private readonly config: ConfigSpace;
  private readonly blocks: readonly RegisterBlock<Device<S>>[];
  private readonly timers = new Set<{ alarm: Alarm }>();
  private readonly holes = new Set<string>();
  private pending: readonly boolean[] = [];
  private readonly masked = new Set<number>();
  private here: boolean;
  private pulled = false;
  /** False in D3: it is in its slot, and only its configuration space answers. */
  private powered = true;
  private readonly options: O;
  /** The driver's accesses to registers and ports so far. */
  private accesses = 0;
  /** For each context its accesses without a call of its own between them, and the length of the trace at the last. */
  private readonly inRow = new Map<string, { count: number; events: number }>();
  /** Routines of the driver that have touched the device. */
  private readonly touchedBy = new Set<string>();
  /** … and that have touched it without power. */
  private readonly touchedWithoutPower = new Set<string>();
  /** … and that have reached for it after it was pulled out. */
  private readonly touchedAfterRemoval = new Set<string>();
  private targets: readonly DmaTarget[] | undefined;

  constructor(
    definition: DeviceDefinition<S, O>,
    placement: Placement,
    parts: { hardware: Hardware; clock: Clock; trace: Recorder; scheduler: Scheduler; stack(): Stack },
    options: O,
    trouble: BusTrouble = {},
  ) {
    const { identity, interrupts } = definition;
    const ids = [identity.vendor, identity.device].map((id) => id.toString(16).padStart(4, '0')).join(':');
    this.name = `${definition.name} (${ids})`;
    this.definition = definition;
    this.hardware = parts.hardware;
    this.clock = parts.clock;
    this.trace = parts.trace;
    this.scheduler = parts.scheduler;
    this.stack = () => parts.stack();
    this.trouble = trouble;
    this.here = trouble.absent !== true;
    this.ranges = placement.ranges.filter(({ kind }) => !placement.withheld.includes(kind));
    this.location = placement.location;
    const sources = placement.vectors.map((vector, index) => source(interrupts.line && index === 0, vector));
    for (const source of sources) {
      source.pendingAtConnect = trouble.pendingInterrupt === true;
      source.guessed = definition.guessed === true;
    }
    this.hardware.interrupts.push(...sources);
    this.line = interrupts.line ? sources[0] : undefined;
    this.messages = interrupts.line ? sources.slice(1) : sources;
    this.config = new ConfigSpace({
      identity,
      ranges: placement.ranges.map((range) => (this.ranges.includes(range) ? range : { ...range, start: 0 })),
      line: interrupts.line,
      messages: interrupts.messages,
      capability: interrupts.capability ?? 'msi',
    });
    this.options = options;
    this.state = definition.state(options);
    this.blocks = definition.bars.map(
      ({ registers, unknown }, bar) =>
        new RegisterBlock(
          registers,
          this.registers,
          this,
          (offset, access) => {
            if (unknown === undefined) this.hole(bar, offset, access);
          },
          unknown,
        ),
    );
    definition.bars.forEach((bar, index) => {
      const placed = placement.ranges[index] as PciRange;
      if (!this.ranges.includes(placed)) return;
      const { start, size } = placed;
      const range = {
        start,
        size,
        read: (offset: number, bytes: AccessSize) => this.access(() => this.block(index).read(offset, bytes), bytes),
        write: (offset: number, bytes: AccessSize, value: number) => {
          this.access(() => this.block(index).write(offset, bytes, value), bytes);
        },
      };
      if (bar.kind === 'memory') this.hardware.addRegisters(range);
      else this.hardware.addPorts(range);
    });
    this.hardware.dma.addMaster(this);
    if (this.here) definition.started?.(this);
  }

  /** In its slot, and with power. */
  private get answers(): boolean {
    return this.here && this.powered;
  }

  get present(): boolean {
    return this.here;
  }

  remove(): void {
    this.pulled = true;
    this.silence();
  }

  power(on: boolean): void {
    if (on === this.powered) return;
    this.targets = undefined;
    if (!on) {
      this.powered = false;
      this.stopWorking();
      return;
    }
    // Out of D3 it comes as out of a reset; the bus driver has restored configuration space (page: pci power states, assumed).
    this.powered = true;
    this.state = this.definition.state(this.options);
    for (const block of this.blocks) block.reset();
    this.pending = [];
    this.touchedWithoutPower.clear();
    if (this.here) this.definition.started?.(this);
  }

  /** Whether in its slot or not: nobody answers any more, and nothing happens any more. */
  private silence(): void {
    this.here = false;
    this.stopWorking();
  }

  private stopWorking(): void {
    for (const { alarm } of this.timers) this.clock.cancel(alarm);
    this.timers.clear();
    if (this.line?.asserted) this.hardware.deassert(this.line);
  }

  activity(): readonly string[] {
    return this.answers ? this.definition.activity(this) : [];
  }

  /** Kept until the next access or step of the device: a machine asks at every block it frees. */
  dmaTargets(): readonly DmaTarget[] {
    if (!this.answers || !this.config.busMaster) return [];
    this.targets ??= this.definition.dmaTargets?.(this) ?? [];
    return this.targets;
  }

  receive(frame: Uint8Array): void {
    this.targets = undefined;
    if (this.answers) this.definition.receive?.(this, frame);
  }

  provoke(): void {
    if (this.answers) this.definition.provoke?.(this);
  }

  cable(connected: boolean): void {
    if (this.answers) this.definition.cable?.(this, connected);
  }

  // --- configuration space, and what the bus driver programs in it ---

  readConfig(offset: number, size: 1 | 2 | 4): number {
    const answers = this.here || (this.trouble.configAnswers === true && !this.pulled);
    return answers ? this.config.read(offset, size) : 2 ** (8 * size) - 1;
  }

  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void {
    this.targets = undefined;
    if (this.here) this.config.write(offset, size, value);
  }

  useMessages(on: boolean): void {
    if (this.line?.asserted) this.hardware.deassert(this.line);
    this.config.enableMessages(on);
    const pending = this.pending;
    this.pending = [];
    this.interrupts(...pending);
  }

  maskMessage(message: number, masked: boolean): boolean {
    if (this.definition.interrupts.capability !== 'msi-x' || this.messages[message] === undefined) return false;
    if (masked) this.masked.add(message);
    else if (this.masked.delete(message) && this.pending[message]) this.hardware.assert(this.messages[message]);
    return true;
  }

  // --- what a definition's hooks call ---

  interrupts(...pending: readonly boolean[]): void {
    const before = this.pending;
    this.pending = pending;
    if (!this.answers) return;
    if (this.config.messagesEnabled) {
      pending.forEach((up, message) => {
        const sent = this.messages[Math.min(message, this.messages.length - 1)];
        if (up && !before[message] && sent !== undefined && !this.masked.has(message)) this.hardware.assert(sent);
      });
    } else if (this.line !== undefined) {
      const up = pending.includes(true);
      if (up && !this.line.asserted) this.hardware.assert(this.line);
      else if (!up && this.line.asserted) this.hardware.deassert(this.line);
    }
  }

  readMemory(physical: number, size: number): Uint8Array {
    return this.answers && this.config.busMaster ? this.hardware.dmaRead(physical, size) : new Uint8Array(size);
  }

  writeMemory(physical: number, data: Uint8Array): void {
    if (this.answers && this.config.busMaster) this.hardware.dmaWrite(physical, data);
  }

  peekMemory(physical: number, size: number): Uint8Array | undefined {
    return this.hardware.peek(physical, size);
  }

  after(delay: number, happen: () => void): Timer {
    return this.timer(delay, false, happen);
  }

  every(period: number, happen: () => void): Timer {
    return this.timer(period, true, happen);
  }

  private timer(delay: number, again: boolean, happen: () => void): Timer {
    const set = () => this.clock.set((this.clock.now + delay) as VirtualTime, ring);
    const ring = () => {
      if (again) timer.alarm = set();
      else this.timers.delete(timer);
      this.targets = undefined;
      happen();
    };
    const timer = { alarm: set() };
    this.timers.add(timer);
    return {
      stop: () => {
        this.clock.cancel(timer.alarm);
        this.timers.delete(timer);
      },
    };
  }

  transmit(frame: Uint8Array): void {
    this.sent.push(frame);
  }

  resetRegisters(...names: readonly string[]): void {
    for (const block of this.blocks) block.reset(names);
  }

  // --- accesses of the driver ---

  private block(index: number): RegisterBlock<Device<S>> {
    return this.blocks[index] as RegisterBlock<Device<S>>;
  }

  /** Nobody answers for a device that is gone: the bus reads as all ones. */
  private access<T>(perform: () => T, size: AccessSize): T | number {
    this.accesses++;
    this.noteRoutine();
    this.endSpin();
    if (this.here && this.accesses >= (this.trouble.silentFrom ?? Number.POSITIVE_INFINITY)) this.silence();
    if (this.here && !this.powered) this.noteReach('device-access-without-power', this.touchedWithoutPower);
    if (this.pulled) this.noteReach('device-access-after-removal', this.touchedAfterRemoval);
    if (!this.answers) return size === 8 ? -1 : 2 ** (8 * size) - 1;
    this.targets = undefined;
    const result = perform();
    this.targets = undefined;
    return result;
  }

  /** Which access is a routine's first: scenarios let the device fall silent there. */
  private noteRoutine(): void {
    const routine = this.scheduler.active?.callbacks.at(-1)?.name ?? '';
    if (this.touchedBy.has(routine)) return;
    this.touchedBy.add(routine);
    const detail = { device: this.definition.name, routine, access: this.accesses };
    this.trace.emit({ kind: 'fact', what: 'device-first-access', detail });
  }

  /** A routine of the driver reaches for a device in D3, or for one that has gone: once for each routine. */
  private noteReach(what: string, already: Set<string>): void {
    const { active } = this.scheduler;
    const routine = active?.callbacks.at(-1)?.name ?? active?.name ?? '';
    if (already.has(routine)) return;
    already.add(routine);
    this.trace.emit({ kind: 'fact', what, detail: { device: this.definition.name, routine }, stack: this.stack() });
  }

  /**
   * Ends a driver that polls for ever well before the instruction budget does: a register is slow to read, here as on a bus.
   * Where the driver is, the budget's own check says; one in TypeScript does not come back for that.
   */
  private endSpin(): void {
    const { events } = this.trace;
    const context = this.scheduler.active?.name ?? '';
    const row = this.inRow.get(context) ?? { count: 0, events: 0 };
    this.inRow.set(context, row);
    row.count = this.actedSince(row.events, context) ? 1 : row.count + 1;
    row.events = events.length;
    if (row.count === POLLS) this.scheduler.limits.instructions = 0;
    if (row.count < POLLS + SLICE_OF_POLLS) return;
    const routine = this.scheduler.active?.callbacks.at(-1)?.name ?? context;
    throw new Hang(`${routine} polls the device on and on, ${POLLS} times without anything between`);
  }

  /** Whether the trace has gone on by what this context did. */
  private actedSince(start: number, context: string): boolean {
    const { events } = this.trace;
    for (let i = start; i < events.length; i++) if (events[i]?.context === context) return true;
    return false;
  }

  private hole(bar: number, offset: number, access: 'read' | 'write'): void {
    const key = `${bar} ${offset} ${access}`;
    if (this.holes.has(key)) return;
    this.holes.add(key);
    const detail = { device: this.name, bar, offset: hex(offset), access };
    this.trace.emit({ kind: 'fact', what: 'device-register-undefined', detail });
  }
}

function source(line: boolean, vector: number): InterruptSource {
  return { kind: line ? 'line' : 'message', vector, asserted: false, inService: false, connected: undefined };
}
