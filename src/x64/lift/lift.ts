/**
 * What lifters write instructions with: operands, checked memory, flags, and ways out. One `Lift` serves one basic block.
 *
 * The rule that keeps state precise: an instruction first makes every access that may be refused, then stores, then sets
 * flags, then registers. Until the first of these an exit leaves the machine as the instruction found it.
 */
import { type Address, toBits } from '../../trace/units.ts';
import { Body, StoreOp, zero } from '../body.ts';
import type { Instruction, MemoryOperand, Operand, Size } from '../decode.ts';
import { Type } from '../emit.ts';
import {
  conditionValue, FlagKind, type FlagState, flagValue, packedState, packFlags, stateCode, zeroExtend,
} from '../flags.ts'; // biome-ignore format: one line of names
import { Layout, Rflags } from '../layout.ts';
import { BASE } from '../memory.ts';
import { call, type Integer, i32, i64, int32, int64, type Load, local, select, simd, type Value } from '../values.ts';
import type { Frame, SiteKind } from './frame.ts';

/** Where a block's control goes: to a block of the region by the CFG's edge number, or out of it. */
export type Way = { readonly kind: 'edge'; readonly edge: number } | { readonly kind: 'exit'; readonly rip: Value };

/** How a block ends. Without `condition`, by `taken`. */
export interface Ending {
  readonly condition?: Value;
  readonly taken: Way;
  readonly otherwise?: Way;
}

/** A checked place in memory. */
export interface Place {
  readonly address: Value;
  /** Offset in the WebAssembly memory. */
  readonly offset: Value;
  readonly size: number;
  /** In code with slow paths: whether the plain access may be made. */
  readonly plain: Value | undefined;
}

/** Function indices of the slow path's imports. */
export const SLOW_LOAD = 0;
export const SLOW_STORE = 1;

export interface LiftOptions {
  /** Whether accesses of this operand get a slow path in place, instead of leaving the region. */
  readonly slow: (instruction: Instruction) => boolean;
}

export class Lift {
  readonly frame: Frame;
  readonly body: Body;
  /** Flags that may be read after the current instruction. */
  live = 0;
  /** Flags that may be read by it or later: what an exit before it must keep. */
  liveBefore = 0;
  /** What set the flags last; undefined when no one will read them. */
  state: FlagState | undefined;
  ending: Ending | undefined;
  /** Where a return from this (inlined) function goes, if it is in this region. */
  inlinedReturn: Address | undefined;
  /** Instructions of the block from the current one on. */
  remaining = 0;
  private instruction!: Instruction;
  private slow = false;
  private readonly options: LiftOptions;

  constructor(frame: Frame, state: FlagState | undefined, options: LiftOptions) {
    this.frame = frame;
    this.body = new Body(frame.locals);
    this.state = state;
    this.options = options;
  }

  begin(instruction: Instruction, liveBefore: number, live: number, remaining: number): void {
    this.instruction = instruction;
    this.liveBefore = liveBefore;
    this.live = live;
    this.remaining = remaining;
    this.slow = this.options.slow(instruction);
    if (liveBefore === 0) this.state = undefined;
  }

  finish(): void {
    this.frame.locals.release();
  }

  keep(value: Value): Value {
    return this.body.keep(value);
  }

  // --- registers ---

  /** All 64 bits. */
  gpr(n: number): Value {
    return this.frame.readGpr(n);
  }
  setGpr(n: number, value: Value): void {
    this.body.set(this.frame.writeGpr(n), value);
  }

  /** The low bytes of a register: i64, or i32 with zeros above the size. */
  readRegister(n: number, size: Size, high = false): Value {
    const all = this.gpr(n);
    if (size === 8) return all;
    if (high) return i32.and(i32.shr_u(i32.wrap(all), i32.const(8)), i32.const(0xff));
    return zeroExtend(i32.wrap(all), size);
  }

  /** Writes as the CPU does: 4 bytes clear the upper half, 1 and 2 keep the rest. The value has zeros above its size. */
  writeRegister(n: number, size: Size, value: Value, high = false): void {
    if (size === 8) this.setGpr(n, value);
    else if (size === 4)
      this.setGpr(
        n,
        value.constant === undefined ? i64.extend_u(value) : i64.const(BigInt.asUintN(32, value.constant)),
      );
    else {
      const shift = high ? 8n : 0n;
      const mask = (size === 1 ? 0xffn : 0xffffn) << shift;
      const wide = i64.extend_u(value);
      this.setGpr(n, i64.or(i64.and(this.gpr(n), i64.const(~mask)), high ? i64.shl(wide, i64.const(8n)) : wide));
    }
  }

