/**
 * What lifters write instructions with: operands, checked memory, flags, and ways out. One `Lift` serves one basic block.
 *
 * The rule that keeps state precise: an instruction first makes every access that may be refused, then stores, then sets
 * flags, then registers. Until the first of these an exit leaves the machine as the instruction found it.
 */
import { type Address, toBits } from '../../trace/units.ts';
import type { Body } from '../body.ts';
import type { Instruction, Operand, Size } from '../decode.ts';
import { Type } from '../emit.ts';
import {
  conditionValue, FlagKind, type FlagState, flagValue, packedState, packFlags, stateCode, zeroExtend,
} from '../flags.ts'; // biome-ignore format: one line of names
import { Rflags } from '../layout.ts';
import { type Integer, i32, i64, int32, int64, select, type Value } from '../values.ts';
import { CheckedMemory, type Facts } from './checked.ts';
import type { Frame, SiteKind } from './frame.ts';

const RSP = 4;

/** Where a block's control goes: to a block of the region by the CFG's edge number, or out of it. */
export type Way = { readonly kind: 'edge'; readonly edge: number } | { readonly kind: 'exit'; readonly rip: Value };

/** How a block ends. Without `condition`, by `taken`. */
export interface Ending {
  readonly condition?: Value;
  readonly taken: Way;
  readonly otherwise?: Way;
}

export interface LiftOptions {
  /** Whether accesses of this operand get a slow path in place, instead of leaving the region. */
  readonly slow: (instruction: Instruction) => boolean;
  /** … and always takes it. */
  readonly neverPlain?: boolean;
}

export class Lift extends CheckedMemory {
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
  private readonly options: LiftOptions;

  constructor(frame: Frame, state: FlagState | undefined, facts: Facts, options: LiftOptions) {
    super(frame, facts);
    this.state = state;
    this.options = options;
    this.neverPlain = options.neverPlain ?? false;
  }

  begin(instruction: Instruction, liveBefore: number, live: number, remaining: number): void {
    this.instruction = instruction;
    this.liveBefore = liveBefore;
    this.live = live;
    this.remaining = remaining;
    this.slow = this.options.slow(instruction);
    if (liveBefore === 0) this.state = undefined;
    this.expect(registerMove(instruction));
  }

  finish(): void {
    this.frame.locals.release();
  }

  // --- registers ---

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
        return this.load(this.operandPlace(operand, size, 'read'));
      default:
        throw new Error(`x64-operand: ${this.instruction.code}`);
    }
  }

  /** Writes a register operand, or checks and stores to memory. */
  write(operand: Operand, value: Value, size: Size = this.sizeOf(operand)): void {
    if (operand.kind === 'register') this.writeRegister(operand.register, size, value, operand.high);
    else if (operand.kind === 'memory') this.store(this.operandPlace(operand, size, 'write'), value);
    else throw new Error(`x64-operand: ${this.instruction.code}`);
  }

  /**
   * Reads an operand that will be written back: the value, and a `commit` to call once, *before* flags are set when it is
   * memory and after when it is a register. `change` does both in that order.
   */
  change(operand: Operand, compute: (old: Value) => { value: Value; flags?: () => void }): void {
    const size = this.sizeOf(operand);
    if (operand.kind === 'memory') {
      const place = this.operandPlace(operand, size, 'write');
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

  // --- the stack ---

  push(value: Value): void {
    this.store(this.fieldPlace(RSP, -8, 8, 'write'), value);
    this.bumpGpr(RSP, -8n);
  }

  /** The value on top of the stack, which stays there. */
  top(): Value {
    return this.load(this.fieldPlace(RSP, 0, 8, 'read'));
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

/** Instructions that add a constant to a 64-bit register or copy one: what checks have proved moves along. */
function registerMove({ mnemonic, operands: [to, from] }: Instruction): ReturnType<Follow> {
  if (to?.kind !== 'register' || to.size !== 8) return undefined;
  const { register } = to;
  switch (mnemonic) {
    case 'add':
      return from?.kind === 'immediate' ? { register, source: register, delta: from.value } : undefined;
    case 'sub':
      return from?.kind === 'immediate' ? { register, source: register, delta: -from.value } : undefined;
    case 'inc':
      return { register, source: register, delta: 1n };
    case 'dec':
      return { register, source: register, delta: -1n };
    case 'mov':
      return from?.kind === 'register' ? { register, source: from.register, delta: 0n } : undefined;
    case 'lea': {
      if (from?.kind !== 'memory' || from.base < 0 || from.index >= 0 || from.addressSize !== 8) return undefined;
      return { register, source: from.base, delta: from.displacement };
    }
    default:
      return undefined;
  }
}
type Follow = () => { register: number; source: number; delta: bigint } | undefined;

/** Leaves flags packed: code for an edge whose target wants them so. */
export function normalise(body: Body, frame: Frame, state: FlagState, mask: number): void {
  if (state.kind !== FlagKind.packed) body.set(frame.flagLocal(0), packFlags(mask, state, frame.flags));
}

/** Notes the flags' kind for the epilogue. */
export function noteState(body: Body, frame: Frame, state: FlagState): void {
  body.set(frame.flagKind, i32.const(stateCode(state)));
}
