/**
 * Loads driver images into the guest, takes them out again, and names the addresses in them. What ntoskrnl's loader does before
 * DriverEntry, after it (discardable sections) and after the driver's Unload.
 */
import type { Image, RuntimeFunction, Section } from '../image/image.ts';
import { mapImage } from '../image/map.ts';
import { findFunction, primaryFunction } from '../image/unwind-info.ts';
import type { BlockInfo, Frame } from '../trace/events.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import { type GuestMemory, Shadow, type ShadowState } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import { PAGE_SIZE } from './heap.ts';
import type { HostCode } from './host-code.ts';

export interface Module {
  readonly name: string;
  readonly image: Image;
  readonly base: Address;
}

/** What the CPU must know of executable ranges. */
export interface CodeRanges {
  addCode(start: Address, size: number): void;
  removeCode?(start: Address, size: number): void;
}

interface Loaded extends Module {
  state: 'loaded' | 'unloaded';
  /** Sections that are gone. */
  readonly discarded: Section[];
  /** Frames told so far: of return addresses, and of others. */
  readonly frames: { readonly returned: Map<Address, Frame>; readonly others: Map<Address, Frame> };
}

/** `__security_cookie`'s value: fixed, so that runs repeat; not the compiler's default, which GsDriverEntry refuses. */
const COOKIE = 0x0000_5ac3_91d7_e24bn;
/** Machine code: the check routine returns, the dispatch routine jumps to RAX. */
const GUARD_CHECK = [0xc3];
const GUARD_DISPATCH = [0xff, 0xe0];
/** Exports further away name nothing. */
const EXPORT_REACH = 0x1000;
const RUNTIME_FUNCTION_SIZE = 12;
const EXCEPTION_DIRECTORY = 3;

export class Modules {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly code: HostCode;
  private readonly ranges: CodeRanges;
  private readonly all: Loaded[] = [];
  private guard: { readonly check: Address; readonly dispatch: Address } | undefined;

  constructor(parts: { memory: GuestMemory; heap: Heap; code: HostCode; ranges: CodeRanges }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.code = parts.code;
    this.ranges = parts.ranges;
  }

  load(image: Image, name: string): Module {
    const base = this.heap.allocate(image.sizeOfImage, `image of ${name}`, { align: PAGE_SIZE });
    this.memory.raw(base, image.sizeOfImage).set(mapImage(image, base));
    for (const dll of image.imports) {
      for (const symbol of dll.symbols) {
        const target = this.code.resolve(symbol.name ?? `${dll.name}#${symbol.ordinal}`, dll.name);
        this.memory.writePointer(at(base, symbol.iat), target);
      }
    }
    if (image.loadConfig?.securityCookie !== undefined) {
      this.memory.writeU64(at(base, image.loadConfig.securityCookie), COOKIE);
    }
    this.fillGuardPointers(image, base);
    this.protect(image, base);
    const frames = { returned: new Map(), others: new Map() };
    const module: Loaded = { name, image, base, state: 'loaded', discarded: [], frames };
    this.all.push(module);
    return module;
  }

  /** Takes the sections away that the driver said it needs no more once DriverEntry has returned. */
  discard(module: Module): void {
    const loaded = module as Loaded;
    for (const section of module.image.sections) {
      if (!section.discardable || section.mappedSize === 0 || loaded.discarded.includes(section)) continue;
      loaded.discarded.push(section);
      this.takeAway(at(module.base, section.rva), section.mappedSize, section.executable);
    }
  }

  /** The driver's Unload has returned: nothing of the image is left. Code that runs there afterwards is found out. */
  unload(module: Module): void {
    const loaded = module as Loaded;
    if (loaded.state === 'unloaded') return;
    loaded.state = 'unloaded';
    for (const section of module.image.sections) {
      if (section.executable && !loaded.discarded.includes(section)) {
        this.ranges.removeCode?.(at(module.base, section.rva), section.mappedSize);
      }
    }
    this.heap.free(module.base);
  }

  private takeAway(start: Address, size: number, executable: boolean): void {
    this.memory.setShadow(start, size, Shadow.Freed);
    if (executable) this.ranges.removeCode?.(start, size);
  }

  /**
   * The guard pointers of an image usually lead to stubs of its own; where they are empty, the kernel's routines belong there.
   * Which targets are valid is not checked.
   */
  private fillGuardPointers(image: Image, base: Address): void {
    const config = image.loadConfig;
    if (config === undefined) return;
    const fill = (rva: number | undefined, routine: 'check' | 'dispatch') => {
      if (rva === undefined || this.memory.readPointer(at(base, rva)) !== NULL) return;
      this.memory.writePointer(at(base, rva), this.guardRoutines()[routine]);
    };
    fill(config.guardCheckPointer, 'check');
    fill(config.guardDispatchPointer, 'dispatch');
    fill(config.guardXfgCheckPointer, 'check');
    fill(config.guardXfgDispatchPointer, 'dispatch');
    fill(config.guardXfgTableDispatchPointer, 'dispatch');
  }