  xmm(n: number): Value {
    return this.frame.readXmm(n);
  }
  setXmm(n: number, value: Value): void {
    this.body.set(this.frame.writeXmm(n), value);
  }

  readXmm(operand: Operand): Value {
    if (operand.kind !== 'xmm') throw new Error(`x64-operand: ${this.instruction.code}`);
    return this.xmm(operand.register);
  }
  writeXmm(operand: Operand, value: Value): void {
    if (operand.kind !== 'xmm') throw new Error(`x64-operand: ${this.instruction.code}`);
    this.setXmm(operand.register, value);
  }

  // --- operands ---

  /** Size in bytes of an operand that has one. */
  sizeOf(operand: Operand): Size {
    if (operand.kind === 'register' || operand.kind === 'memory') return operand.size as Size;
    throw new Error(`x64-operand: ${this.instruction.code}`);
  }

  /** Integer operations for a size. */
  ops(size: number): Integer {
    return size === 8 ? int64 : int32;
  }

  constant(size: number, value: bigint): Value {
    return size === 8 ? i64.const(value) : i32.const(Number(BigInt.asIntN(32, BigInt.asUintN(size * 8, value))));
  }

  /** An operand's value at a size. A memory operand is loaded now. */
  read(operand: Operand, size: Size = this.sizeOf(operand)): Value {
    switch (operand.kind) {
      case 'register':
        return this.readRegister(operand.register, size, operand.high);
      case 'immediate':
        return this.constant(size, operand.value);
      case 'memory':
        return this.load(this.place(this.address(operand), size, 'read'));
      default:
        throw new Error(`x64-operand: ${this.instruction.code}`);
    }
  }

  /** Writes a register operand, or checks and stores to memory. */
  write(operand: Operand, value: Value, size: Size = this.sizeOf(operand)): void {
    if (operand.kind === 'register') this.writeRegister(operand.register, size, value, operand.high);
    else if (operand.kind === 'memory') this.store(this.place(this.address(operand), size, 'write'), value);
    else throw new Error(`x64-operand: ${this.instruction.code}`);
  }

  /**
   * Reads an operand that will be written back: the value, and a `commit` to call once, *before* flags are set when it is
   * memory and after when it is a register. `change` does both in that order.
   */
  change(operand: Operand, compute: (old: Value) => { value: Value; flags?: () => void }): void {
    const size = this.sizeOf(operand);
    if (operand.kind === 'memory') {
      const place = this.place(this.address(operand), size, 'write');
      const old = this.load(place);
      const { value, flags } = compute(old);
      const kept = this.keep(value);
      this.store(place, kept);
      flags?.();
    } else {
      const { value, flags } = compute(this.read(operand));
      if (flags) {
        const kept = this.keep(value);
        flags();
        this.write(operand, kept);
      } else this.write(operand, value);
    }
  }

  /** A memory operand's address, as an i64. */
  address(operand: MemoryOperand): Value {
    let sum: Value | undefined;
    if (operand.base >= 0) sum = this.gpr(operand.base);
    if (operand.index >= 0) {
      const scaled =
        operand.scale === 1
          ? this.gpr(operand.index)
          : i64.shl(this.gpr(operand.index), i64.const(BigInt(Math.log2(operand.scale))));
      sum = sum ? i64.add(sum, scaled) : scaled;
    }
    if (!sum) sum = i64.const(operand.displacement);
    else if (operand.displacement !== 0n) sum = i64.add(sum, i64.const(operand.displacement));
    if (operand.addressSize === 4) sum = i64.extend_u(i32.wrap(sum));
    if (operand.gs) sum = i64.add(i64.load(zero, this.frame.cell(Layout.gsBase)), sum);
    return sum;
  }

  // --- memory ---

  /** Checks an access. Afterwards `load` and `store` cannot be refused, except through a slow path. */
  place(address: Value, size: number, access: 'read' | 'write'): Place {
    const { body, frame } = this;
    const kept = this.keep(address);
    const offset =
      kept.constant === undefined ? this.keep(i32.wrap(kept)) : i32.const(Number(BigInt.asIntN(32, kept.constant)));
    const outside = this.outside(kept);
    const bad = shadowRefuses(offset, size, frame.memory.size, access);
    if (!this.slow) {
      if (outside) this.leaveIf(outside, 'access');
      this.leaveIf(bad, 'access');
      return { address: kept, offset, size, plain: undefined };
    }
    const plain = frame.locals.temporary(Type.i32);
    if (outside) {
      body.set(plain, i32.eqz(outside));
      body.if(local(Type.i32, plain));
      body.set(plain, i32.eqz(bad));
      body.end();
    } else body.set(plain, i32.eqz(bad));
    return { address: kept, offset, size, plain: local(Type.i32, plain) };
  }

