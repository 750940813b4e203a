/** Rearranging: shuffles, unpacks, blends, alignment. */
import type { Instruction } from '../decode.ts';
import { Type } from '../emit.ts';
import { i32, simd, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord } from './record.ts';
import { noMmx, readLow, readVector, setLane32, shuffle, zeroXmm } from './sse-moves.ts';

const v = (code: number, ...operands: Value[]): Value => simd(code, Type.v128, operands);
const immediate = (i: Instruction, position = 2): number =>
  Number((i.operands[position] as { value: bigint }).value) & 255;

/** Byte lanes of elements: `elements` counts in units of `size`, 16/size and up meaning the second operand. */
const bytesOf = (elements: readonly number[], size: number): number[] =>
  elements.flatMap((e) => Array.from({ length: size }, (_, i) => e * size + i));

/** A byte shuffle of (destination, source) whose lanes the instruction fixes. */
function fixed(names: readonly string[], lanes: (i: Instruction) => readonly number[]): InstructionRecord {
  return {
    names,
    accepts: noMmx,
    lift(l, i) {
      const [to, from] = i.operands;
      const right = readVector(l, from!);
      l.writeXmm(to!, shuffle(l.readXmm(to!), right, lanes(i)));
    },
  };
}

/** Interleaves the low or high halves. */
function unpack(names: readonly string[], size: number, high: boolean): InstructionRecord {
  const count = 16 / size;
  const start = high ? count / 2 : 0;
  const elements = Array.from({ length: count }, (_, i) => start + (i >> 1) + (i & 1 ? count : 0));
  return fixed(names, () => bytesOf(elements, size));
}

/** Two bits of the immediate choose each of four. */
const four = (imm: number): number[] => [0, 2, 4, 6].map((at) => (imm >> at) & 3);

/** Blends chosen by an immediate's bits. */
const blend = (names: readonly string[], size: number): InstructionRecord =>
  fixed(names, (i) => {
    const count = 16 / size;
    const imm = immediate(i);
    return bytesOf(
      Array.from({ length: count }, (_, e) => ((imm >> e) & 1 ? count + e : e)),
      size,
    );
  });

/** Blends chosen by the sign bits of XMM0's elements. */
function variable(names: readonly string[], shift: number, bits: number): InstructionRecord {
  return {
    names,
    lift(l: Lift, { operands: [to, from] }) {
      const right = readVector(l, from!);
      const mask = simd(shift, Type.v128, [l.xmm(0), i32.const(bits - 1)]);
      l.writeXmm(to!, v(82, right, l.readXmm(to!), mask));
    },
  };
}

export const sseShuffle: readonly InstructionRecord[] = [
  unpack(['punpcklbw'], 1, false),
  unpack(['punpcklwd'], 2, false),
  unpack(['punpckldq', 'unpcklps'], 4, false),
  unpack(['punpcklqdq', 'unpcklpd'], 8, false),
  unpack(['punpckhbw'], 1, true),
  unpack(['punpckhwd'], 2, true),
  unpack(['punpckhdq', 'unpckhps'], 4, true),
  unpack(['punpckhqdq', 'unpckhpd'], 8, true),
  // from the source alone: lanes of the second operand
  fixed(['pshufd'], (i) => bytesOf(four(immediate(i)).map((e) => e + 4), 4)), // biome-ignore format: one line
  fixed(['pshuflw'], (i) =>
    bytesOf(
      [...four(immediate(i)), 4, 5, 6, 7].map((e) => e + 8),
      2,
    ),
  ),
  fixed(['pshufhw'], (i) =>
    bytesOf(
      [0, 1, 2, 3, ...four(immediate(i)).map((e) => e + 4)].map((e) => e + 8),
      2,
    ),
  ),
  fixed(['shufps'], (i) => {
    const [a, b, c, d] = four(immediate(i)) as [number, number, number, number];
    return bytesOf([a, b, c + 4, d + 4], 4);
  }),
  fixed(['shufpd'], (i) => bytesOf([immediate(i) & 1, 2 + ((immediate(i) >> 1) & 1)], 8)),
  {
    names: ['palignr'],
    accepts: noMmx,
    lift(l, i) {
      const [to, from] = i.operands;
      const by = immediate(i);
      const low = readVector(l, from!);
      const high = l.readXmm(to!);
      const lanes = (n: number) => Array.from({ length: 16 }, (_, lane) => lane + n);
      if (by >= 32) l.writeXmm(to!, zeroXmm);
      else l.writeXmm(to!, by <= 16 ? shuffle(low, high, lanes(by)) : shuffle(high, zeroXmm, lanes(by - 16)));
    },
  },
  {
    names: ['pshufb'],
    accepts: noMmx,
    lift(l, { operands: [to, from] }) {
      // swizzle clears for any index above 15, pshufb only for a set top bit
      const control = readVector(l, from!);
      const keep = simd(12, Type.v128, [], ...new Array<number>(16).fill(0x8f));
      l.writeXmm(to!, v(14, l.readXmm(to!), v(78, control, keep)));
    },
  },
  blend(['pblendw'], 2),
  blend(['blendps'], 4),
  blend(['blendpd'], 8),
  variable(['pblendvb'], 108, 8),
  variable(['blendvps'], 172, 32),
  variable(['blendvpd'], 204, 64),
  {
    names: ['insertps'],
    lift(l, i) {
      const [to, from] = i.operands;
      const imm = immediate(i);
      const value = from!.kind === 'xmm' ? simd(27, Type.i32, [l.readXmm(from!)], imm >> 6) : readLow(l, from!, 4);
      let result = setLane32(l.readXmm(to!), (imm >> 4) & 3, value);
      for (let lane = 0; lane < 4; lane++) if ((imm >> lane) & 1) result = setLane32(result, lane, i32.const(0));
      l.writeXmm(to!, result);
    },
  },
];
