/** Packed integers: logic, arithmetic, comparison, shifts. */
import type { Instruction, Operand } from '../decode.ts';
import { Type } from '../emit.ts';
import { FlagKind } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { i32, i64, select, simd, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord } from './record.ts';
import { lane64, noMmx, readVector, shuffle, zeroXmm } from './sse-moves.ts';

const v = (code: number, ...operands: Value[]): Value => simd(code, Type.v128, operands);

/** `op to, from` on whole registers; both operands may be used several times. */
function packed(names: readonly string[], compute: (a: Value, b: Value, l: Lift) => Value): InstructionRecord {
  return {
    names,
    accepts: noMmx,
    lift(l, { operands: [to, from] }) {
      const right = l.keep(readVector(l, from!));
      l.writeXmm(to!, compute(l.readXmm(to!), right, l));
    },
  };
}

/** Operations that are one WebAssembly instruction on (destination, source). */
const direct: Readonly<Record<string, number>> = {
  paddb: 110, paddw: 142, paddd: 174, paddq: 206,
  psubb: 113, psubw: 145, psubd: 177, psubq: 209,
  paddsb: 111, paddusb: 112, paddsw: 143, paddusw: 144,
  psubsb: 114, psubusb: 115, psubsw: 146, psubusw: 147,
  pmullw: 149, pmulld: 181, pmaddwd: 186,
  pavgb: 123, pavgw: 155,
  pminub: 119, pminsb: 118, pminsw: 150, pminuw: 151, pminsd: 182, pminud: 183,
  pmaxub: 121, pmaxsb: 120, pmaxsw: 152, pmaxuw: 153, pmaxsd: 184, pmaxud: 185,
  pcmpeqb: 35, pcmpeqw: 45, pcmpeqd: 55, pcmpeqq: 214,
  pcmpgtb: 39, pcmpgtw: 49, pcmpgtd: 59, pcmpgtq: 217,
  packsswb: 101, packuswb: 102, packssdw: 133, packusdw: 134,
}; // biome-ignore format: a table

/** One-operand operations: abs, and the extensions of the low half. */
const unary: Readonly<Record<string, number>> = { pabsb: 96, pabsw: 128, pabsd: 160 };
/** Extensions: the chain of low-half extensions, and how many bytes are read. */
const extensions: Readonly<Record<string, { codes: readonly number[]; bytes: 2 | 4 | 8 }>> = {
  pmovsxbw: { codes: [135], bytes: 8 }, pmovzxbw: { codes: [137], bytes: 8 },
  pmovsxbd: { codes: [135, 167], bytes: 4 }, pmovzxbd: { codes: [137, 169], bytes: 4 },
  pmovsxbq: { codes: [135, 167, 199], bytes: 2 }, pmovzxbq: { codes: [137, 169, 201], bytes: 2 },
  pmovsxwd: { codes: [167], bytes: 8 }, pmovzxwd: { codes: [169], bytes: 8 },
  pmovsxwq: { codes: [167, 199], bytes: 4 }, pmovzxwq: { codes: [169, 201], bytes: 4 },
  pmovsxdq: { codes: [199], bytes: 8 }, pmovzxdq: { codes: [201], bytes: 8 },
}; // biome-ignore format: a table

/** The upper halves of 16-bit products. */
function highProducts(low: number, high: number) {
  return (a: Value, b: Value): Value =>
    shuffle(v(low, a, b), v(high, a, b), [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]);
}
/** Lanes 0 and 2 into the low half, for the 32 x 32 → 64 products. */
const even = (x: Value): Value => shuffle(x, x, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);

/** Shifts by an immediate or by the low 64 bits of a register; counts beyond the element clear it (or fill it with the sign). */
function shift(name: string, code: number, bits: number, arithmetic: boolean): InstructionRecord {
  return {
    names: [name],
    accepts: noMmx,
    lift(l, { operands: [to, by] }) {
      const max = BigInt(bits - 1);
      if (by!.kind === 'immediate') {
        const count = BigInt.asUintN(8, by!.value);
        if (count > max && !arithmetic) l.writeXmm(to!, zeroXmm);
        else l.writeXmm(to!, simd(code, Type.v128, [l.readXmm(to!), i32.const(Number(count > max ? max : count))]));
        return;
      }
      const count = l.keep(lane64(readVector(l, by as Operand), 0));
      const beyond = l.keep(i64.gt_u(count, i64.const(max)));
      const used = arithmetic ? select(beyond, i32.const(Number(max)), i32.wrap(count)) : i32.wrap(count);
      const shifted = simd(code, Type.v128, [l.readXmm(to!), used]);
      l.writeXmm(to!, arithmetic ? shifted : select(beyond, zeroXmm, shifted));
    },
  };
}

