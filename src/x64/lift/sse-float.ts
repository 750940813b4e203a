/**
 * Floating point, scalar and packed: arithmetic, comparison, rounding. Rounding is to nearest (ldmxcsr refuses others);
 * exception flags of MXCSR are not kept. Which of two NaN operands survives is left to the host's processor.
 */
import type { Instruction } from '../decode.ts';
import { Type } from '../emit.ts';
import { FlagKind } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { type Float, f32, f64, i32, i64, select, simd, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord } from './record.ts';
import { readLow, readVector, withXmm } from './sse-moves.ts';

export type Precision = 's' | 'd';

export const scalarOps = (p: Precision): Float => (p === 's' ? f32 : f64);
export const sizeOf = (p: Precision): 4 | 8 => (p === 's' ? 4 : 8);
const v = (code: number, ...operands: Value[]): Value => simd(code, Type.v128, operands);

/** The low element as a float. */
export function lowFloat(l: Lift, operand: Instruction['operands'][number], p: Precision): Value {
  if (operand.kind === 'xmm')
    return simd(p === 's' ? 31 : 33, p === 's' ? Type.f32 : Type.f64, [l.readXmm(operand)], 0);
  const bits = readLow(l, operand, sizeOf(p));
  return p === 's' ? f32.reinterpret(bits) : f64.reinterpret(bits);
}
export const setLowFloat = (vector: Value, p: Precision, value: Value): Value =>
  simd(p === 's' ? 32 : 34, Type.v128, [vector, value], 0);

/** Four mnemonics of an operation: ps, pd, ss, sd. `packed` numbers are for f32x4; f64x2 are `gap` further. */
function arithmetic(
  stem: string,
  packedCode: number,
  scalar: (o: Float, a: Value, b: Value) => Value,
): InstructionRecord[] {
  const forms: InstructionRecord[] = [];
  for (const p of ['s', 'd'] as const) {
    forms.push({
      names: [`${stem}p${p}`],
      lift(l, { operands: [to, from] }) {
        const right = readVector(l, from!);
        l.writeXmm(to!, v(packedCode + (p === 's' ? 0 : 12), l.readXmm(to!), right));
      },
    });
    forms.push({
      names: [`${stem}s${p}`],
      lift(l, { operands: [to, from] }) {
        const right = l.keep(lowFloat(l, from!, p));
        const left = l.keep(lowFloat(l, to!, p));
        l.writeXmm(to!, setLowFloat(l.readXmm(to!), p, scalar(scalarOps(p), left, right)));
      },
    });
  }
  return forms;
}

/** minps and maxps give the source when either is a NaN or both are zero: WebAssembly's pmin and pmax with operands swapped. */
function extreme(
  stem: string,
  packedCode: number,
  scalar: (o: Float, a: Value, b: Value) => Value,
): InstructionRecord[] {
  return arithmetic(stem, packedCode, scalar).map((form) =>
    form.names[0]!.startsWith(`${stem}p`)
      ? {
          ...form,
          lift(l, { operands: [to, from] }) {
            const right = readVector(l, from!);
            l.writeXmm(to!, v(packedCode + (form.names[0]!.endsWith('s') ? 0 : 12), right, l.readXmm(to!)));
          },
        }
      : form,
  );
}

function root(p: Precision): InstructionRecord[] {
  return [
    {
      names: [`sqrtp${p}`],
      lift: (l, { operands: [to, from] }) => l.writeXmm(to!, v(p === 's' ? 227 : 239, readVector(l, from!))),
    },
    {
      names: [`sqrts${p}`],
      lift(l, { operands: [to, from] }) {
        const value = scalarOps(p).sqrt(lowFloat(l, from!, p));
        l.writeXmm(to!, setLowFloat(l.readXmm(to!), p, value));
      },
    },
  ];
}

/** The eight predicates of cmpps and its like. */
function predicate(
  which: number,
  eq: () => Value,
  lt: () => Value,
  le: () => Value,
  ordered: () => Value,
  not: (x: Value) => Value,
): Value {
  const base = [eq, lt, le, () => not(ordered())][which & 3]!();
  return which & 4 ? not(base) : base;
}

