/**
 * The guest CPU: runs x86-64 code of guest memory as WebAssembly, translated region by region as control gets there and
 * kept. This file is the part in TypeScript: it starts translated code and deals with everything it comes back for.
 */
import { type Address, at, toBits } from '../trace/units.ts';
import { BlockCoverage } from './block-coverage.ts';
import { type CodeSource, Discovery, defaultLimits, type Limits } from './cfg.ts';
import type { Cpu, CpuHost, Exit } from './cpu.ts';
import { Decoder, type Instruction } from './decode.ts';
import { dispatcherModule, hasTailCalls, lookupIndex, tailDispatch } from './dispatch.ts';
import { type ImportedFunction, Type } from './emit.ts';
import { stateCode } from './flags.ts';
import { Layout, LOOKUP_ENTRIES, NO_RIP } from './layout.ts';
import { HIGH_HALF, LOW_HALF } from './lift/checked.ts';
import type { Site } from './lift/frame.ts';
import { CpuException, CpuUnsupported, HelperContext } from './lift/helper.ts';
import { recordOf } from './lift/table.ts';
import { type GuestMemory, MemoryFault } from './memory.ts';
import { type RegionOptions, translate } from './region.ts';
import { PageRegisters } from './registers.ts';

export interface EngineOptions {
  /**
   * Flags are exact at every exit. Otherwise they are exact as far as the guest can see: calls and returns pass none (unless
   * code behind a call reads some), and at a fault flags that nothing reads any more may be old.
   */
  readonly exactFlags?: boolean;
  /** Limits of regions and inlining. */
  readonly limits?: Partial<Limits>;
  /**
   * Whether regions call each other by WebAssembly tail calls where the host has them. A little faster between regions, but
   * every region then imports the table, and V8 takes time for each importer at every new entry: off by default.
   */
  readonly tailCalls?: boolean;
  /** Instructions between returns to TypeScript, so that V8 can swap in optimised code. */
  readonly slice?: number;
  /** Whether blocks leave a mark when they run: one more store each. */
  readonly coverage?: boolean;
  /** Every access through a pointer or to data goes to the memory's own functions: slow, for memory that tells of accesses. */
  readonly everyAccess?: boolean;
  /** Told of every translated region. */
  readonly onRegion?: (region: {
    rip: Address;
    instructions: number;
    bytes: Uint8Array;
    entries: readonly Address[];
  }) => void;
}

interface Region {
  readonly sites: readonly Site[];
  /** The first is what it was made for; targets of its indirect jumps are among them. */
  readonly entries: readonly Address[];
  readonly tableIndex: number;
  readonly slow: boolean;
}

/** Everything that was found out about code under one configuration of executable ranges. */
interface Translations {
  readonly decoded: Map<Address, Instruction | undefined>;
  readonly discovery: Discovery;
  readonly entries: Map<Address, { region: Region; entry: number }>;
  /** Code that goes from place to place by indirect jumps, by each of these places. */
  readonly families: Map<Address, Family>;
}

/** The parts of a function with jump tables, or of an interpreter. Until it is hot each part is a region of its own. */
interface Family {
  /** Where its region begins. */
  root: Address;
  readonly targets: Set<Address>;
  /** How many targets its region knows; 0: it has none yet. */
  known: number;
}

interface Range {
  readonly start: Address;
  readonly end: Address;
}
const within = (ranges: readonly Range[], address: Address): boolean =>
  ranges.some((r) => address >= r.start && address < r.end);

/** The slow path's imports, in the order of SLOW_LOAD and SLOW_STORE. */
const slowImports: readonly ImportedFunction[] = [
  { name: 'load', type: { params: [Type.i64, Type.i32], results: [Type.i64] } },
  { name: 'store', type: { params: [Type.i64, Type.i32, Type.i64], results: [Type.i32] } },
];

const DECODE_WINDOW = 4096;
/** How far indirect jumps of one function reach, and how many targets a region takes. */
const NEAR = 0x10000;
const MOST_TARGETS = 512;
const LONGEST_INSTRUCTION = 15;

