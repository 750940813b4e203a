/** Multiplication and division. */
import type { Instruction, Size } from '../decode.ts';
import { FlagKind, signExtend, zeroExtend } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { i32, i64, local, type Value } from '../values.ts';
import { CpuException, type HelperContext } from './helper.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord } from './record.ts';

const RAX = 0;
const RDX = 2;
const ALL = Rflags.arithmetic;
const { CF, OF, SF, ZF, AF, PF } = Rflags;
const DIVIDE_ERROR = 0;

/** The upper 64 bits of a product, from 32-bit halves. */
function highHalf(l: Lift, a: Value, b: Value, signed: boolean): Value {
  const low = (v: Value) => i64.and(v, i64.const(0xffffffffn));
  const high = (v: Value) => i64.shr_u(v, i64.const(32n));
  const al = l.keep(low(a));
  const ah = l.keep(high(a));
  const bl = l.keep(low(b));
  const bh = l.keep(high(b));
  const u = l.keep(i64.add(i64.mul(ah, bl), high(i64.mul(al, bl))));
  const v = i64.add(i64.mul(al, bh), low(u));
  const product = i64.add(i64.add(i64.mul(ah, bh), high(u)), high(v));
  if (!signed) return product;
  const sign = (x: Value) => i64.shr_s(x, i64.const(63n));
  return i64.sub(i64.sub(product, i64.and(sign(a), b)), i64.and(sign(b), a));
}

/** CF and OF tell that the upper half matters; the rest is undefined and reads as zero. */
function overflowFlags(l: Lift, overflow: Value): void {
  if (!l.live) l.state = undefined;
  else l.setFlags(FlagKind.packed, 8, i64.mul(i64.extend_u(overflow), i64.const(BigInt(CF | OF))));
}

/** mul and one-operand imul: (R)DX:(R)AX = (R)AX * operand. */
function wide(signed: boolean) {
  return (l: Lift, i: Instruction) => {
    const from = i.operands[0]!;
    const size = l.sizeOf(from);
    const extend = (v: Value) => (signed ? i64.extend_s(signExtend(v, size)) : i64.extend_u(v));
    if (size === 8) {
      const a = l.keep(l.gpr(RAX));
      const b = l.keep(l.read(from));
      const low = l.keep(i64.mul(a, b));
      const high = l.keep(highHalf(l, a, b, signed));
      overflowFlags(l, i64.ne(high, signed ? i64.shr_s(low, i64.const(63n)) : i64.const(0n)));
      l.setGpr(RAX, low);
      l.setGpr(RDX, high);
      return;
    }
    const product = l.keep(i64.mul(extend(l.readRegister(RAX, size)), extend(l.read(from))));
    const bits = BigInt(size * 8);
    const low = zeroExtend(i32.wrap(product), size);
    const high = zeroExtend(i32.wrap(i64.shr_u(product, i64.const(bits))), size);
    overflowFlags(l, i64.ne(product, extend(low)));
    if (size === 1) l.writeRegister(RAX, 2, zeroExtend(i32.wrap(product), 2));
    else {
      l.writeRegister(RAX, size, low);
      l.writeRegister(RDX, size, high);
    }
  };
}

/** imul with two or three operands: the product is cut to the size. */
function narrowProduct(l: Lift, i: Instruction): void {
  const [to, first, second] = i.operands;
  const size = l.sizeOf(to!);
  const a = l.keep(second ? l.read(first!, size) : l.read(to!));
  const b = l.keep(second ? l.read(second, size) : l.read(first!, size));
  if (size === 8) {
    const low = l.keep(i64.mul(a, b));
    if (l.live & (CF | OF)) overflowFlags(l, i64.ne(highHalf(l, a, b, true), i64.shr_s(low, i64.const(63n))));
    else overflowFlags(l, i32.const(0));
    l.write(to!, low);
    return;
  }
  if (!(l.live & (CF | OF))) {
    const value = l.keep(zeroExtend(i32.mul(a, b), size));
    overflowFlags(l, i32.const(0));
    l.write(to!, value);
    return;
  }
  const extend = (v: Value) => i64.extend_s(signExtend(v, size));
  const product = l.keep(i64.mul(extend(a), extend(b)));
  const low = l.keep(zeroExtend(i32.wrap(product), size));
  overflowFlags(l, i64.ne(product, extend(low)));
  l.write(to!, low);
}