function compare(p: Precision): InstructionRecord[] {
  const base = p === 's' ? 65 : 71;
  const o = scalarOps(p);
  const chosen = (i: Instruction): number => Number((i.operands[2] as { value: bigint }).value) & 7;
  return [
    {
      names: [`cmpp${p}`],
      lift(l, i) {
        const [to, from] = i.operands;
        const b = l.keep(readVector(l, from!));
        const a = l.readXmm(to!);
        const value = predicate(
          chosen(i),
          () => v(base, a, b),
          () => v(base + 2, a, b),
          () => v(base + 4, a, b),
          () => v(78, v(base, a, a), v(base, b, b)),
          (x) => v(77, x),
        );
        l.writeXmm(to!, value);
      },
    },
    {
      names: [`cmps${p}`],
      accepts: withXmm,
      lift(l, i) {
        const [to, from] = i.operands;
        const b = l.keep(lowFloat(l, from!, p));
        const a = l.keep(lowFloat(l, to!, p));
        const holds = predicate(
          chosen(i),
          () => o.eq(a, b),
          () => o.lt(a, b),
          () => o.le(a, b),
          () => i32.and(o.eq(a, a), o.eq(b, b)),
          (x) => i32.eqz(x),
        );
        const mask = i32.sub(i32.const(0), holds);
        l.writeXmm(
          to!,
          p === 's'
            ? simd(28, Type.v128, [l.readXmm(to!), mask], 0)
            : simd(30, Type.v128, [l.readXmm(to!), i64.extend_s(mask)], 0),
        );
      },
    },
    {
      names: [`ucomis${p}`, `comis${p}`],
      flags: { reads: 0, writes: Rflags.arithmetic },
      lift(l, { operands: [to, from] }) {
        const b = l.keep(lowFloat(l, from!, p));
        const a = l.keep(lowFloat(l, to!, p));
        if (!l.live) {
          l.state = undefined;
          return;
        }
        // unordered sets all three
        const less = i32.eqz(o.ge(a, b));
        const unordered = i32.or(o.ne(a, a), o.ne(b, b));
        const same = i32.or(o.eq(a, b), unordered);
        const flags = i32.or(less, i32.or(i32.shl(unordered, i32.const(2)), i32.shl(same, i32.const(6))));
        l.setFlags(FlagKind.packed, 8, flags);
      },
    },
  ];
}

/** roundss and its like: nearest, down, up, toward zero; or as MXCSR says, which is nearest. */
function rounding(p: Precision): InstructionRecord[] {
  const o = scalarOps(p);
  const mode = (i: Instruction): number => {
    const imm = Number((i.operands[2] as { value: bigint }).value);
    return imm & 4 ? 0 : imm & 3;
  };
  const packedCodes = p === 's' ? [106, 104, 103, 105] : [148, 117, 116, 122];
  const scalar = [o.nearest, o.floor, o.ceil, o.trunc];
  return [
    {
      names: [`roundp${p}`],
      lift: (l, i) => l.writeXmm(i.operands[0]!, v(packedCodes[mode(i)]!, readVector(l, i.operands[1]!))),
    },
    {
      names: [`rounds${p}`],
      lift(l, i) {
        const [to, from] = i.operands;
        const value = scalar[mode(i)]!(lowFloat(l, from!, p));
        l.writeXmm(to!, setLowFloat(l.readXmm(to!), p, value));
      },
    },
  ];
}

/** Neighbours added or subtracted (SSE3). */
function horizontal(stem: string, code: number): InstructionRecord[] {
  const evens4 = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
  const evens8 = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
  return (['s', 'd'] as const).map((p) => ({
    names: [`${stem}p${p}`],
    lift(l, { operands: [to, from] }) {
      const b = l.keep(readVector(l, from!));
      const a = l.readXmm(to!);
      const [lanes, size] = p === 's' ? [evens4, 4] : [evens8, 8];
      const pick = (offset: number) => simd(13, Type.v128, [a, b], ...lanes.map((n) => n + offset));
      l.writeXmm(to!, v(code + (p === 's' ? 0 : 12), pick(0), pick(size)));
    },
  }));
}

export const sseFloat: readonly InstructionRecord[] = [
  ...arithmetic('add', 228, (o, a, b) => o.add(a, b)),
  ...arithmetic('sub', 229, (o, a, b) => o.sub(a, b)),
  ...arithmetic('mul', 230, (o, a, b) => o.mul(a, b)),
  ...arithmetic('div', 231, (o, a, b) => o.div(a, b)),
  ...extreme('min', 234, (o, a, b) => select(o.lt(a, b), a, b)),
  ...extreme('max', 235, (o, a, b) => select(o.gt(a, b), a, b)),
  ...root('s'),
  ...root('d'),
  ...compare('s'),
  ...compare('d'),
  ...rounding('s'),
  ...rounding('d'),
  ...horizontal('hadd', 228),
  ...horizontal('hsub', 229),
];
