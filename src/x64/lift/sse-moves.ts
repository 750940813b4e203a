/** Moves of XMM registers, whole and in parts, and between them and general registers. */
import type { Instruction, Operand, Size } from '../decode.ts';
import { Type } from '../emit.ts';
import { i64, simd, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

export const zeroXmm: Value = simd(12, Type.v128, [], ...new Array<number>(16).fill(0));

/** Lanes of integers: splat, extract, replace. */
export const lane32 = (v: Value, lane: number): Value => simd(27, Type.i32, [v], lane);
export const lane64 = (v: Value, lane: number): Value => simd(29, Type.i64, [v], lane);
export const setLane32 = (v: Value, lane: number, value: Value): Value => simd(28, Type.v128, [v, value], lane);
export const setLane64 = (v: Value, lane: number, value: Value): Value => simd(30, Type.v128, [v, value], lane);
/** Bytes of two vectors: 0-15 of the first, 16-31 of the second. */
export const shuffle = (a: Value, b: Value, lanes: readonly number[]): Value => simd(13, Type.v128, [a, b], ...lanes);

/** A 16-byte operand. Memory operands of SSE arithmetic must be aligned. */
export function readVector(l: Lift, operand: Operand, aligned = true): Value {
  if (operand.kind !== 'memory') return l.readXmm(operand);
  return l.load128(l.operandPlace(operand, 16, 'read', aligned ? 16 : 1));
}

/** The low 4 or 8 bytes of an operand, as an integer. */
export function readLow(l: Lift, operand: Operand, size: 4 | 8): Value {
  if (operand.kind !== 'xmm') return l.read(operand, size);
  return size === 8 ? lane64(l.readXmm(operand), 0) : lane32(l.readXmm(operand), 0);
}

const setLow = (v: Value, size: Size, value: Value): Value =>
  size === 8 ? setLane64(v, 0, value) : setLane32(v, 0, value);

/** Moves of 16 bytes either way. `aligned` ones raise #GP(0) for memory at other addresses. */
function whole(aligned: boolean): Lifter {
  return (l, { operands: [to, from] }) => {
    if (to!.kind === 'memory') {
      l.store128(l.operandPlace(to!, 16, 'write', aligned ? 16 : 1), l.readXmm(from!));
    } else l.writeXmm(to!, readVector(l, from!, aligned));
  };
}

/** movss, movsd: registers merge, loads clear the rest. */
function scalar(size: 4 | 8): Lifter {
  return (l, { operands: [to, from] }) => {
    if (to!.kind === 'memory') l.write(to!, readLow(l, from!, size), size);
    else if (from!.kind === 'memory') l.writeXmm(to!, setLow(zeroXmm, size, l.read(from!, size)));
    else l.writeXmm(to!, setLow(l.readXmm(to!), size, readLow(l, from!, size)));
  };
}

/** movd, movq: between a general register or memory and the cleared register. */
function integer(l: Lift, { operands: [to, from], mnemonic, code }: Instruction): void {
  const size = mnemonic === 'movq' || code.includes('64') ? 8 : 4;
  if (to!.kind === 'xmm') l.writeXmm(to!, setLow(zeroXmm, size, readLow(l, from!, size)));
  else l.write(to!, readLow(l, from!, size), size);
}

/** movhps and the like: 8 bytes of memory and one half. */
function half(which: 0 | 1): Lifter {
  return (l, { operands: [to, from] }) => {
    if (to!.kind === 'memory') l.write(to!, lane64(l.readXmm(from!), which), 8);
    else l.writeXmm(to!, setLane64(l.readXmm(to!), which, l.read(from!, 8)));
  };
}

const noMmx = (i: Instruction): boolean => i.operands.every((o) => o.kind !== 'other');
const withXmm = (i: Instruction): boolean => noMmx(i) && i.operands.some((o) => o.kind === 'xmm');

/** Sign bits into a general register. */
const mask = (names: readonly string[], code: number): InstructionRecord => ({
  names,
  accepts: withXmm,
  lift(l, { operands: [to, from] }) {
    const bits = simd(code, Type.i32, [l.readXmm(from!)]);
    l.write(to!, l.sizeOf(to!) === 8 ? i64.extend_u(bits) : bits);
  },
});

/** pinsr, pextr, by element. Extracted elements are cleared above; a store writes just the element. */
function insert(size: Size, replace: number): InstructionRecord['lift'] & {} {
  const count = 16 / size;
  return (l, { operands: [to, from, index] }) => {
    const lane = Number((index as { value: bigint }).value) & (count - 1);
    const narrow = from!.kind === 'register' && size < 4 ? 4 : size;
    const value = l.read(from!, narrow);
    l.writeXmm(to!, simd(replace, Type.v128, [l.readXmm(to!), value], lane));
  };
}
function extract(size: Size, code: number): InstructionRecord['lift'] & {} {
  const count = 16 / size;
  return (l, { operands: [to, from, index] }) => {
    const lane = Number((index as { value: bigint }).value) & (count - 1);
    const value = simd(code, size === 8 ? Type.i64 : Type.i32, [l.readXmm(from!)], lane);
    if (to!.kind === 'memory') l.write(to!, value, size);
    else l.write(to!, size !== 8 && l.sizeOf(to!) === 8 ? i64.extend_u(value) : value);
  };
}

const sizedByCode =
  (narrow: Lifter, wide: Lifter): Lifter =>
  (l, i) =>
    (i.mnemonic.endsWith('q') ? wide : narrow)(l, i);

export const sseMoves: readonly InstructionRecord[] = [
  { names: ['movups', 'movupd', 'movdqu', 'lddqu'], accepts: withXmm, lift: whole(false) },
  {
    names: ['movaps', 'movapd', 'movdqa', 'movntps', 'movntpd', 'movntdq', 'movntdqa'],
    accepts: withXmm,
    lift: whole(true),
    test: { needs: 'aligned memory, or expect exception 13' },
  },
  { names: ['movnti'], lift: (l, { operands: [to, from] }) => l.write(to!, l.read(from!)) },
  { names: ['movss'], accepts: withXmm, lift: scalar(4) },
  { names: ['movsd'], accepts: withXmm, lift: scalar(8) },
  { names: ['movd', 'movq'], accepts: withXmm, lift: integer },
  { names: ['movlps', 'movlpd'], accepts: withXmm, lift: half(0) },
  { names: ['movhps', 'movhpd'], accepts: withXmm, lift: half(1) },
  {
    names: ['movhlps'],
    lift: (l, { operands: [to, from] }) => l.writeXmm(to!, setLane64(l.readXmm(to!), 0, lane64(l.readXmm(from!), 1))),
  },
  {
    names: ['movlhps'],
    lift: (l, { operands: [to, from] }) => l.writeXmm(to!, setLane64(l.readXmm(to!), 1, lane64(l.readXmm(from!), 0))),
  },
  {
    names: ['movddup'],
    lift: (l, { operands: [to, from] }) => l.writeXmm(to!, simd(18, Type.v128, [readLow(l, from!, 8)])),
  },
  {
    names: ['movshdup'],
    lift(l, { operands: [to, from] }) {
      const v = readVector(l, from!);
      l.writeXmm(to!, shuffle(v, v, [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]));
    },
  },
  {
    names: ['movsldup'],
    lift(l, { operands: [to, from] }) {
      const v = readVector(l, from!);
      l.writeXmm(to!, shuffle(v, v, [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]));
    },
  },
  mask(['pmovmskb'], 100),
  mask(['movmskps'], 164),
  mask(['movmskpd'], 196),
  { names: ['pinsrb'], accepts: withXmm, lift: insert(1, 23) },
  { names: ['pinsrw'], accepts: withXmm, lift: insert(2, 26) },
  { names: ['pinsrd', 'pinsrq'], accepts: withXmm, lift: sizedByCode(insert(4, 28), insert(8, 30)) },
  { names: ['pextrb'], accepts: withXmm, lift: extract(1, 22) },
  { names: ['pextrw'], accepts: withXmm, lift: extract(2, 25) },
  { names: ['pextrd', 'pextrq'], accepts: withXmm, lift: sizedByCode(extract(4, 27), extract(8, 29)) },
  { names: ['extractps'], accepts: withXmm, lift: extract(4, 27) },
];

export { noMmx, withXmm };
