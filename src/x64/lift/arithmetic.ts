/** Addition, subtraction, logic, compare; the plain forms and, with a lock prefix, the same (one processor runs at a time). */

import type { Instruction, Size } from '../decode.ts';
import { FlagKind, zeroExtend } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { type Integer, i32, i64, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

const ALL = Rflags.arithmetic;
const setsAll = { reads: 0, writes: ALL };

type Compute = (o: Integer, a: Value, b: Value) => Value;

/** `op to, from` with flags from the operands. */
function twoOperands(kind: FlagKind, compute: Compute): Lifter {
  return (l, i) => {
    const [to, from] = i.operands;
    const size = l.sizeOf(to!);
    const right = l.read(from!, size);
    l.change(to!, (left) => {
      const value = zeroExtend(compute(l.ops(size), left, right), size);
      return { value, flags: () => l.setFlags(kind, size, left, right) };
    });
  };
}

/** and, or, xor: flags from the result. */
function logic(compute: Compute): Lifter {
  return (l, i) => {
    const [to, from] = i.operands;
    const size = l.sizeOf(to!);
    if (sameRegister(i) && i.mnemonic === 'xor') {
      const none = l.constant(size, 0n);
      l.setFlags(FlagKind.logic, size, none);
      l.write(to!, none);
      return;
    }
    const right = l.read(from!, size);
    l.change(to!, (left) => {
      const value = l.keep(compute(l.ops(size), left, right));
      return { value, flags: () => l.setFlags(FlagKind.logic, size, value) };
    });
  };
}

const sameRegister = ({ operands: [a, b] }: Instruction): boolean =>
  a?.kind === 'register' && b?.kind === 'register' && a.register === b.register && a.high === b.high;

/** adc and sbb: three operands go into the flags. */
function withCarry(kind: FlagKind, compute: (o: Integer, a: Value, b: Value, carry: Value) => Value): Lifter {
  return (l, i) => {
    const [to, from] = i.operands;
    const size = l.sizeOf(to!);
    const right = l.keep(l.read(from!, size));
    const bit = l.flag(Rflags.CF);
    const carry = l.keep(size === 8 ? i64.extend_u(bit) : bit);
    l.change(to!, (old) => {
      const left = l.keep(old);
      const value = l.keep(zeroExtend(compute(l.ops(size), left, right, carry), size));
      return { value, flags: () => l.setFlags(kind, size, left, right, value) };
    });
  };
}

function step(kind: FlagKind, by: bigint): Lifter {
  return (l, { operands: [to] }) => {
    const size = l.sizeOf(to!);
    l.change(to!, (old) => {
      const value = l.keep(zeroExtend(l.ops(size).add(old, l.ops(size).const(by)), size));
      return {
        value,
        flags: () => {
          const carry = l.live ? l.keptCarry() : i32.const(0);
          l.setFlags(kind, size, value, carry);
        },
      };
    });
  };
}

function compare(l: Lift, i: Instruction): void {
  const [a, b] = i.operands;
  const size: Size = l.sizeOf(a!);
  const left = l.read(a!);
  const right = l.read(b!, size);
  l.setFlags(FlagKind.sub, size, left, right);
}

export const arithmetic: readonly InstructionRecord[] = [
  { names: ['add'], flags: setsAll, lift: twoOperands(FlagKind.add, (o, a, b) => o.add(a, b)) },
  { names: ['sub'], flags: setsAll, lift: twoOperands(FlagKind.sub, (o, a, b) => o.sub(a, b)) },
  {
    names: ['adc'],
    flags: { reads: Rflags.CF, writes: ALL },
    lift: withCarry(FlagKind.adc, (o, a, b, c) => o.add(o.add(a, b), c)),
  },
  {
    names: ['sbb'],
    flags: { reads: Rflags.CF, writes: ALL },
    lift: withCarry(FlagKind.sbb, (o, a, b, c) => o.sub(o.sub(a, b), c)),
  },
  { names: ['and'], flags: setsAll, undefinedFlags: Rflags.AF, lift: logic((o, a, b) => o.and(a, b)) },
  { names: ['or'], flags: setsAll, undefinedFlags: Rflags.AF, lift: logic((o, a, b) => o.or(a, b)) },
  { names: ['xor'], flags: setsAll, undefinedFlags: Rflags.AF, lift: logic((o, a, b) => o.xor(a, b)) },
  {
    names: ['test'],
    flags: setsAll,
    undefinedFlags: Rflags.AF,
    lift(l, i) {
      const [a, b] = i.operands;
      const size = l.sizeOf(a!);
      const left = l.read(a!);
      l.setFlags(FlagKind.logic, size, sameRegister(i) ? left : l.ops(size).and(left, l.read(b!, size)));
    },
  },
  { names: ['cmp'], flags: setsAll, lift: compare },
  { names: ['inc'], flags: { reads: 0, writes: ALL & ~Rflags.CF }, lift: step(FlagKind.inc, 1n) },
  { names: ['dec'], flags: { reads: 0, writes: ALL & ~Rflags.CF }, lift: step(FlagKind.dec, -1n) },
  {
    names: ['neg'],
    flags: setsAll,
    lift(l, { operands: [to] }) {
      const size = l.sizeOf(to!);
      const none = l.constant(size, 0n);
      l.change(to!, (old) => ({
        value: zeroExtend(l.ops(size).sub(none, old), size),
        flags: () => l.setFlags(FlagKind.sub, size, none, old),
      }));
    },
  },
  {
    names: ['not'],
    lift(l, { operands: [to] }) {
      const size = l.sizeOf(to!);
      l.change(to!, (old) => ({ value: zeroExtend(l.ops(size).xor(old, l.ops(size).const(-1n)), size) }));
    },
  },
];