export class Engine implements Cpu, CodeSource {
  readonly registers: PageRegisters;
  retired = 0;
  /** Regions translated since creation. */
  translated = 0;
  /** Which code has run, where the options ask for it. */
  readonly coverage: BlockCoverage | undefined;

  private readonly memory: GuestMemory;
  private readonly helper: HelperContext;
  private readonly limits: Limits;
  private readonly slice: number;
  private readonly onRegion: EngineOptions['onRegion'];
  private readonly tailCalls: boolean;
  private readonly everyAccess: boolean;
  private exactFlags: boolean;

  private readonly page: number;
  private readonly cells: DataView;
  private readonly memoryPages: number;
  private readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: 64 });
  private readonly runRegions: (unused: number) => void;
  private readonly imports: Record<string, Record<string, unknown>>;

  private code: Range[] = [];
  private hostRanges: Range[] = [];
  private decoder: Decoder | undefined;
  /** What was translated under the present executable ranges, and under others: a machine that is reset comes back to them. */
  private translations: Translations;
  private readonly parked = new Map<string, Translations>();
  /** The bytes translations were made from, by range. */
  private readonly contents = new Map<string, Uint8Array>();
  private readonly regions: Region[] = [];
  private running = false;
  private readonly slowSites = new Set<Address>();
  /** Lines of the lookup cache that were written since it was last cleared. */
  private readonly cachedLines: number[] = [];
  private fault: MemoryFault | undefined;
  /** Of a 16-byte store by the slow path. */
  private lowHalf = 0n;

  constructor(memory: GuestMemory, host: CpuHost, options: EngineOptions = {}) {
    this.memory = memory;
    this.limits = { ...defaultLimits, ...options.limits };
    this.slice = options.slice ?? 1_000_000;
    this.onRegion = options.onRegion;
    this.exactFlags = options.exactFlags ?? false;
    this.tailCalls = (options.tailCalls ?? false) && hasTailCalls();
    this.everyAccess = options.everyAccess ?? false;
    this.page = 2 * memory.size;
    const { buffer } = memory.memory;
    this.memoryPages = buffer.byteLength / 65536;
    this.cells = new DataView(buffer, this.page);
    this.coverage = options.coverage === true ? new BlockCoverage(this.cells) : undefined;
    this.registers = new PageRegisters(buffer, this.page);
    this.helper = new HelperContext(this.registers, memory, host);
    this.translations = this.emptyTranslations();
    this.imports = {
      env: {
        memory: memory.memory,
        table: this.table,
        load: (address: bigint, size: number) => this.slowLoad(address, size),
        store: (address: bigint, size: number, value: bigint) => this.slowStore(address, size, value),
      },
    };
    const dispatcher = this.instantiate(dispatcherModule(this.page, this.memoryPages));
    this.runRegions = dispatcher.run as (unused: number) => void;
    for (let i = 0; i < LOOKUP_ENTRIES; i++) this.clearLine(Layout.lookup + 16 * i);
  }

  // --- the address space ---

  /** Makes a range executable. Translations of the same bytes at the same place are used again. */
  addCode(start: Address, size: number): void {
    const key = `${start} ${size}`;
    const bytes = this.memory.raw(start, size);
    const known = this.contents.get(key);
    if (known === undefined || !equal(known, bytes)) {
      if (known !== undefined) this.forget();
      this.contents.set(key, bytes.slice());
    }
    this.reconfigure(() => this.code.push({ start, end: at(start, size) }));
  }

  /** Takes a range of `addCode` back. */
  removeCode(start: Address, size: number): void {
    this.reconfigure(() => {
      this.code = this.code.filter((range) => range.start !== start || range.end !== at(start, size));
    });
  }

  /** Control that reaches this range leaves with a `host` exit. */
  setHostRange(start: Address, size: number): void {
    this.reconfigure(() => this.hostRanges.push({ start, end: at(start, size) }));
  }

  /** Nothing is executable any more, as in a new engine; translations wait for the same code to come back. */
  reset(): void {
    this.reconfigure(() => {
      this.code = [];
      this.hostRanges = [];
    });
    this.fault = undefined;
  }

  /** Changes the executable ranges: code of other ranges must not run, and what was no code may be some now. */
  private reconfigure(change: () => void): void {
    this.parked.set(this.configuration(), this.translations);
    change();
    this.translations = this.parked.get(this.configuration()) ?? this.emptyTranslations();
    this.disposeDecoder();
    this.clearLookup();
  }

  private configuration(): string {
    const text = (ranges: readonly Range[]) => ranges.map(({ start, end }) => `${start}-${end}`).join(',');
    return `${text(this.code)};${text(this.hostRanges)}`;
  }

  private emptyTranslations(): Translations {
    return { decoded: new Map(), discovery: new Discovery(this, this.limits), entries: new Map(), families: new Map() };
  }

  /** Drops all translated code: to be called when the guest's code has changed. */
  forget(): void {
    this.disposeDecoder();
    this.translations = this.emptyTranslations();
    this.parked.clear();
    this.clearLookup();
    // translated code that runs right now still names its sites
    if (this.running) return;
    this.regions.forEach((_, i) => {
      this.table.set(i, null);
    });
    this.regions.length = 0;
  }

  private disposeDecoder(): void {
    this.decoder?.dispose();
    this.decoder = undefined;
  }

  isHost(rip: Address): boolean {
    return within(this.hostRanges, rip);
  }

  decode(rip: Address): Instruction | undefined {
    if (this.translations.decoded.has(rip)) return this.translations.decoded.get(rip);
    const range = this.code.find((r) => rip >= r.start && rip < r.end);
    let instruction: Instruction | undefined;
    if (range && this.memory.contains(rip)) {
      if (
        !this.decoder?.covers(rip) ||
        !this.decoder.covers(Math.min(at(rip, LONGEST_INSTRUCTION), range.end - 1) as Address)
      ) {
        this.disposeDecoder();
        const end = Math.min(range.end, rip + DECODE_WINDOW);
        this.decoder = new Decoder(this.memory.raw(rip, end - rip), rip);
      }
      instruction = this.decoder.decode(rip);
    }
    this.translations.decoded.set(rip, instruction);
    return instruction;
  }

  // --- running ---

  run(budget: number): Exit {
    const { cells, registers } = this;
    let left = budget;
    cells.setInt32(Layout.stop, 0, true);
    for (;;) {
      const { rip } = registers;
      if (this.isHost(rip)) return { kind: 'host', address: rip };
      if (left <= 0 || cells.getInt32(Layout.stop, true) < 0) return { kind: 'budget' };
      const refused = this.ensure(rip);
      if (refused) return refused;

      const fuel = Math.min(left, this.slice) - 1;
      cells.setInt32(Layout.fuel, fuel, true);
      cells.setInt32(Layout.site, 0, true);
      this.running = true;
      try {
        this.runRegions(0);
      } finally {
        this.running = false;
      }
      let used = fuel - cells.getInt32(Layout.fuel, true);
      // hot code only: a scheduler's shorter budgets keep regions as they are
      if (used >= this.slice) this.mergeFamilies();
      const number = cells.getInt32(Layout.site, true);
      if (number) {
        const region = this.regions[cells.getInt32(Layout.region, true)]!;
        const site = region.sites[number - 1]!;
        used -= site.unused;
        if (site.rip !== undefined) registers.rip = site.rip;
        if (site.state) cells.setInt32(Layout.flagKind, stateCode(site.state), true);
        const before = this.retired;
        this.retired += used;
        const exit = this.leave(site, region);
        if (exit) return exit;
        left -= this.retired - before;
      } else {
        this.retired += used;
        left -= used;
      }
    }
  }

  stop(): void {
    this.cells.setInt32(Layout.stop, -0x8000_0000, true);
  }

  /** Deals with a region left before an instruction; undefined: go on. */
  private leave(site: Site, region: Region): Exit | undefined {
    const { instruction } = site;
    switch (site.kind) {
      case 'budget':
        return undefined;
      case 'flags':
        this.registers.packFlags();
        return undefined;
      case 'access':
        // translate again from here, with the slow path in place
        this.slowSites.add(site.rip!);
        this.drop(region);
        this.compile(site.rip!, true);
        return undefined;
      case 'refused':
        return this.refused();
      case 'helper':
        return this.help(instruction!);
      case 'exception':
        return { kind: 'exception', vector: site.vector! };
      case 'unsupported':
        return unsupported(instruction!);
    }
  }

  private refused(): Exit {
    const fault = this.fault!;
    this.fault = undefined;
    this.cells.setInt32(Layout.trap, 0, true);
    const { access, address, size, shadow } = fault;
    return { kind: 'fault', access, address, size, shadow };
  }

  /** Executes one instruction by its helper. */
  private help(instruction: Instruction): Exit | undefined {
    const { registers } = this;
    try {
      recordOf(instruction)!.helper!(this.helper, instruction);
    } catch (error) {
      if (error instanceof MemoryFault) {
        this.fault = error;
        return this.refused();
      }
      if (error instanceof CpuUnsupported) return unsupported(instruction);
      if (error instanceof CpuException) return { kind: 'exception', vector: error.vector };
      throw error;
    }
    // a helper that stays (a repeated string instruction, between iterations) says so
    if (this.helper.stays) this.helper.stays = false;
    else registers.rip = instruction.next;
    this.retired++;
    return undefined;
  }

  private slowLoad(address: bigint, size: number): bigint {
    try {
      return this.helper.load(Number(address) as Address, size as 1 | 2 | 4 | 8);
    } catch (error) {
      this.trap(error);
      return 0n;
    }
  }

  private slowStore(address: bigint, size: number, value: bigint): number {
    const to = Number(address) as Address;
    try {
      if (size === LOW_HALF) this.lowHalf = value;
      else if (size === HIGH_HALF) this.storeHalves(to, value);
      else this.helper.store(to, size as 1 | 2 | 4 | 8, value);
    } catch (error) {
      this.trap(error);
    }
    return 0;
  }

  /** The half that may be refused goes first, so that a refusal leaves the other alone. */
  private storeHalves(to: Address, high: bigint): void {
    const { helper, lowHalf } = this;
    const upper = (): void => helper.store(at(to, 8), 8, high);
    const plain = this.memory.writable(to, 8);
    if (plain) upper();
    helper.store(to, 8, lowHalf);
    if (!plain) upper();
  }

  private trap(error: unknown): void {
    if (!(error instanceof MemoryFault)) throw error;
    this.fault = error;
    this.cells.setInt32(Layout.trap, 1, true);
  }

  // --- translated code ---

  /** Makes sure that the lookup cache has an address; an exit when there is no code. */
  private ensure(rip: Address): Exit | undefined {
    const known = this.translations.entries.get(rip);
    if (known) {
      this.cache(rip, known.region.tableIndex, known.entry);
      return undefined;
    }
    if (!this.decode(rip)) {
      if (within(this.code, rip) && this.memory.contains(rip)) return { kind: 'exception', vector: 6 };
      return { kind: 'fault', access: 'execute', address: rip, size: 1, shadow: this.memory.shadowAt(rip) };
    }
    this.learn(rip);
    this.compile(rip, false);
    return undefined;
  }

  /** Notes that an indirect jump went to an address for the first time. */
  private learn(to: Address): void {
    const { cells } = this;
    const { families } = this.translations;
    if (cells.getBigInt64(Layout.jumpedTo, true) !== BigInt(to)) return;
    const from = this.regions[cells.getInt32(Layout.jumpedFrom, true)]?.entries[0];
    cells.setBigInt64(Layout.jumpedTo, NO_RIP, true);
    if (from === undefined || Math.abs(to - from) > NEAR) return;
    const family = families.get(from) ?? { root: from, targets: new Set(), known: 0 };
    families.set(from, family);
    if (family.targets.size >= MOST_TARGETS || families.has(to)) return;
    family.targets.add(to);
    families.set(to, family);
  }

  /** Code that was found to be hot gets its indirect jumps' targets into one region. */
  private mergeFamilies(): void {
    for (const family of new Set(this.translations.families.values())) {
      if (family.known === family.targets.size) continue;
      family.known = family.targets.size;
      this.compile(family.root, false);
    }
  }

  private compile(rip: Address, slow: boolean): void {
    const index = this.regions.length;
    const isSlow = this.everyAccess
      ? (i: Instruction): boolean => this.slowSites.has(i.rip) || touchesMoreThanStack(i)
      : (i: Instruction): boolean => this.slowSites.has(i.rip) || (slow && touchesUnknownMemory(i));
    const family = this.translations.families.get(rip);
    const targets = family?.root === rip && family.known > 0 ? [...family.targets] : [];
    // imports cost time at instantiation: only when something may need them
    const imports = slow || this.everyAccess || this.slowSites.size > 0 ? slowImports : [];
    const options: RegionOptions = {
      memory: { size: this.memory.size, engine: this.page, base: this.memory.base },
      memoryPages: this.memoryPages,
      exactFlags: this.exactFlags,
      slow: isSlow,
      neverPlain: this.everyAccess,
      region: index,
      imports,
      ...(this.coverage === undefined ? {} : { mark: (start, end) => this.coverage?.mark(start, end) }),
      ...(this.tailCalls ? { dispatch: tailDispatch } : {}),
    };
    const code = translate(this.translations.discovery, rip, options, targets);
    if (code.flagsAcrossCall) {
      // what was translated before dropped flags at returns
      this.exactFlags = true;
      this.forget();
      this.compile(rip, slow);
      return;
    }
    this.translated++;
    this.onRegion?.({ rip, instructions: code.instructions, bytes: code.module, entries: code.entries });
    while (index >= this.table.length) this.table.grow(this.table.length);
    this.table.set(index, this.instantiate(code.module).f);
    const entries = [...code.entries, ...code.targets];
    const region: Region = { sites: code.sites, entries, tableIndex: index, slow };
    this.regions.push(region);
    entries.forEach((rip, i) => {
      // an older region keeps its inner entries, but not what this one was made for
      if (i > 0 && targets.length === 0 && this.translations.entries.has(rip)) return;
      const entry = Math.min(i, code.entries.length);
      this.translations.entries.set(rip, { region, entry });
      this.cache(rip, index, entry);
    });
  }

  /** Takes a region's entries away; what runs again there is translated again. */
  private drop(region: Region): void {
    for (const rip of region.entries) {
      if (this.translations.entries.get(rip)?.region !== region) continue;
      this.translations.entries.delete(rip);
      const line = this.line(rip);
      if (this.cells.getBigInt64(line, true) === BigInt(rip)) this.clearLine(line);
    }
  }

  private instantiate(bytes: Uint8Array): Record<string, unknown> {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), this.imports).exports;
  }

  private line(rip: Address): number {
    return Layout.lookup + 16 * lookupIndex(Number(toBits(rip) & 0xffffffffn));
  }

  private cache(rip: Address, tableIndex: number, entry: number): void {
    const line = this.line(rip);
    this.cells.setBigInt64(line, BigInt(rip), true);
    this.cells.setInt32(line + 8, tableIndex, true);
    this.cells.setInt32(line + 12, entry, true);
    this.cachedLines.push(line);
  }

  private clearLookup(): void {
    for (const line of this.cachedLines) this.clearLine(line);
    this.cachedLines.length = 0;
  }

  /** Tags a line with an address that is looked up in another: control may go anywhere, `NO_RIP` too, whose line is the first. */
  private clearLine(line: number): void {
    this.cells.setBigInt64(line, line === Layout.lookup ? 1n : NO_RIP, true);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function unsupported({ bytes, mnemonic }: Instruction): Exit {
  return { kind: 'unsupported', bytes: Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' '), mnemonic };
}

/** Anywhere but the stack. */
function touchesMoreThanStack(instruction: Instruction): boolean {
  return instruction.operands.some((o) => o.kind === 'memory' && !o.gs && o.base !== 4);
}

/** Through a pointer, so perhaps to a device: not the stack, not the image's own data. */
function touchesUnknownMemory(instruction: Instruction): boolean {
  return instruction.operands.some((o) => o.kind === 'memory' && (o.base >= 0 || o.index >= 0 || o.gs) && o.base !== 4);
}