/** div and idiv up to 32 bits: all in 64. */
function divide(signed: boolean) {
  return (l: Lift, i: Instruction) => {
    const from = i.operands[0]!;
    const size = l.sizeOf(from);
    if (size === 8) {
      divide128(l, l.keep(l.read(from)), signed);
      return;
    }
    const operand = l.read(from);
    const divisor = l.keep(signed ? i64.extend_s(signExtend(operand, size)) : i64.extend_u(operand));
    const bits = BigInt(size * 8);
    let dividend: Value;
    if (size === 1) dividend = i64.extend_u(l.readRegister(RAX, 2));
    else
      dividend = i64.or(
        i64.shl(i64.extend_u(l.readRegister(RDX, size)), i64.const(bits)),
        i64.extend_u(l.readRegister(RAX, size)),
      );
    if (signed) dividend = size === 1 ? i64.extend16_s(dividend) : size === 2 ? i64.extend32_s(dividend) : dividend;
    dividend = l.keep(dividend);
    l.leaveIf(i64.eqz(divisor), 'exception', DIVIDE_ERROR);
    if (signed && size === 4) {
      // the one quotient that 64 bits do not hold; WebAssembly would trap
      const least = i64.eq(dividend, i64.const(-0x8000000000000000n));
      l.leaveIf(i32.and(least, i64.eq(divisor, i64.const(-1n))), 'exception', DIVIDE_ERROR);
    }
    const quotient = l.keep(signed ? i64.div_s(dividend, divisor) : i64.div_u(dividend, divisor));
    const range = size === 1 ? i64.extend8_s : size === 2 ? i64.extend16_s : i64.extend32_s;
    const fits = signed ? i64.ne(range(quotient), quotient) : i64.gt_u(quotient, i64.const((1n << bits) - 1n));
    l.leaveIf(fits, 'exception', DIVIDE_ERROR);
    const remainder = l.keep(signed ? i64.rem_s(dividend, divisor) : i64.rem_u(dividend, divisor));
    const cut = (v: Value) => zeroExtend(i32.wrap(v), size);
    if (size === 1) {
      l.writeRegister(RAX, 2, i32.or(cut(quotient), i32.shl(cut(remainder), i32.const(8))));
    } else {
      l.writeRegister(RAX, size, cut(quotient));
      l.writeRegister(RDX, size, cut(remainder));
    }
  };
}

/** 64-bit division: in place, but signed of a dividend that really has 128 bits (compilers only sign-extend) by the helper. */
function divide128(l: Lift, divisor: Value, signed: boolean): void {
  const low = l.gpr(RAX);
  const high = l.gpr(RDX);
  if (!signed) {
    // the quotient does not fit, or the divisor is zero: the helper raises the exception
    l.handOver(i64.ge_u(high, divisor));
    const quotient = l.frame.locals.temporary(i64.type);
    const remainder = l.frame.locals.temporary(i64.type);
    l.body.if(i64.eqz(high));
    l.body.set(quotient, i64.div_u(low, divisor));
    l.body.set(remainder, i64.rem_u(low, divisor));
    l.body.else();
    const { q, r } = longDivision(l, high, low, divisor);
    l.body.set(quotient, q);
    l.body.set(remainder, r);
    l.body.end();
    l.setGpr(RAX, local(i64.type, quotient));
    l.setGpr(RDX, local(i64.type, remainder));
    return;
  }
  const least = i32.and(i64.eq(low, i64.const(-0x8000000000000000n)), i64.eq(divisor, i64.const(-1n)));
  const odd = i64.ne(high, i64.shr_s(low, i64.const(63n)));
  l.handOver(i32.or(i32.or(odd, least), i64.eqz(divisor)));
  const remainder = l.keep(i64.rem_s(low, divisor));
  l.setGpr(RAX, i64.div_s(low, divisor));
  l.setGpr(RDX, remainder);
}

