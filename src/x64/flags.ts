/**
 * Lazy flags. A flag setter records what it did (kind, size) and its operands X, Y, Z; flags are computed where they are
 * used, fused with the setter when that is known at translation time: `cmp` + `jb` is one compare. The same formulas exist
 * twice, as WebAssembly expressions here and over bigints in `materialise`, which the test compares with each other.
 *
 *   kind      X            Y            Z           sets
 *   packed    flags as in RFLAGS                    all
 *   add       left         right                    all
 *   sub       left         right                    all (cmp, neg)
 *   adc, sbb  left         right        result      all
 *   logic     result                                all; CF = OF = AF = 0
 *   inc, dec  result       CF before                all, CF kept
 *   shl shr sar  value     count 1..size            all; AF undefined: 0
 *   carry     other flags  CF                       CF (bit tests)
 */
import { Rflags } from './layout.ts';
import { type Integer, i32, i64, int32, int64, type Value } from './values.ts';

export const FlagKind = {
  packed: 0, add: 1, sub: 2, adc: 3, sbb: 4, logic: 5, inc: 6, dec: 7, shl: 8, shr: 9, sar: 10, carry: 11,
} as const; // biome-ignore format: a table
export type FlagKind = (typeof FlagKind)[keyof typeof FlagKind];

/** What the flags are at a place of the translation: which setter ran last, over operands of which size. */
export interface FlagState {
  readonly kind: FlagKind;
  readonly size: 1 | 2 | 4 | 8;
}

/** A state as one number, for the engine's page: kind * 16 + size. */
export const stateCode = (state: FlagState): number => state.kind * 16 + state.size;
export const packedState: FlagState = { kind: FlagKind.packed, size: 8 };

/** The three operand locals. */
export interface FlagLocals {
  readonly x: Value;
  readonly y: Value;
  readonly z: Value;
}

const { CF, PF, AF, ZF, SF, OF } = Rflags;

/** Flags each condition code (0-15) reads. */
export const conditionReads: readonly number[] = [
  OF, OF, CF, CF, ZF, ZF, CF | ZF, CF | ZF, SF, SF, PF, PF, SF | OF, SF | OF, ZF | SF | OF, ZF | SF | OF,
]; // biome-ignore format: sixteen in a row

// --- as WebAssembly ---

/** A 64-bit flag operand as the size's own type: i64, or i32 with zeros above the size. */
function narrow(v: Value, size: number): Value {
  return size === 8 ? v : i32.wrap(v);
}
const ops = (size: number): Integer => (size === 8 ? int64 : int32);

/** Cuts an i32 to 1 or 2 bytes; other sizes stay as they are. */
export function zeroExtend(v: Value, size: number): Value {
  if (v.constant !== undefined && size < 4) return i32.const(Number(v.constant) & (size === 1 ? 0xff : 0xffff));
  return size === 1 ? i32.and(v, i32.const(0xff)) : size === 2 ? i32.and(v, i32.const(0xffff)) : v;
}
/** The signed value of a 1- or 2-byte i32. */
export function signExtend(v: Value, size: number): Value {
  return size === 1 ? i32.extend8_s(v) : size === 2 ? i32.extend16_s(v) : v;
}

/** The result, cut to the size. */
function result({ kind, size }: FlagState, f: FlagLocals): Value {
  const { x, y, z } = { x: narrow(f.x, size), y: narrow(f.y, size), z: narrow(f.z, size) };
  const o = ops(size);
  switch (kind) {
    case FlagKind.add: return zeroExtend(o.add(x, y), size);
    case FlagKind.sub: return zeroExtend(o.sub(x, y), size);
    case FlagKind.adc:
    case FlagKind.sbb: return z;
    case FlagKind.shl: return zeroExtend(o.shl(x, y), size);
    case FlagKind.shr: return o.shr_u(x, y);
    case FlagKind.sar: return zeroExtend(o.shr_s(signExtend(x, size), y), size);
    default: return x;
  } // biome-ignore format: a table
}

const bit = (v: Value, n: number): Value => i32.and(n === 0 ? v : i32.shr_u(v, i32.const(n)), i32.const(1));
/** 1 when the top bit of a value of this size is set. */
function sign(v: Value, size: number): Value {
  return size === 8
    ? i32.wrap(i64.shr_u(v, i64.const(63n)))
    : size === 4
      ? i32.shr_u(v, i32.const(31))
      : bit(v, size * 8 - 1);
}