  private guardRoutines(): { readonly check: Address; readonly dispatch: Address } {
    if (this.guard === undefined) {
      const page = this.heap.allocate(PAGE_SIZE, 'control flow guard routines', { align: PAGE_SIZE, fill: 0xcc });
      const dispatch = at(page, 16);
      this.memory.write(page, Uint8Array.from(GUARD_CHECK));
      this.memory.write(dispatch, Uint8Array.from(GUARD_DISPATCH));
      this.memory.setShadow(page, PAGE_SIZE, Shadow.ReadOnly);
      this.ranges.addCode(page, PAGE_SIZE);
      this.guard = { check: page, dispatch };
    }
    return this.guard;
  }

  /** Headers and gaps read-only, sections by their characteristics. */
  private protect(image: Image, base: Address): void {
    this.memory.setShadow(base, image.sizeOfImage, Shadow.ReadOnly);
    for (const section of image.sections) {
      const start = at(base, section.rva);
      const shadow: ShadowState = section.writable
        ? section.pageable
          ? Shadow.Pageable
          : Shadow.ReadWrite
        : section.pageable && !section.executable
          ? Shadow.PageableReadOnly
          : Shadow.ReadOnly;
      this.memory.setShadow(start, section.mappedSize, shadow);
      if (section.executable) this.ranges.addCode(start, section.mappedSize);
    }
  }

  /** The image that holds the address. */
  at(address: Address): Module | undefined {
    return this.all.find((module) => module.state === 'loaded' && holds(module, address));
  }

  /** The unloaded image that held the address. */
  unloadedAt(address: Address): Module | undefined {
    return this.all.find((module) => module.state === 'unloaded' && holds(module, address));
  }

  /** What the heap cannot know about an address in an image: that its section was discarded, that the driver is gone. */
  explain(address: Address): BlockInfo | undefined {
    const module = this.all.find((candidate) => holds(candidate, address));
    if (module === undefined) return undefined;
    const rva = address - module.base;
    const section = module.image.sections.find((each) => rva >= each.rva && rva < each.rva + each.mappedSize);
    const gone = section !== undefined && module.discarded.includes(section);
    const what =
      module.state === 'loaded' && gone
        ? `discarded section ${section.name} of ${module.name}, gone since DriverEntry returned`
        : `image of ${module.name}${section === undefined ? '' : `, section ${section.name}`}`;
    return {
      what,
      address: at(module.base, section?.rva ?? 0),
      size: section?.mappedSize ?? module.image.sizeOfImage,
      offset: rva - (section?.rva ?? 0),
      state: gone || module.state === 'unloaded' ? 'freed' : 'live',
      allocated: [],
    };
  }

  /** Where the RUNTIME_FUNCTION stands in guest memory. */
  functionEntry(module: Module, entry: RuntimeFunction): Address {
    const table = module.image.directories[EXCEPTION_DIRECTORY];
    const count = Math.floor((table?.size ?? 0) / RUNTIME_FUNCTION_SIZE);
    for (let index = 0; index < count; index++) {
      const address = at(module.base, (table?.rva ?? 0) + index * RUNTIME_FUNCTION_SIZE);
      if (this.memory.readU32(address) === entry.begin) return address;
    }
    return NULL;
  }

  /**
   * The frame a code address stands for: named as the image's entry point or by an export.
   * @param returned it is a return address, so the code it belongs to ends before it
   */
  frame(address: Address, returned = false): Frame {
    const module = this.all.find((candidate) => holds(candidate, address));
    if (module === undefined) return this.hostFrame(address);
    const told = returned ? module.frames.returned : module.frames.others;
    const known = told.get(address);
    if (known !== undefined) return known;
    const offset = address - module.base;
    const name = exportName(module.image, returned ? offset - 1 : offset);
    const frame: Frame = { address, module: module.name, offset, ...(name === undefined ? {} : { name }) };
    told.set(address, frame);
    return frame;
  }

  private hostFrame(address: Address): Frame {
    const entry = this.code.holds(address) ? this.code.at(address) : undefined;
    if (entry === undefined) return { address, module: '?', offset: 0 };
    const module = entry.kind === 'function' ? entry.record.module : entry.kind === 'missing' ? entry.module : 'kernel';
    return { address, module, offset: 0, name: entry.name };
  }
}

function holds({ base, image }: Module, address: Address): boolean {
  return address >= base && address < base + image.sizeOfImage;
}

/** DriverEntry or an export, if it is the function around the address; a name further off would mislead. */
function exportName(image: Image, rva: number): string | undefined {
  let start: number | undefined;
  try {
    const entry = findFunction(image, rva);
    if (entry !== undefined) start = primaryFunction(image, entry).begin;
  } catch {
    // Damaged unwind data: the function's start is not known.
  }
  const candidates = [
    { rva: image.entryPoint, name: 'DriverEntry' },
    ...(image.exports?.symbols ?? []).map((symbol) => ({ rva: symbol.rva, name: symbol.name })),
  ];
  let best: { rva: number; name: string } | undefined;
  for (const { rva: at_, name } of candidates) {
    if (at_ === undefined || name === undefined || at_ > rva || rva - at_ > EXPORT_REACH) continue;
    if (start === undefined ? findFunction(image, at_) !== undefined : at_ !== start) continue;
    if (best === undefined || at_ > best.rva) best = { rva: at_, name };
  }
  return best?.name;
}
