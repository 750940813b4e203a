/**
 * Checked memory access. An access is made inline when its address lies in guest memory and its shadow bytes allow it; otherwise
 * the region is left, to be translated again with a slow path in place (a call to TypeScript that may refuse).
 *
 * What one check has proved is used by the next ones. Per base register a *fact* keeps, in a local of its own, the offset of
 * a point a little below the address that was checked: addresses from there up to REACH bytes on need no range check, because the
 * bytes behind the shadow are zero, "unmapped". And a range whose shadow has allowed an access allows it again: the shadow only
 * changes in TypeScript, and a block that calls it drops all facts.
 */
import { Body, StoreOp, zero } from '../body.ts';
import type { MemoryOperand } from '../decode.ts';
import { Type } from '../emit.ts';
import { Layout } from '../layout.ts';
import { call, i32, i64, int32, int64, type Load, local, simd, type Value, v128 } from '../values.ts';
import type { Frame, SiteKind } from './frame.ts';

/** A checked place in memory: the WebAssembly address is `offset + extra`. */
export interface Place {
  readonly offset: Value;
  readonly extra: number;
  readonly size: number;
  /** Given in code with slow paths. */
  readonly slow?: {
    /** Whether the plain access may be made. */
    readonly plain: Value;
    readonly address: Value;
  };
}

export type Access = 'read' | 'write';

/** Function indices of the slow path's imports. */
export const SLOW_LOAD = 0;
export const SLOW_STORE = 1;
/** Sizes by which the slow path gets the halves of a 16-byte store: it makes both when it has the upper one, or neither. */
export const LOW_HALF = 17;
export const HIGH_HALF = 18;

/** A range that an access was allowed to. */
interface Allowed {
  readonly from: number;
  readonly to: number;
  readonly write: boolean;
}

/** The local of the register's fact holds the offset of `register + low`, which lies in guest memory. */
export interface Fact {
  readonly low: number;
  readonly allowed: readonly Allowed[];
}
export type Facts = ReadonlyMap<number, Fact>;

/** How far below a checked address its fact begins, so that lower neighbours need no new range check. */
const SLACK = 256;
/** How far above its low end a fact reaches: within the zero bytes that begin the engine's page, for any access size. */
const REACH = Layout.guard - 64;
/** Displacements beyond this are not a field of an object. */
const FAR = 0x4000_0000n;

/** Loads with zeros above the size, by size. */
const LOADS: Readonly<Record<number, Load>> = { 1: i32.load8_u, 2: i32.load16_u, 4: i32.load, 8: i64.load };

export abstract class CheckedMemory {
  readonly frame: Frame;
  readonly body: Body;
  /** The current instruction gets its slow path in place. */
  protected slow = false;
  /** … and takes it whatever the inline check would say. */
  protected neverPlain = false;
  private facts: Map<number, Fact>;
  /** How the current instruction is known to change a register: facts follow it. */
  private follow: { readonly register: number; readonly source: number; readonly delta: bigint } | undefined;

  constructor(frame: Frame, facts: Facts) {
    this.frame = frame;
    this.body = new Body(frame.locals);
    this.facts = new Map(facts);
  }

  /** Leaves the region before the current instruction when a condition holds. */
  abstract leaveIf(condition: Value, kind: SiteKind, vector?: number): void;

  keep(value: Value): Value {
    return this.body.keep(value);
  }

  // --- general registers, whose changes facts follow ---

  /** All 64 bits. */
  gpr(n: number): Value {
    return this.frame.readGpr(n);
  }

  setGpr(n: number, value: Value): void {
    this.body.set(this.frame.writeGpr(n), value);
    const { follow } = this;
    if (follow?.register !== n) this.facts.delete(n);
    else this.moveFact(n, follow.source, follow.delta);
  }

  /** Adds a constant to a register. */
  bumpGpr(n: number, delta: bigint): void {
    this.setGprFrom(n, n, delta);
  }

  /** Sets a register to another plus a constant. */
  setGprFrom(n: number, source: number, delta: bigint): void {
    this.body.set(this.frame.writeGpr(n), i64.add(this.gpr(source), i64.const(delta)));
    this.moveFact(n, source, delta);
  }

  /** Announces that the instruction will set `register` to `source + delta`. */
  protected expect(follow: typeof this.follow): void {
    this.follow = follow;
  }

  private moveFact(n: number, source: number, delta: bigint): void {
    const fact = this.facts.get(source);
    if (!fact || delta > FAR || delta < -FAR) {
      this.facts.delete(n);
      return;
    }
    const by = Number(delta);
    if (n !== source) this.body.set(this.frame.factLocal(n), local(Type.i32, this.frame.factLocal(source)));
    this.facts.set(n, {
      low: fact.low - by,
      allowed: fact.allowed.map(({ from, to, write }) => ({ from: from - by, to: to - by, write })),
    });
  }