/** One flag as 0 or 1. */
export function flagValue(flag: number, state: FlagState, f: FlagLocals): Value {
  const { kind, size } = state;
  const o = ops(size);
  const x = narrow(f.x, size);
  const y = narrow(f.y, size);
  const z = narrow(f.z, size);
  if (kind === FlagKind.packed || (kind === FlagKind.carry && flag !== CF)) return bit(i32.wrap(f.x), Math.log2(flag));
  const r = () => result(state, f);
  switch (flag) {
    case ZF: return o.eqz(r());
    case SF: return sign(r(), size);
    case PF: {
      const low = size === 8 ? i32.wrap(r()) : r();
      return i32.and(i32.xor(i32.popcnt(i32.and(low, i32.const(0xff))), i32.const(1)), i32.const(1));
    }
    case AF:
      switch (kind) {
        case FlagKind.add:
        case FlagKind.sub:
        case FlagKind.adc:
        case FlagKind.sbb: {
          const mixed = o.xor(o.xor(x, y), r());
          return bit(size === 8 ? i32.wrap(mixed) : mixed, 4);
        }
        case FlagKind.inc: return i32.eqz(i32.and(i32.wrap(f.x), i32.const(15)));
        case FlagKind.dec: return i32.eq(i32.and(i32.wrap(f.x), i32.const(15)), i32.const(15));
        default: return i32.const(0);
      }
    case CF:
      switch (kind) {
        case FlagKind.add: return o.lt_u(r(), x);
        case FlagKind.sub: return o.lt_u(x, y);
        // carry out of the top bit: both set, or one set and the result clear
        case FlagKind.adc: return sign(o.or(o.and(x, y), o.and(o.or(x, y), o.xor(z, o.const(-1n)))), size);
        case FlagKind.sbb: return sign(o.or(o.and(o.xor(x, o.const(-1n)), y), o.and(o.or(o.xor(x, o.const(-1n)), y), z)), size);
        case FlagKind.inc:
        case FlagKind.dec:
        case FlagKind.carry: return i32.wrap(f.y);
        case FlagKind.shl: {
          // the bit that left last is bit size-count of the value; the count may exceed a small size
          if (size < 4) return bit(o.shl(x, y), size * 8);
          const last = o.shr_u(x, o.sub(o.const(BigInt(size * 8)), y));
          return bit(size === 8 ? i32.wrap(last) : last, 0);
        }
        case FlagKind.shr:
        case FlagKind.sar: {
          const wide = kind === FlagKind.sar ? signExtend(x, size) : x;
          const last = o.shr_s(wide, o.sub(y, o.const(1n)));
          return bit(size === 8 ? i32.wrap(last) : last, 0);
        }
        default: return i32.const(0);
      }
    case OF:
      switch (kind) {
        case FlagKind.add:
        case FlagKind.adc: return sign(o.and(o.xor(x, r()), o.xor(y, r())), size);
        case FlagKind.sub:
        case FlagKind.sbb: return sign(o.and(o.xor(x, y), o.xor(x, r())), size);
        case FlagKind.inc: return o.eq(x, o.const(1n << BigInt(size * 8 - 1)));
        case FlagKind.dec: return o.eq(x, o.const((1n << BigInt(size * 8 - 1)) - 1n));
        // defined for a count of one only; the hardware's rule for others is CF xor sign of the result
        case FlagKind.shl: return i32.xor(flagValue(CF, state, f), sign(r(), size));
        // the top bit of what the last single shift began with
        case FlagKind.shr: return sign(o.shl(r(), o.const(1n)), size);
        default: return i32.const(0);
      }
    default: throw new Error(`x64-flag: ${flag}`);
  } // biome-ignore format: tables
}

/** A condition code as an i32 truth value (non-zero = holds). */
export function conditionValue(code: number, state: FlagState, f: FlagLocals): Value {
  const yes = positive(code >> 1, state, f);
  return code & 1 ? i32.eqz(yes) : yes;
}

