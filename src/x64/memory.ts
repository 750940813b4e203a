/**
 * Guest memory with a shadow byte for every byte. One WebAssembly.Memory holds both, so translated code checks an access with
 * one load of as many shadow bytes as it touches and one compare, at any alignment, exact to the byte:
 *
 *     0 .. size            guest bytes; guest address = BASE + offset
 *     size .. 2*size       shadow bytes, one for one
 *     2*size .. +64 KiB    the engine's own page: registers, lookup tables (see cpu.ts)
 *
 * Guest addresses begin at 0xFFFFF80000000000, where Windows keeps drivers and pool, so pointers look and compare as they do
 * there, and truncation to 32 bits is caught. BASE has 32 zero low bits: the offset of an address is its low half.
 */
import type { Address } from '../trace/units.ts';

/** What a shadow byte says about its byte. A byte that no one set is `Unmapped` (0), so a new memory needs no filling. */
export const Shadow = {
  /** Never given to anyone. */
  Unmapped: 0x00,
  /** Was part of a block that has been freed. */
  Freed: 0x01,
  /** Between blocks: what an overrun or underrun meets first. */
  Guard: 0x02,
  /** A device answers: MMIO. */
  Device: 0x03,
  /** Present, but only to be touched below DISPATCH_LEVEL. */
  Pageable: 0x04,
  /** Present and pageable, never writable. */
  PageableReadOnly: 0x05,
  /** The page below a stack. */
  StackGuard: 0x06,
  /** Readable and executable or constant data: `ReadWrite` without the top bit. */
  ReadOnly: 0x7f,
  /** Ordinary memory. */
  ReadWrite: 0xff,
} as const;
export type ShadowState = (typeof Shadow)[keyof typeof Shadow];

/** An access the memory refuses. Thrown by checked accesses from TypeScript; translated code leaves with a `fault` exit. */
export class MemoryFault extends Error {
  readonly access: 'read' | 'write' | 'execute';
  readonly address: Address;
  readonly size: number;
  readonly shadow: number;
  constructor(access: 'read' | 'write' | 'execute', address: Address, size: number, shadow: number) {
    super(`${access} of ${size} bytes at ${address}`);
    this.access = access;
    this.address = address;
    this.size = size;
    this.shadow = shadow;
  }
}

/**
 * Answers the accesses that the inline check does not let through (device registers, pageable memory, shared system pages).
 * It returns, or throws `MemoryFault`, or throws anything else, which ends the run of the machine.
 */
export interface SlowAccess {
  load(address: Address, size: number): bigint;
  store(address: Address, size: number, value: bigint): void;
}

export const BASE = -0x800_0000_0000 as Address;

const refuse: SlowAccess = {
  load(address, size) {
    throw new MemoryFault('read', address, size, 0);
  },
  store(address, size) {
    throw new MemoryFault('write', address, size, 0);
  },
};

/** The machine's memory as drivers see it, with what may be touched byte by byte. */
export class GuestMemory {
  /** Guest bytes, shadow bytes, and the page of the engine. */
  readonly memory: WebAssembly.Memory;
  /** Bytes of guest memory; a power of two. */
  readonly size: number;
  /** Where guest addresses begin: 32 zero low bits. Other than `BASE` only where code must run at addresses a host process has. */
  readonly base: Address;
  /** Who answers what the shadow does not let through. Set once, by the kernel, before anything runs. */
  slow: SlowAccess = refuse;

  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** Bytes from the base up to the highest one that was ever given a shadow. */
  private top = 0;

  constructor(sizeLog2 = 26, base: Address = BASE) {
    this.size = 2 ** sizeLog2;
    this.base = base;
    const pages = (2 * this.size) / 65536 + ENGINE_PAGES;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
  }

  /** True when all of `[address, address + size)` lies in guest memory, whatever its shadow says. */
  contains(address: Address, size = 1): boolean {
    return address >= this.base && address + size <= this.base + this.size;
  }

  // --- raw access: for the kernel's own bookkeeping and for loading images; no shadow check ---

  /** A view of guest bytes; the caller has made sure they exist. */
  raw(address: Address, size: number): Uint8Array {
    if (!this.contains(address, size)) throw new MemoryFault('read', address, size, 0);
    const offset = address - this.base;
    return this.bytes.subarray(offset, offset + size);
  }

  /** What may be done with the byte at this address: one of `Shadow`. */
  shadowAt(address: Address): number {
    return this.contains(address) ? (this.bytes[this.size + (address - this.base)] as number) : Shadow.Unmapped;
  }

  /** Says what may be done with so many bytes. */
  setShadow(address: Address, size: number, state: ShadowState): void {
    if (!this.contains(address, size)) throw new MemoryFault('write', address, size, 0);
    const offset = address - this.base;
    this.top = Math.max(this.top, offset + size);
    this.bytes.fill(state, this.size + offset, this.size + offset + size);
  }

  /** All as in a new memory. Only what was ever given a shadow can have been written. */
  reset(): void {
    this.bytes.fill(0, 0, this.top);
    this.bytes.fill(Shadow.Unmapped, this.size, this.size + this.top);
    this.top = 0;
    this.slow = refuse;
  }