  /** What holds at the end of the block, for the blocks behind it. */
  knownFacts(): Facts {
    return this.facts;
  }
  /** Before code that runs in a loop of its own. */
  forgetFacts(): void {
    this.facts.clear();
  }

  // --- places ---

  /** A memory operand's address, as an i64. */
  address(operand: MemoryOperand): Value {
    let sum: Value | undefined;
    if (operand.base >= 0) sum = this.gpr(operand.base);
    if (operand.index >= 0) {
      const index = this.gpr(operand.index);
      const scaled = operand.scale === 1 ? index : i64.shl(index, i64.const(BigInt(Math.log2(operand.scale))));
      sum = sum ? i64.add(sum, scaled) : scaled;
    }
    if (!sum) sum = i64.const(operand.displacement);
    else if (operand.displacement !== 0n) sum = i64.add(sum, i64.const(operand.displacement));
    if (operand.addressSize === 4) sum = i64.extend_u(i32.wrap(sum));
    if (operand.gs) sum = i64.add(i64.load(zero, this.frame.cell(Layout.gsBase)), sum);
    return sum;
  }

  /** Checks an access to a memory operand. `aligned`: general protection unless the address is a multiple of it. */
  operandPlace(operand: MemoryOperand, size: number, access: Access, aligned = 1): Place {
    const { base, index, gs, addressSize, displacement } = operand;
    if (base >= 0 && index < 0 && !gs && addressSize === 8 && displacement < FAR && displacement > -FAR) {
      return this.fieldPlace(base, Number(displacement), size, access, aligned);
    }
    const address = this.keep(this.address(operand));
    if (aligned > 1) this.requireAligned(i32.wrap(address), aligned);
    return this.place(address, size, access);
  }

  /** Checks an access at a distance from a register. */
  fieldPlace(register: number, displacement: number, size: number, access: Access, aligned = 1): Place {
    const { body, frame, facts } = this;
    const address = () => i64.add(this.gpr(register), i64.const(BigInt(displacement)));
    if (aligned > 1) this.requireAligned(i32.add(i32.wrap(this.gpr(register)), i32.const(displacement)), aligned);
    if (this.slow) return this.place(address(), size, access);
    let fact = facts.get(register);
    if (!fact || displacement < fact.low || displacement > fact.low + REACH) {
      const low = displacement - SLACK;
      const point = this.keep(low === 0 ? this.gpr(register) : i64.add(this.gpr(register), i64.const(BigInt(low))));
      this.leaveIf(this.outside(point)!, 'access');
      body.set(frame.factLocal(register), i32.wrap(point));
      fact = { low, allowed: [] };
    }
    const offset = local(Type.i32, frame.factLocal(register));
    const extra = displacement - fact.low;
    const write = access === 'write';
    const end = displacement + size;
    if (!fact.allowed.some((a) => a.from <= displacement && end <= a.to && (a.write || !write))) {
      this.leaveIf(shadowRefuses(offset, extra, size, frame.memory.size, access), 'access');
      fact = { low: fact.low, allowed: [...fact.allowed, { from: displacement, to: end, write }] };
    }
    facts.set(register, fact);
    return { offset, extra, size };
  }

  /** Checks an access. Afterwards `load` and `store` cannot be refused, except through a slow path. */
  place(address: Value, size: number, access: Access): Place {
    const { body, frame } = this;
    const kept = this.keep(address);
    const { constant } = kept;
    const offset = constant === undefined ? this.keep(i32.wrap(kept)) : i32.const(Number(BigInt.asIntN(32, constant)));
    const outside = this.outside(kept);
    const refuses = shadowRefuses(offset, 0, size, frame.memory.size, access);
    if (!this.slow) {
      if (outside) this.leaveIf(outside, 'access');
      if (outside?.constant === undefined) this.leaveIf(refuses, 'access');
      return { offset, extra: 0, size };
    }
    this.facts.clear();
    if (this.neverPlain) return { offset, extra: 0, size, slow: { plain: i32.const(0), address: kept } };
    const plain = frame.locals.temporary(Type.i32);
    if (outside) {
      body.set(plain, i32.eqz(outside));
      body.if(local(Type.i32, plain));
      body.set(plain, i32.eqz(refuses));
      body.end();
    } else body.set(plain, i32.eqz(refuses));
    return { offset, extra: 0, size, slow: { plain: local(Type.i32, plain), address: kept } };
  }

  /** Whether an address lies outside guest memory; undefined when it is a constant inside. */
  private outside(address: Value): Value | undefined {
    const size = BigInt(this.frame.memory.size);
    const base = BigInt(this.frame.memory.base);
    const { constant } = address;
    if (constant !== undefined) return constant >= base && constant < base + size ? undefined : i32.const(1);
    const shift = BigInt(Math.log2(this.frame.memory.size));
    return i64.ne(i64.shr_s(address, i64.const(shift)), i64.const(base >> shift));
  }