/** 128 by 64 bits where the quotient fits, in digits of 32 bits (Knuth, volume 2, algorithm D; divisor shifted to its top bit). */
function longDivision(l: Lift, high: Value, low: Value, divisor: Value): { q: Value; r: Value } {
  const digit = i64.const(32n);
  const lowDigit = (v: Value) => i64.and(v, i64.const(0xffffffffn));
  const shift = l.keep(i64.clz(divisor));
  const v = l.keep(i64.shl(divisor, shift));
  const v1 = l.keep(i64.shr_u(v, digit));
  const v0 = l.keep(lowDigit(v));
  const carried = i64.shr_u(i64.shr_u(low, i64.const(1n)), i64.sub(i64.const(63n), shift));
  const top = l.keep(i64.or(i64.shl(high, shift), carried));
  const rest = l.keep(i64.shl(low, shift));
  /** A digit of the quotient of (`u`, `next`), and what is left: an estimate by the divisor's upper digit, at most two too large. */
  const step = (u: Value, next: Value): { q: Value; left: Value } => {
    let q = l.keep(i64.div_u(u, v1));
    let r = l.keep(i64.sub(u, i64.mul(q, v1)));
    for (let correction = 0; correction < 2; correction++) {
      const large = i32.or(
        i64.ge_u(q, i64.const(1n << 32n)),
        i64.gt_u(i64.mul(q, v0), i64.or(i64.shl(r, digit), next)),
      );
      const wrong = l.keep(i64.extend_u(i32.and(large, i64.le_u(r, i64.const(0xffffffffn)))));
      q = l.keep(i64.sub(q, wrong));
      r = l.keep(i64.add(r, i64.mul(wrong, v1)));
    }
    return { q, left: l.keep(i64.sub(i64.or(i64.shl(u, digit), next), i64.mul(q, v))) };
  };
  const upper = step(top, l.keep(i64.shr_u(rest, digit)));
  const lower = step(upper.left, l.keep(lowDigit(rest)));
  return { q: i64.or(i64.shl(upper.q, digit), lower.q), r: i64.shr_u(lower.left, shift) };
}

function divideHelper(signed: boolean) {
  return (h: HelperContext, i: Instruction) => {
    const operand = h.read(i.operands[0]!, 8);
    const divisor = signed ? BigInt.asIntN(64, operand) : operand;
    const all = (h.gpr(RDX) << 64n) | h.gpr(RAX);
    const dividend = signed ? BigInt.asIntN(128, all) : all;
    if (divisor === 0n) throw new CpuException(DIVIDE_ERROR);
    const quotient = dividend / divisor;
    if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient)))
      throw new CpuException(DIVIDE_ERROR);
    h.writeRegister(RAX, 8, quotient);
    h.writeRegister(RDX, 8, dividend % divisor);
  };
}

const rest = SF | ZF | AF | PF;
const operandSize = (i: Instruction): Size => (i.operands[0] as { size: Size }).size;

export const multiply: readonly InstructionRecord[] = [
  { names: ['mul'], flags: { reads: 0, writes: ALL }, undefinedFlags: rest, lift: wide(false) },
  {
    names: ['imul'],
    flags: { reads: 0, writes: ALL },
    undefinedFlags: rest,
    lift: (l, i) => (i.operands.length === 1 ? wide(true)(l, i) : narrowProduct(l, i)),
  },
  {
    names: ['div'],
    undefinedFlags: ALL,
    undefinedNote: 'all; left as they were',
    lift: divide(false),
    helper: divideHelper(false),
    test: { needs: 'a quotient that fits, or expect exception 0' },
  },
  {
    names: ['idiv'],
    undefinedFlags: ALL,
    undefinedNote: 'all; left as they were',
    lift: divide(true),
    helper: divideHelper(true),
    test: { needs: 'a quotient that fits, or expect exception 0' },
  },
  {
    names: ['mulx'],
    lift(l, i) {
      const [high, low, from] = i.operands;
      const size = operandSize(i);
      if (size === 8) {
        const a = l.keep(l.gpr(RDX));
        const b = l.keep(l.read(from!));
        const product = l.keep(i64.mul(a, b));
        const upper = l.keep(highHalf(l, a, b, false));
        l.write(low!, product);
        l.write(high!, upper);
      } else {
        const product = l.keep(i64.mul(i64.extend_u(l.readRegister(RDX, 4)), i64.extend_u(l.read(from!))));
        l.write(low!, i32.wrap(product));
        l.write(high!, i32.wrap(i64.shr_u(product, i64.const(32n))));
      }
    },
  },
];
