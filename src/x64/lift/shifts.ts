/** Shifts and rotates. A count of zero changes nothing, flags included; the count is taken modulo 32 (64 for 64-bit operands). */
import type { Instruction, Operand, Size } from '../decode.ts';
import { FlagKind, packFlags, signExtend, zeroExtend } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { type Integer, i32, i64, select, type Value } from '../values.ts';
import type { HelperContext } from './helper.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

const ALL = Rflags.arithmetic;
const { CF, OF, AF } = Rflags;
const RCX = 1;

const countMask = (size: number): bigint => (size === 8 ? 63n : 31n);

/** The count when the instruction tells, already masked. */
function knownCount({ operands }: Instruction, position: number): bigint | undefined {
  const size = (operands[0] as { size: number }).size;
  const count = operands[position];
  return count?.kind === 'immediate' ? count.value & countMask(size) : undefined;
}

/** CL, masked, in the type of the size. */
function runningCount(l: Lift, size: Size): Value {
  const cl = l.readRegister(RCX, size === 8 ? 8 : 4);
  return l.keep(l.ops(size).and(cl, l.ops(size).const(countMask(size))));
}

/** Flags written by a shift or rotate of which CL may be zero: `writes` when the count is known and not zero. */
const writing =
  (writes: number, position = 1) =>
  (i: Instruction) => {
    const count = knownCount(i, position);
    return { reads: 0, writes: count === undefined || count === 0n ? 0 : writes };
  };

/**
 * Flags that change only when the count is not zero. `compute` gives the packed flags of the mask for the case that it is not.
 */
function unlessZero(l: Lift, count: Value, mask: number, compute: () => Value): void {
  if (!l.live) {
    l.state = undefined;
    return;
  }
  const before = l.keep(l.packed(l.live));
  const kept = l.live & ~mask ? i64.and(before, i64.const(BigInt(l.live & ~mask))) : i64.const(0n);
  const after = i64.or(kept, i64.extend_u(compute()));
  const zero = count.type === i64.type ? i64.eqz(count) : i32.eqz(count);
  l.setFlags(FlagKind.packed, 8, l.keep(select(zero, before, after)));
}

const widen = (v: Value): Value => (v.type === i64.type ? v : i64.extend_u(v));

function shift(kind: FlagKind, compute: (o: Integer, value: Value, count: Value, size: Size) => Value): Lifter {
  return (l, i) => {
    const to = i.operands[0]!;
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const known = knownCount(i, 1);
    const count = known === undefined ? runningCount(l, size) : o.const(known);
    l.change(to, (old) => {
      const value = zeroExtend(compute(o, old, count, size), size);
      if (known === 0n) return { value };
      if (known !== undefined) return { value, flags: () => l.setFlags(kind, size, old, count) };
      const x = l.live ? l.keep(old) : old;
      const flags = () =>
        unlessZero(l, count, ALL, () =>
          i32.wrap(packFlags(l.live, { kind, size }, { x: widen(x), y: widen(count), z: x })),
        );
      return { value: l.live ? zeroExtend(compute(o, x, count, size), size) : value, flags };
    });
  };
}

/** rol, ror. `left` rotates left by what it is given. */
function rotate(left: boolean): Lifter {
  return (l, i) => {
    const to = i.operands[0]!;
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const known = knownCount(i, 1);
    const count = known === undefined ? runningCount(l, size) : o.const(known);
    const width = BigInt(size * 8);
    l.change(to, (old) => {
      let value: Value;
      if (size >= 4) value = left ? o.rotl(old, count) : o.rotr(old, count);
      else {
        const x = l.keep(old);
        const by = l.keep(o.and(count, o.const(width - 1n)));
        const back = o.and(o.sub(o.const(width), by), o.const(31n));
        const [a, b] = left ? [o.shl(x, by), o.shr_u(x, back)] : [o.shr_u(x, by), o.shl(x, back)];
        value = zeroExtend(o.or(a, b), size);
      }
      if (known === 0n) return { value };
      const result = l.keep(value);
      const bits = () => rotateFlags(l, result, size, left);
      if (known !== undefined) return { value: result, flags: () => l.setSome(CF | OF, bits()) };
      return { value: result, flags: () => unlessZero(l, count, CF | OF, bits) };
    });
  };
}