function positive(pair: number, state: FlagState, f: FlagLocals): Value {
  const { kind, size } = state;
  const o = ops(size);
  const x = narrow(f.x, size);
  const y = narrow(f.y, size);
  const flag = (which: number) => flagValue(which, state, f);
  if (kind === FlagKind.sub) {
    switch (pair) {
      case 1:
        return o.lt_u(x, y);
      case 2:
        return o.eq(x, y);
      case 3:
        return o.le_u(x, y);
      case 6:
        return o.lt_s(signExtend(x, size), signExtend(y, size));
      case 7:
        return o.le_s(signExtend(x, size), signExtend(y, size));
    }
  }
  if (kind === FlagKind.logic) {
    const signed = signExtend(x, size);
    switch (pair) {
      case 1:
        return i32.const(0);
      case 2:
      case 3:
        return o.eqz(x);
      case 4:
      case 6:
        return o.lt_s(signed, o.const(0n));
      case 7:
        return o.le_s(signed, o.const(0n));
    }
  }
  switch (pair) {
    case 0: return flag(OF);
    case 1: return flag(CF);
    case 2: return flag(ZF);
    case 3: return kind === FlagKind.packed ? i32.and(i32.wrap(f.x), i32.const(CF | ZF)) : i32.or(flag(CF), flag(ZF));
    case 4: return kind === FlagKind.packed || kind === FlagKind.carry ? flag(SF) : o.lt_s(signExtend(result(state, f), size), o.const(0n));
    case 5: return flag(PF);
    case 6: return i32.xor(flag(SF), flag(OF));
    default: return i32.or(flag(ZF), i32.xor(flag(SF), flag(OF)));
  } // biome-ignore format: a table
}

/** The flags of `mask`, packed as in RFLAGS, as an i64. */
export function packFlags(mask: number, state: FlagState, f: FlagLocals): Value {
  if (state.kind === FlagKind.packed) return f.x;
  let packed: Value | undefined;
  for (const flag of [CF, PF, AF, ZF, SF, OF]) {
    if (!(mask & flag)) continue;
    const value = flagValue(flag, state, f);
    const placed = flag === CF ? value : i32.shl(value, i32.const(Math.log2(flag)));
    packed = packed ? i32.or(packed, placed) : placed;
  }
  return i64.extend_u(packed ?? i32.const(0));
}

// --- as numbers, for a state that lies in the engine's page ---

/** The six arithmetic flags of a stored state. */
export function materialise(code: number, x: bigint, y: bigint, z: bigint): number {
  const kind = code >> 4;
  const size = code & 15;
  if (kind === FlagKind.packed) return Number(x & BigInt(Rflags.arithmetic));
  if (kind === FlagKind.carry) return (Number(x & BigInt(Rflags.arithmetic)) & ~CF) | (Number(y) & CF);
  const bits = BigInt(size * 8);
  const cut = (v: bigint) => BigInt.asUintN(size * 8, v);
  const top = (v: bigint) => Number((v >> (bits - 1n)) & 1n);
  [x, y, z] = kind === FlagKind.inc || kind === FlagKind.dec ? [cut(x), y, z] : [cut(x), cut(y), cut(z)];
  const signedX = BigInt.asIntN(size * 8, x);
  let r = x;
  let carry = 0;
  let overflow = 0;
  let adjust = 0;
  switch (kind) {
    case FlagKind.add:
    case FlagKind.adc:
      r = kind === FlagKind.add ? cut(x + y) : z;
      carry = kind === FlagKind.add ? Number(r < x) : top((x & y) | ((x | y) & ~r));
      overflow = top((x ^ r) & (y ^ r));
      adjust = Number(((x ^ y ^ r) >> 4n) & 1n);
      break;
    case FlagKind.sub:
    case FlagKind.sbb:
      r = kind === FlagKind.sub ? cut(x - y) : z;
      carry = kind === FlagKind.sub ? Number(x < y) : top(cut((~x & y) | ((~x | y) & r)));
      overflow = top((x ^ y) & (x ^ r));
      adjust = Number(((x ^ y ^ r) >> 4n) & 1n);
      break;
    case FlagKind.inc:
      carry = Number(y & 1n);
      overflow = Number(r === 1n << (bits - 1n));
      adjust = Number((r & 15n) === 0n);
      break;
    case FlagKind.dec:
      carry = Number(y & 1n);
      overflow = Number(r === (1n << (bits - 1n)) - 1n);
      adjust = Number((r & 15n) === 15n);
      break;
    case FlagKind.shl:
      r = cut(x << y);
      carry = Number((x >> (bits - y)) & 1n);
      overflow = carry ^ top(r);
      break;
    case FlagKind.shr:
      r = x >> y;
      carry = Number((x >> (y - 1n)) & 1n);
      overflow = top(cut(r << 1n));
      break;
    case FlagKind.sar:
      r = cut(signedX >> y);
      carry = Number((signedX >> (y - 1n)) & 1n);
      break;
  }
  let parity = Number(r & 0xffn);
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return (
    (carry ? CF : 0) |
    (parity & 1 ? 0 : PF) |
    (adjust ? AF : 0) |
    (r === 0n ? ZF : 0) |
    (top(r) ? SF : 0) |
    (overflow ? OF : 0)
  );
}