  // --- checked access: what the kernel does on the driver's behalf, and what TypeScript miniports do ---

  /** The byte there. @throws MemoryFault */
  readU8(address: Address): number {
    return this.readable(address, 1) ? this.view.getUint8(address - this.base) : Number(this.slow.load(address, 1));
  }
  /** Two bytes, little-endian. @throws MemoryFault */
  readU16(address: Address): number {
    return this.readable(address, 2)
      ? this.view.getUint16(address - this.base, true)
      : Number(this.slow.load(address, 2));
  }
  /** Four bytes, little-endian. @throws MemoryFault */
  readU32(address: Address): number {
    return this.readable(address, 4)
      ? this.view.getUint32(address - this.base, true)
      : Number(this.slow.load(address, 4));
  }
  /** Eight bytes, little-endian. @throws MemoryFault */
  readU64(address: Address): bigint {
    return this.readable(address, 8) ? this.view.getBigUint64(address - this.base, true) : this.slow.load(address, 8);
  }
  /** A pointer, or any 64-bit value known to fit a signed 53-bit number. */
  readPointer(address: Address): Address {
    if (!this.readable(address, 8)) return Number(BigInt.asIntN(64, this.slow.load(address, 8))) as Address;
    const offset = address - this.base;
    return (this.view.getInt32(offset + 4, true) * 0x1_0000_0000 + this.view.getUint32(offset, true)) as Address;
  }

  /** Writes a number of 8 bits, little-endian. @throws MemoryFault */
  writeU8(address: Address, value: number): void {
    if (this.writable(address, 1)) this.view.setUint8(address - this.base, value);
    else this.slow.store(address, 1, BigInt(value & 0xff));
  }
  /** Writes a number of 16 bits, little-endian. @throws MemoryFault */
  writeU16(address: Address, value: number): void {
    if (this.writable(address, 2)) this.view.setUint16(address - this.base, value, true);
    else this.slow.store(address, 2, BigInt(value & 0xffff));
  }
  /** Writes a number of 32 bits, little-endian. @throws MemoryFault */
  writeU32(address: Address, value: number): void {
    if (this.writable(address, 4)) this.view.setUint32(address - this.base, value, true);
    else this.slow.store(address, 4, BigInt(value >>> 0));
  }
  /** Writes a number of 64 bits, little-endian. @throws MemoryFault */
  writeU64(address: Address, value: bigint): void {
    if (this.writable(address, 8)) this.view.setBigUint64(address - this.base, BigInt.asUintN(64, value), true);
    else this.slow.store(address, 8, BigInt.asUintN(64, value));
  }
  /** Eight bytes: an address. @throws MemoryFault */
  writePointer(address: Address, value: number): void {
    if (!this.writable(address, 8)) {
      this.slow.store(address, 8, BigInt.asUintN(64, BigInt(value)));
      return;
    }
    const offset = address - this.base;
    const high = Math.floor(value / 0x1_0000_0000);
    this.view.setInt32(offset, value - high * 0x1_0000_0000, true);
    this.view.setInt32(offset + 4, high, true);
  }

  /** A copy of `size` bytes, each checked. */
  read(address: Address, size: number): Uint8Array {
    if (size === 0) return new Uint8Array(0);
    if (this.readable(address, size)) return this.bytes.slice(address - this.base, address - this.base + size);
    return Uint8Array.from({ length: size }, (_, i) => this.readU8((address + i) as Address));
  }

  /** Copies bytes there. @throws MemoryFault */
  write(address: Address, data: Uint8Array): void {
    if (data.length === 0) return;
    if (this.writable(address, data.length)) this.bytes.set(data, address - this.base);
    else
      data.forEach((byte, i) => {
        this.writeU8((address + i) as Address, byte);
      });
  }

  /** The same byte so many times. @throws MemoryFault */
  fill(address: Address, size: number, value: number): void {
    if (size === 0) return;
    if (this.writable(address, size)) this.bytes.fill(value, address - this.base, address - this.base + size);
    else for (let i = 0; i < size; i++) this.writeU8((address + i) as Address, value);
  }

  /** Whether every byte may be read without help: ordinary or read-only memory. */
  readable(address: Address, size: number): boolean {
    if (!this.contains(address, size)) return false;
    const start = this.size + (address - this.base);
    const end = start + size;
    let i = start;
    for (; i + 4 <= end; i += 4) if ((this.view.getInt32(i, true) | 0x8080_8080) !== -1) return false;
    for (; i < end; i++) if (((this.bytes[i] as number) | 0x80) !== 0xff) return false;
    return true;
  }

  /** Whether all of these bytes may be written. */
  writable(address: Address, size: number): boolean {
    if (!this.contains(address, size)) return false;
    const start = this.size + (address - this.base);
    const end = start + size;
    let i = start;
    for (; i + 4 <= end; i += 4) if (this.view.getInt32(i, true) !== -1) return false;
    for (; i < end; i++) if (this.bytes[i] !== 0xff) return false;
    return true;
  }
}

/** 64 KiB pages behind the shadow that belong to the engine. */
export const ENGINE_PAGES = 16;
