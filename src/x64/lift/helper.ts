/**
 * Instructions executed in TypeScript: those that talk to the host, and those too rare or too odd to translate. A helper
 * works on the registers in the engine's page; it may throw `MemoryFault` or `CpuException` as long as it has changed nothing.
 */
import type { Address } from '../../trace/units.ts';
import { fromBits } from '../../trace/units.ts';
import type { CpuHost, Registers } from '../cpu.ts';
import type { Instruction, MemoryOperand, Operand, Size } from '../decode.ts';
import type { GuestMemory } from '../memory.ts';

/** A processor exception raised by a helper; the engine turns it into an exit. */
export class CpuException extends Error {
  readonly vector: number;
  constructor(vector: number) {
    super(`exception ${vector}`);
    this.vector = vector;
  }
}

/** Thrown for what a helper does not model. */
export class CpuUnsupported extends Error {}

export class HelperContext {
  readonly registers: Registers;
  readonly memory: GuestMemory;
  readonly host: CpuHost;
  /** Set by a helper that has done part of its work: control stays at the instruction. */
  stays = false;

  constructor(registers: Registers, memory: GuestMemory, host: CpuHost) {
    this.registers = registers;
    this.memory = memory;
    this.host = host;
  }

  gpr(n: number): bigint {
    return this.registers.gpr[n] as bigint;
  }

  /** The low bytes of a register, zero-extended. */
  readRegister(n: number, size: Size, high = false): bigint {
    return BigInt.asUintN(size * 8, high ? this.gpr(n) >> 8n : this.gpr(n));
  }

  writeRegister(n: number, size: Size, value: bigint, high = false): void {
    const { gpr } = this.registers;
    const cut = BigInt.asUintN(size * 8, value);
    if (size >= 4) gpr[n] = cut;
    else {
      const shift = high ? 8n : 0n;
      const mask = ((1n << BigInt(size * 8)) - 1n) << shift;
      gpr[n] = ((gpr[n] as bigint) & ~mask) | (cut << shift);
    }
  }

  address(operand: MemoryOperand): Address {
    let sum = operand.displacement;
    if (operand.base >= 0) sum += this.gpr(operand.base);
    if (operand.index >= 0) sum += this.gpr(operand.index) * BigInt(operand.scale);
    if (operand.addressSize === 4) sum = BigInt.asUintN(32, sum);
    if (operand.gs) sum += BigInt(this.registers.gsBase);
    return fromBits(sum);
  }

  load(address: Address, size: Size): bigint {
    const { memory } = this;
    switch (size) {
      case 1:
        return BigInt(memory.readU8(address));
      case 2:
        return BigInt(memory.readU16(address));
      case 4:
        return BigInt(memory.readU32(address));
      default:
        return BigInt.asUintN(64, memory.readU64(address));
    }
  }

  store(address: Address, size: Size, value: bigint): void {
    const { memory } = this;
    const cut = BigInt.asUintN(size * 8, value);
    if (size === 8) memory.writeU64(address, cut);
    else if (size === 4) memory.writeU32(address, Number(cut));
    else if (size === 2) memory.writeU16(address, Number(cut));
    else memory.writeU8(address, Number(cut));
  }

  /** An operand's value, zero-extended from its size. */
  read(operand: Operand, size: Size): bigint {
    switch (operand.kind) {
      case 'register':
        return this.readRegister(operand.register, size, operand.high);
      case 'immediate':
        return BigInt.asUintN(size * 8, operand.value);
      case 'memory':
        return this.load(this.address(operand), size);
      default:
        throw new Error('x64-helper: operand');
    }
  }

  write(operand: Operand, size: Size, value: bigint): void {
    if (operand.kind === 'register') this.writeRegister(operand.register, size, value, operand.high);
    else if (operand.kind === 'memory') this.store(this.address(operand), size, value);
    else throw new Error('x64-helper: operand');
  }

  /** Sets the flags of `mask` to those in `flags`. */
  setFlags(mask: number, flags: number): void {
    this.registers.rflags = (this.registers.rflags & ~mask) | (flags & mask);
  }

  sizeOf(instruction: Instruction): Size {
    const sized = instruction.operands.find((o) => o.kind === 'register' || o.kind === 'memory');
    return (sized as { size: number }).size as Size;
  }
}