  /** Whether an address lies outside guest memory; undefined when it is a constant inside. */
  private outside(address: Value): Value | undefined {
    const { size } = this.frame.memory;
    const base = BigInt(BASE);
    if (address.constant !== undefined && address.constant >= base && address.constant < base + BigInt(size))
      return undefined;
    if (address.constant !== undefined) return i32.const(1);
    const shift = BigInt(Math.log2(size));
    return i64.ne(i64.shr_s(address, i64.const(shift)), i64.const(base >> shift));
  }

  /** The value at a checked place, in a temporary. */
  load(place: Place): Value {
    const { size, offset } = place;
    if (!place.plain) return this.keep(LOADS[size]!(offset));
    const { body, frame } = this;
    const index = frame.locals.temporary(size === 8 ? Type.i64 : Type.i32);
    body.if(place.plain);
    body.set(index, LOADS[size]!(offset));
    body.else();
    const slow = call(SLOW_LOAD, Type.i64, place.address, i32.const(size));
    body.set(index, size === 8 ? slow : i32.wrap(slow));
    this.leaveIfTrapped();
    body.end();
    return local(size === 8 ? Type.i64 : Type.i32, index);
  }

  store(place: Place, value: Value): void {
    const { size, offset } = place;
    const op = size === 8 ? StoreOp.i64 : size === 4 ? StoreOp.i32 : size === 2 ? StoreOp.i32_16 : StoreOp.i32_8;
    if (!place.plain) {
      this.body.store(op, offset, value);
      return;
    }
    const { body } = this;
    const kept = this.keep(value);
    body.if(place.plain);
    body.store(op, offset, kept);
    body.else();
    this.slowStore(place.address, size, size === 8 ? kept : i64.extend_u(kept));
    body.end();
  }

  load128(place: Place): Value {
    const plain = simd(0, Type.v128, [place.offset], 0, 0);
    if (!place.plain) return this.keep(plain);
    const { body, frame } = this;
    const index = frame.locals.temporary(Type.v128);
    const half = (at: bigint) => call(SLOW_LOAD, Type.i64, i64.add(place.address, i64.const(at)), i32.const(8));
    body.if(place.plain);
    body.set(index, plain);
    body.else();
    body.set(index, simd(18, Type.v128, [half(0n)])); // i64x2.splat
    this.leaveIfTrapped();
    body.set(index, simd(30, Type.v128, [local(Type.v128, index), half(8n)], 1)); // i64x2.replace_lane
    this.leaveIfTrapped();
    body.end();
    return local(Type.v128, index);
  }

  store128(place: Place, value: Value): void {
    const { body } = this;
    if (!place.plain) {
      body.storeV128(place.offset, value);
      return;
    }
    const kept = this.keep(value);
    body.if(place.plain);
    body.storeV128(place.offset, kept);
    body.else();
    this.slowStore(place.address, 8, simd(29, Type.i64, [kept], 0)); // i64x2.extract_lane
    this.slowStore(i64.add(place.address, i64.const(8n)), 8, simd(29, Type.i64, [kept], 1));
    body.end();
  }

  /** General protection unless an address is a multiple of a power of two. */
  requireAligned(address: Value, to: number): void {
    const low = i32.and(i32.wrap(address), i32.const(to - 1));
    if (address.constant !== undefined && Number(BigInt.asUintN(32, address.constant)) % to === 0) return;
    this.leaveIf(low, 'exception', 13);
  }

  private slowStore(address: Value, size: number, value: Value): void {
    this.body.drop(call(SLOW_STORE, Type.i32, address, i32.const(size), value));
    this.leaveIfTrapped();
  }

  private leaveIfTrapped(): void {
    this.leaveIf(i32.load(zero, this.frame.cell(Layout.trap)), 'refused');
  }

  // --- the stack ---

  push(value: Value): void {
    const below = this.keep(i64.sub(this.gpr(4), i64.const(8n)));
    const place = this.place(below, 8, 'write');
    this.store(place, value);
    this.setGpr(4, below);
  }

  // --- ways out ---

  /** Leaves the region before this instruction when a condition holds. */
  leaveIf(condition: Value, kind: SiteKind, vector?: number): void {
    if (condition.constant === 0n) return;
    this.body.if(condition);
    this.leave(kind, vector);
    this.body.end();
  }

  /** Leaves the region before this instruction: exact state, nothing committed. */
  leave(kind: SiteKind, vector?: number): void {
    const { frame, instruction } = this;
    const state = this.liveBefore ? this.state : undefined;
    const site = frame.addSite({
      kind, rip: instruction.rip, unused: this.remaining, state, instruction, ...(vector === undefined ? {} : { vector }),
    }); // biome-ignore format: one record
    this.body.set(frame.site, i32.const(site));
    this.body.leaveTo(state ? 'flags' : 'leave');
  }

