/** Exchange instructions. One virtual processor runs at a time, so a lock prefix asks for nothing more. */
import type { Operand, RegisterOperand } from '../decode.ts';
import { Type } from '../emit.ts';
import { FlagKind, zeroExtend } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { i32, i64, select, simd, type Value } from '../values.ts';
import type { InstructionRecord } from './record.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const ALL = Rflags.arithmetic;

export const atomics: readonly InstructionRecord[] = [
  {
    names: ['xadd'],
    flags: { reads: 0, writes: ALL },
    lift(l, i) {
      const [to, from] = i.operands as [Operand, RegisterOperand];
      const size = l.sizeOf(to);
      const o = l.ops(size);
      const added = l.keep(l.read(from));
      if (to.kind === 'memory') {
        const place = l.operandPlace(to, size, 'write');
        const old = l.load(place);
        l.store(place, zeroExtend(o.add(old, added), size));
        l.setFlags(FlagKind.add, size, old, added);
        l.write(from, old);
      } else {
        const old = l.keep(l.read(to));
        l.setFlags(FlagKind.add, size, old, added);
        l.write(from, old);
        l.write(to, zeroExtend(o.add(old, added), size));
      }
    },
  },
  {
    names: ['cmpxchg'],
    flags: { reads: 0, writes: ALL },
    lift(l, i) {
      const [to, from] = i.operands as [Operand, RegisterOperand];
      const size = l.sizeOf(to);
      const o = l.ops(size);
      const expected = l.keep(l.readRegister(RAX, size));
      const replacement = l.keep(l.read(from));
      const accumulator = (old: Value, same: Value) => {
        const before = l.keep(l.gpr(RAX));
        l.writeRegister(RAX, size, old);
        l.setGpr(RAX, select(same, before, l.gpr(RAX)));
      };
      if (to.kind === 'memory') {
        const place = l.operandPlace(to, size, 'write');
        const old = l.load(place);
        const same = l.keep(o.eq(expected, old));
        // memory is written in both cases, as the processor does
        l.store(place, select(same, replacement, old));
        l.setFlags(FlagKind.sub, size, expected, old);
        accumulator(old, same);
      } else {
        const old = l.keep(l.read(to));
        const same = l.keep(o.eq(expected, old));
        l.setFlags(FlagKind.sub, size, expected, old);
        accumulator(old, same);
        // a register that is not the accumulator keeps its value; a match with the accumulator itself replaces it
        const { register } = to as RegisterOperand;
        const before = l.keep(l.gpr(register));
        l.write(to, replacement);
        l.setGpr(register, select(same, l.gpr(register), before));
      }
    },
    test: { needs: 'for 32-bit register destinations, ignore the upper half when the comparison fails' },
  },
  {
    names: ['cmpxchg8b'],
    flags: { reads: 0, writes: Rflags.ZF },
    lift(l, i) {
      const pair = (high: number, low: number) =>
        i64.or(i64.shl(l.gpr(high), i64.const(32n)), i64.and(l.gpr(low), i64.const(0xffffffffn)));
      const [to] = i.operands;
      if (to?.kind !== 'memory') throw new Error('x64-operand: cmpxchg8b');
      const place = l.operandPlace(to, 8, 'write');
      const old = l.load(place);
      const same = l.keep(i64.eq(pair(RDX, RAX), old));
      l.store(place, select(same, pair(RCX, RBX), old));
      l.setSome(Rflags.ZF, i32.shl(same, i32.const(6)));
      l.setGpr(RAX, select(same, l.gpr(RAX), i64.and(old, i64.const(0xffffffffn))));
      l.setGpr(RDX, select(same, l.gpr(RDX), i64.shr_u(old, i64.const(32n))));
    },
  },
  {
    names: ['cmpxchg16b'],
    flags: { reads: 0, writes: Rflags.ZF },
    lift(l, i) {
      const [to] = i.operands;
      if (to?.kind !== 'memory') throw new Error('x64-operand: cmpxchg16b');
      const place = l.operandPlace(to, 16, 'write', 16);
      const old = l.load128(place);
      const low = l.keep(simd(29, Type.i64, [old], 0));
      const high = l.keep(simd(29, Type.i64, [old], 1));
      const same = l.keep(i32.and(i64.eq(low, l.gpr(RAX)), i64.eq(high, l.gpr(RDX))));
      const replacement = simd(30, Type.v128, [simd(18, Type.v128, [l.gpr(RBX)]), l.gpr(RCX)], 1);
      l.store128(place, select(same, replacement, old));
      l.setSome(Rflags.ZF, i32.shl(same, i32.const(6)));
      l.setGpr(RAX, select(same, l.gpr(RAX), low));
      l.setGpr(RDX, select(same, l.gpr(RDX), high));
    },
    test: { needs: 'an address that is a multiple of 16, or expect exception 13' },
  },
];