  private requireAligned(low: Value, to: number): void {
    this.leaveIf(i32.and(low, i32.const(to - 1)), 'exception', 13);
  }

  // --- access ---

  /** The value at a checked place, in a temporary. */
  load({ size, offset, extra, slow }: Place): Value {
    const plain = LOADS[size]!(offset, extra);
    if (!slow) return this.keep(plain);
    const { body, frame } = this;
    const type = size === 8 ? Type.i64 : Type.i32;
    const index = frame.locals.temporary(type);
    body.if(slow.plain);
    body.set(index, plain);
    body.else();
    const value = call(SLOW_LOAD, Type.i64, slow.address, i32.const(size));
    body.set(index, size === 8 ? value : i32.wrap(value));
    this.leaveIfTrapped();
    body.end();
    return local(type, index);
  }

  store({ size, offset, extra, slow }: Place, value: Value): void {
    const { body } = this;
    const op = size === 8 ? StoreOp.i64 : size === 4 ? StoreOp.i32 : size === 2 ? StoreOp.i32_16 : StoreOp.i32_8;
    if (!slow) {
      body.store(op, offset, value, extra);
      return;
    }
    const kept = this.keep(value);
    body.if(slow.plain);
    body.store(op, offset, kept, extra);
    body.else();
    this.slowStore(slow.address, size, size === 8 ? kept : i64.extend_u(kept));
    body.end();
  }

  load128({ offset, extra, slow }: Place): Value {
    const plain = v128.load(offset, extra);
    if (!slow) return this.keep(plain);
    const { body, frame } = this;
    const index = frame.locals.temporary(Type.v128);
    const half = (at: bigint) => call(SLOW_LOAD, Type.i64, i64.add(slow.address, i64.const(at)), i32.const(8));
    body.if(slow.plain);
    body.set(index, plain);
    body.else();
    body.set(index, simd(18, Type.v128, [half(0n)])); // i64x2.splat
    this.leaveIfTrapped();
    body.set(index, simd(30, Type.v128, [local(Type.v128, index), half(8n)], 1)); // i64x2.replace_lane
    this.leaveIfTrapped();
    body.end();
    return local(Type.v128, index);
  }

  store128({ offset, extra, slow }: Place, value: Value): void {
    const { body } = this;
    if (!slow) {
      body.storeV128(offset, value, extra);
      return;
    }
    const kept = this.keep(value);
    body.if(slow.plain);
    body.storeV128(offset, kept, extra);
    body.else();
    this.slowStore(slow.address, LOW_HALF, simd(29, Type.i64, [kept], 0)); // i64x2.extract_lane
    this.slowStore(slow.address, HIGH_HALF, simd(29, Type.i64, [kept], 1));
    body.end();
  }

  private slowStore(address: Value, size: number, value: Value): void {
    this.body.drop(call(SLOW_STORE, Type.i32, address, i32.const(size), value));
    this.leaveIfTrapped();
  }

  private leaveIfTrapped(): void {
    this.leaveIf(i32.load(zero, this.frame.cell(Layout.trap)), 'refused');
  }
}

/** What all ways into a block agree on. */
export function commonFacts(ways: readonly Facts[]): Facts {
  const [first, ...rest] = ways;
  const common = new Map<number, Fact>();
  for (const [register, fact] of first ?? []) {
    const others = rest.map((facts) => facts.get(register));
    if (!others.every((other) => other?.low === fact.low)) continue;
    const inAll = ({ from, to, write }: Allowed) =>
      others.every((other) => other!.allowed.some((a) => a.from <= from && to <= a.to && (a.write || !write)));
    common.set(register, { low: fact.low, allowed: fact.allowed.filter(inAll) });
  }
  return common;
}

/**
 * Non-zero when the shadow of a range inside memory does not let the access through: stores want `ReadWrite` (0xFF)
 * everywhere, loads accept `ReadOnly` (0x7F) too.
 */
function shadowRefuses(offset: Value, extra: number, size: number, memory: number, access: Access): Value {
  const at = memory + extra;
  if (size === 16) {
    const both = i64.and(i64.load(offset, at), i64.load(offset, at + 8));
    return i64.ne(access === 'read' ? i64.or(both, i64.const(-0x7f7f7f7f7f7f7f80n)) : both, i64.const(-1n));
  }
  const o = size === 8 ? int64 : int32;
  const shadow = LOADS[size]!(offset, at);
  const marks = size === 8 ? -0x7f7f7f7f7f7f7f80n : size === 4 ? 0x80808080n : size === 2 ? 0x8080n : 0x80n;
  const full = size === 8 ? -1n : size === 4 ? 0xffffffffn : size === 2 ? 0xffffn : 0xffn;
  return o.ne(access === 'read' ? o.or(shadow, o.const(marks)) : shadow, o.const(full));
}