  /** Lets the record's helper execute the instruction when a condition holds. */
  handOver(condition: Value): void {
    this.leaveIf(condition, 'helper');
  }

  exit(rip: Value): Way {
    return { kind: 'exit', rip };
  }
  exitTo(rip: Address): Way {
    return { kind: 'exit', rip: i64.const(BigInt.asIntN(64, toBits(rip))) };
  }

  // --- flags ---

  /** Records what sets the flags. The operands may not read flags themselves. */
  setFlags(kind: FlagKind, size: Size, x: Value, y?: Value, z?: Value): void {
    if (!this.live) {
      this.state = undefined;
      return;
    }
    this.setOperand(0, x);
    if (y) this.setOperand(1, y);
    if (z) this.setOperand(2, z);
    this.state = { kind, size };
  }

  private setOperand(which: 0 | 1 | 2, value: Value): void {
    const wide =
      value.type === Type.i64
        ? value
        : value.constant === undefined
          ? i64.extend_u(value)
          : i64.const(BigInt.asUintN(32, value.constant));
    this.body.set(this.frame.flagLocal(which), wide);
  }

  /** Sets just the flags of `mask`, from packed bits (an i32); others keep their values. */
  setSome(mask: number, bits: Value): void {
    if (!this.live) {
      this.state = undefined;
      return;
    }
    const others = this.live & ~mask;
    const wide = i64.extend_u(bits);
    this.setOperand(0, others ? i64.or(i64.and(this.packed(others), i64.const(BigInt(others))), wide) : wide);
    this.state = packedState;
  }

  /** Sets CF alone, to an i32 of 0 or 1. */
  setCarry(bit: Value): void {
    if (!this.live) {
      this.state = undefined;
      return;
    }
    const kept = this.keep(bit);
    const others = this.live & ~Rflags.CF;
    this.setOperand(0, others ? this.packed(others) : i64.const(0n));
    this.setOperand(1, kept);
    this.state = { kind: FlagKind.carry, size: 8 };
  }

  /** One flag now, as 0 or 1. The record must say that it reads it. */
  flag(which: number): Value {
    return flagValue(which, this.known(), this.frame.flags);
  }
  condition(code: number): Value {
    return conditionValue(code, this.known(), this.frame.flags);
  }
  /** Flags of a mask, packed in an i64. */
  packed(mask: number): Value {
    return packFlags(mask, this.known(), this.frame.flags);
  }
  /** CF for a setter that keeps it, when anyone reads it later. */
  keptCarry(): Value {
    return this.live & Rflags.CF ? this.keep(this.flag(Rflags.CF)) : i32.const(0);
  }

  private known(): FlagState {
    if (!this.state) throw new Error(`x64-flags: no state at ${this.instruction.code}`);
    return this.state;
  }

  select(condition: Value, yes: Value, no: Value): Value {
    return select(condition, yes, no);
  }
}

/** Leaves flags packed: code for an edge whose target wants them so. */
export function normalise(body: Body, frame: Frame, state: FlagState, mask: number): void {
  if (state.kind !== FlagKind.packed) body.set(frame.flagLocal(0), packFlags(mask, state, frame.flags));
}

/** Notes the flags' kind for the epilogue. */
export function noteState(body: Body, frame: Frame, state: FlagState): void {
  body.set(frame.flagKind, i32.const(stateCode(state)));
}

/** Loads with zeros above the size, by size. */
export const LOADS: Readonly<Record<number, Load>> = { 1: i32.load8_u, 2: i32.load16_u, 4: i32.load, 8: i64.load };

/**
 * Non-zero when the shadow of a range inside memory does not let the access through: stores want `ReadWrite` (0xFF)
 * everywhere, loads accept `ReadOnly` (0x7F) too.
 */
function shadowRefuses(offset: Value, size: number, memory: number, access: 'read' | 'write'): Value {
  if (size === 16) {
    const both = i64.and(i64.load(offset, memory), i64.load(offset, memory + 8));
    return i64.ne(access === 'read' ? i64.or(both, i64.const(-0x7f7f7f7f7f7f7f80n)) : both, i64.const(-1n));
  }
  const o = size === 8 ? int64 : int32;
  const shadow = LOADS[size]!(offset, memory);
  const marks = size === 8 ? -0x7f7f7f7f7f7f7f80n : size === 4 ? 0x80808080n : size === 2 ? 0x8080n : 0x80n;
  const full = size === 8 ? -1n : size === 4 ? 0xffffffffn : size === 2 ? 0xffffn : 0xffn;
  return o.ne(access === 'read' ? o.or(shadow, o.const(marks)) : shadow, o.const(full));
}