/** CF is the bit that went round; OF tells whether the top bit changed (defined for one position). */
function rotateFlags(l: Lift, result: Value, size: Size, left: boolean): Value {
  const top = topBit(result, size, 0);
  const carry = left ? bit0(result) : top;
  let flags: Value = l.live & CF ? carry : i32.const(0);
  if (l.live & OF)
    flags = i32.or(flags, i32.shl(i32.xor(top, left ? bit0(result) : topBit(result, size, 1)), i32.const(11)));
  return flags;
}

function bit0(v: Value): Value {
  return i32.and(v.type === i64.type ? i32.wrap(v) : v, i32.const(1));
}
/** Bit `below` places under the top one. */
function topBit(v: Value, size: Size, below: number): Value {
  const at = size * 8 - 1 - below;
  return bit0(v.type === i64.type ? i64.shr_u(v, i64.const(BigInt(at))) : i32.shr_u(v, i32.const(at)));
}

/** shld, shrd: bits of the second operand follow. */
function double(left: boolean): Lifter {
  return (l, i) => {
    const [to, from] = i.operands as [Operand, Operand];
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const known = knownCount(i, 2);
    const count = known === undefined ? runningCount(l, size) : o.const(known);
    const filler = l.keep(l.read(from));
    l.change(to, (old) => {
      if (known === 0n) return { value: old };
      const x = l.keep(old);
      const width = o.const(BigInt(size * 8));
      // 16-bit counts above 16 are undefined: what comes out of 32 bits is as good as anything
      const back = o.sub(width, count);
      let value = left ? o.or(o.shl(x, count), o.shr_u(filler, back)) : o.or(o.shr_u(x, count), o.shl(filler, back));
      if (known === undefined) value = select(size === 8 ? i64.eqz(count) : i32.eqz(count), x, value);
      const result = l.keep(zeroExtend(value, size));
      const bits = () => {
        const last = bit0(left ? o.shr_u(x, back) : o.shr_u(x, o.sub(count, o.const(1n))));
        const turned = i32.xor(topBit(x, size, 0), topBit(result, size, 0));
        const rest = packFlags(
          l.live & ~(CF | OF | AF),
          { kind: FlagKind.logic, size },
          { x: widen(result), y: result, z: result },
        );
        return i32.or(i32.or(last, i32.shl(turned, i32.const(11))), i32.wrap(rest));
      };
      if (known !== undefined) return { value: result, flags: () => l.setSome(ALL, bits()) };
      return { value: result, flags: () => unlessZero(l, count, ALL, bits) };
    });
  };
}

/** rcl and rcr by a known count in place (bytes and words: by one); other counts by the helper. */
function throughCarry(left: boolean): Lifter {
  return (l, i) => {
    const to = i.operands[0]!;
    const size = l.sizeOf(to);
    const count = knownCount(i, 1);
    if (count === undefined || count === 0n || (count > 1n && size < 4)) {
      l.leave('helper');
      return;
    }
    const o = l.ops(size);
    const width = BigInt(size * 8);
    const flag = l.flag(CF);
    const carry = l.keep(size === 8 ? i64.extend_u(flag) : flag);
    l.change(to, (old) => {
      const x = l.keep(old);
      // the carry comes next to what stays, then what comes round on the other side
      let value = left
        ? o.or(o.shl(x, o.const(count)), o.shl(carry, o.const(count - 1n)))
        : o.or(o.shr_u(x, o.const(count)), o.shl(carry, o.const(width - count)));
      if (count > 1n) {
        const round = o.const(width + 1n - count);
        value = o.or(value, left ? o.shr_u(x, round) : o.shl(x, round));
      }
      const result = l.keep(zeroExtend(value, size));
      const bits = () => {
        const out = left ? topBit(x, size, Number(count) - 1) : bit0(o.shr_u(x, o.const(count - 1n)));
        const other = left ? out : topBit(result, size, 1);
        return i32.or(out, i32.shl(i32.xor(topBit(result, size, 0), other), i32.const(11)));
      };
      return { value: result, flags: () => l.setSome(CF | OF, bits()) };
    });
  };
}