/** pslldq, psrldq: whole bytes. */
function shiftBytes(name: string, left: boolean): InstructionRecord {
  return {
    names: [name],
    lift(l, { operands: [to, by] }) {
      const n = Math.min(Number(BigInt.asUintN(8, (by as { value: bigint }).value)), 16);
      const lanes = Array.from({ length: 16 }, (_, i) => (left ? 16 + i - n : i + n));
      l.writeXmm(to!, left ? shuffle(zeroXmm, l.readXmm(to!), lanes) : shuffle(l.readXmm(to!), zeroXmm, lanes));
    },
  };
}

/** Sums of absolute differences of bytes, one per half. */
function sumOfDifferences(a: Value, b: Value, l: Lift): Value {
  const difference = l.keep(v(80, v(115, a, b), v(115, b, a)));
  // bytes → 8 sums of 2 → 4 of 4; then the two of each half
  const fours = l.keep(v(127, v(125, difference)));
  const pairs = v(174, fours, v(205, fours, i32.const(32)));
  return v(78, pairs, simd(12, Type.v128, [], 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0));
}

export const sseInteger: readonly InstructionRecord[] = [
  {
    names: ['xorps', 'xorpd', 'pxor'],
    accepts: noMmx,
    lift(l, { operands: [to, from] }) {
      if (to!.kind === 'xmm' && from!.kind === 'xmm' && to!.register === from!.register) l.writeXmm(to!, zeroXmm);
      else {
        const right = readVector(l, from!);
        l.writeXmm(to!, v(81, l.readXmm(to!), right));
      }
    },
  },
  packed(['andps', 'andpd', 'pand'], (a, b) => v(78, a, b)),
  packed(['andnps', 'andnpd', 'pandn'], (a, b) => v(79, b, a)),
  packed(['orps', 'orpd', 'por'], (a, b) => v(80, a, b)),
  ...Object.entries(direct).map(([name, code]) => packed([name], (a, b) => v(code, a, b))),
  ...Object.entries(unary).map(([name, code]) => packed([name], (_, b) => v(code, b))),
  packed(['pmulhw'], highProducts(188, 189)),
  packed(['pmulhuw'], highProducts(190, 191)),
  packed(['pmuludq'], (a, b) => v(222, even(a), even(b))),
  packed(['pmuldq'], (a, b) => v(220, even(a), even(b))),
  packed(['psadbw'], sumOfDifferences),
  ...Object.entries(extensions).map(([name, { codes, bytes }]): InstructionRecord => ({
    names: [name],
    lift(l, { operands: [to, from] }) {
      let value: Value;
      if (from!.kind === 'xmm') value = l.readXmm(from!);
      else if (bytes === 8) value = simd(18, Type.v128, [l.read(from!, 8)]);
      else value = simd(17, Type.v128, [l.read(from!, bytes)]);
      l.writeXmm(to!, codes.reduce((x, code) => v(code, x), value));
    },
  })), // biome-ignore format: one record
  shift('psllw', 139, 16, false),
  shift('pslld', 171, 32, false),
  shift('psllq', 203, 64, false),
  shift('psrlw', 141, 16, false),
  shift('psrld', 173, 32, false),
  shift('psrlq', 205, 64, false),
  shift('psraw', 140, 16, true),
  shift('psrad', 172, 32, true),
  shiftBytes('pslldq', true),
  shiftBytes('psrldq', false),
  {
    names: ['ptest'],
    flags: { reads: 0, writes: Rflags.arithmetic },
    lift(l, { operands: [to, from] }: Instruction) {
      const right = l.keep(readVector(l, from!));
      const left = l.readXmm(to!);
      if (!l.live) {
        l.state = undefined;
        return;
      }
      const none = (x: Value) => i32.eqz(simd(83, Type.i32, [x]));
      const flags = i32.or(none(v(79, right, left)), i32.shl(none(v(78, left, right)), i32.const(6)));
      l.setFlags(FlagKind.packed, 8, flags);
    },
  },
];
