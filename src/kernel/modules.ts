/** Loads driver images into the guest and names the addresses in them. What ntoskrnl's loader does before DriverEntry. */
import type { Image } from '../image/image.ts';
import { mapImage } from '../image/map.ts';
import type { Frame } from '../trace/events.ts';
import { type Address, at } from '../trace/units.ts';
import { type GuestMemory, Shadow, type ShadowState } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import { PAGE_SIZE } from './heap.ts';
import type { HostCode } from './host-code.ts';

export interface Module {
  readonly name: string;
  readonly image: Image;
  readonly base: Address;
}

/** `__security_cookie`'s value: fixed, so that runs repeat; not the compiler's default, which GsDriverEntry refuses. */
const COOKIE = 0x0000_5ac3_91d7_e24bn;

export class Modules {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly code: HostCode;
  private readonly addCode: (start: Address, size: number) => void;
  private readonly loaded: Module[] = [];

  constructor(parts: {
    memory: GuestMemory;
    heap: Heap;
    code: HostCode;
    addCode: (start: Address, size: number) => void;
  }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.code = parts.code;
    this.addCode = parts.addCode;
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
    this.protect(image, base);
    const module: Module = { name, image, base };
    this.loaded.push(module);
    return module;
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
      if (section.executable) this.addCode(start, section.mappedSize);
    }
  }

  /** The image that holds the address. */
  at(address: Address): Module | undefined {
    return this.loaded.find(({ base, image }) => address >= base && address < base + image.sizeOfImage);
  }

  /** The frame a code address stands for; the nearest export names it until symbols do. */
  frame(address: Address): Frame {
    const module = this.at(address);
    if (module === undefined) {
      const entry = this.code.holds(address) ? this.code.at(address) : undefined;
      return {
        address,
        module: entry === undefined ? '?' : 'kernel',
        offset: 0,
        ...(entry === undefined ? {} : { name: entry.name }),
      };
    }
    return { address, module: module.name, offset: address - module.base };
  }
}