function throughCarryHelper(left: boolean): (h: HelperContext, i: Instruction) => void {
  return (h, i) => {
    const to = i.operands[0]!;
    const size = h.sizeOf(i);
    const width = BigInt(size * 8);
    const masked = h.read(i.operands[1]!, 1) & countMask(size);
    const count = masked % (width + 1n);
    const old = h.read(to, size);
    const all = (BigInt(h.registers.rflags & CF) << width) | old;
    const around = width + 1n;
    const rotated = BigInt.asUintN(
      Number(around),
      left ? (all << count) | (all >> (around - count)) : (all >> count) | (all << (around - count)),
    );
    const value = BigInt.asUintN(Number(width), rotated);
    h.write(to, size, value);
    if (masked === 0n) return;
    const carry = Number(rotated >> width);
    const top = (v: bigint, below = 0n) => Number((v >> (width - 1n - below)) & 1n);
    h.setFlags(CF | OF, (carry ? CF : 0) | ((left ? carry ^ top(value) : top(value) ^ top(value, 1n)) ? OF : 0));
  };
}

const countNote = 'OF unless the count is 1; AF; all but none when the count is 0; CF when the count exceeds the size';
const rotateNote = 'OF unless the count is 1';

export const shifts: readonly InstructionRecord[] = [
  {
    names: ['shl', 'sal'],
    flags: writing(ALL),
    undefinedFlags: OF | AF | CF,
    undefinedNote: countNote,
    lift: shift(FlagKind.shl, (o, x, c) => o.shl(x, c)),
  },
  {
    names: ['shr'],
    flags: writing(ALL),
    undefinedFlags: OF | AF | CF,
    undefinedNote: countNote,
    lift: shift(FlagKind.shr, (o, x, c) => o.shr_u(x, c)),
  },
  {
    names: ['sar'],
    flags: writing(ALL),
    undefinedFlags: OF | AF,
    undefinedNote: countNote,
    lift: shift(FlagKind.sar, (o, x, c, size) => o.shr_s(signExtend(x, size), c)),
  },
  { names: ['rol'], flags: writing(CF | OF), undefinedFlags: OF, undefinedNote: rotateNote, lift: rotate(true) },
  { names: ['ror'], flags: writing(CF | OF), undefinedFlags: OF, undefinedNote: rotateNote, lift: rotate(false) },
  {
    names: ['rcl'],
    flags: { reads: CF, writes: 0 },
    undefinedFlags: OF,
    undefinedNote: rotateNote,
    lift: throughCarry(true),
    helper: throughCarryHelper(true),
  },
  {
    names: ['rcr'],
    flags: { reads: CF, writes: 0 },
    undefinedFlags: OF,
    undefinedNote: rotateNote,
    lift: throughCarry(false),
    helper: throughCarryHelper(false),
  },
  {
    names: ['shld'],
    flags: writing(ALL, 2),
    undefinedFlags: OF | AF | CF,
    undefinedNote: `${countNote}; everything for 16-bit counts above 16`,
    undefinedResult: '16-bit operands with a count above 16',
    lift: double(true),
  },
  {
    names: ['shrd'],
    flags: writing(ALL, 2),
    undefinedFlags: OF | AF | CF,
    undefinedNote: `${countNote}; everything for 16-bit counts above 16`,
    undefinedResult: '16-bit operands with a count above 16',
    lift: double(false),
  },
];
