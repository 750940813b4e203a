/** Conversions between integers and floating point, and between precisions. */
import type { Instruction, Size } from '../decode.ts';
import { Type } from '../emit.ts';
import { f32, f64, i32, i64, select, simd, type Value } from '../values.ts';
import type { InstructionRecord } from './record.ts';
import { lowFloat, type Precision, scalarOps, setLowFloat } from './sse-float.ts';
import { noMmx, readLow, readVector } from './sse-moves.ts';

const v = (code: number, ...operands: Value[]): Value => simd(code, Type.v128, operands);

function floatConstant(p: Precision, value: number): Value {
  const bytes = new Uint8Array(p === 's' ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (p === 's') view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return { type: p === 's' ? Type.f32 : Type.f64, parts: [p === 's' ? 0x43 : 0x44, ...bytes] };
}

/**
 * cvtss2si and the like. What does not fit, and a NaN, is the "integer indefinite", the least integer: WebAssembly's saturating
 * conversion gives that below, and a comparison finds the rest.
 */
function toInteger(name: string, p: Precision, truncate: boolean): InstructionRecord {
  const o = scalarOps(p);
  return {
    names: [name],
    accepts: noMmx,
    lift(l, { operands: [to, from] }) {
      const size = l.sizeOf(to!);
      const source = lowFloat(l, from!, p);
      const value = l.keep(truncate ? source : o.nearest(source));
      const converted = size === 8 ? o.toI64(value) : o.toI32(value);
      const least = size === 8 ? i64.const(-0x8000000000000000n) : i32.const(-0x80000000);
      l.write(to!, select(o.lt(value, floatConstant(p, size === 8 ? 2 ** 63 : 2 ** 31)), converted, least));
    },
  };
}

function fromInteger(name: string, p: Precision): InstructionRecord {
  const o = scalarOps(p);
  return {
    names: [name],
    accepts: noMmx,
    lift(l, { operands: [to, from] }) {
      const size: Size = l.sizeOf(from!);
      const value = l.keep(l.read(from!));
      l.writeXmm(to!, setLowFloat(l.readXmm(to!), p, size === 8 ? o.fromI64(value) : o.fromI32(value)));
    },
  };
}

/** Packed floats to 32-bit integers, indefinite where they do not fit. */
function packedToInteger(value: Value): Value {
  const limit = simd(19, Type.v128, [floatConstant('s', 2 ** 31)]);
  const least = simd(17, Type.v128, [i32.const(-0x80000000)]);
  return v(82, v(248, value), least, v(67, value, limit));
}
/** Two doubles to the low half, the upper cleared. */
function doublesToInteger(value: Value): Value {
  const limit = simd(20, Type.v128, [floatConstant('d', 2 ** 31)]);
  // the comparison's 64-bit masks, narrowed to the low half; above, saturation has left zeros and so may `least`
  const fits = v(73, value, limit);
  const narrowed = simd(13, Type.v128, [fits, fits], 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  const least = simd(12, Type.v128, [], 0, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0);
  return v(82, v(252, value), least, narrowed);
}

/** 8 bytes of a register or memory, as the low half. */
const lowHalf = (l: Parameters<typeof readLow>[0], i: Instruction): Value =>
  simd(18, Type.v128, [readLow(l, i.operands[1]!, 8)]);

const whole = (name: string, compute: (value: Value) => Value): InstructionRecord => ({
  names: [name],
  lift(l, { operands: [to, from] }) {
    l.writeXmm(to!, compute(l.keep(readVector(l, from!))));
  },
});

const fromLow = (name: string, code: number): InstructionRecord => ({
  names: [name],
  accepts: noMmx,
  lift: (l, i) => l.writeXmm(i.operands[0]!, v(code, lowHalf(l, i))),
});

export const sseConvert: readonly InstructionRecord[] = [
  toInteger('cvtss2si', 's', false),
  toInteger('cvttss2si', 's', true),
  toInteger('cvtsd2si', 'd', false),
  toInteger('cvttsd2si', 'd', true),
  fromInteger('cvtsi2ss', 's'),
  fromInteger('cvtsi2sd', 'd'),
  {
    names: ['cvtss2sd'],
    lift(l, { operands: [to, from] }) {
      const value = f64.promote(lowFloat(l, from!, 's'));
      l.writeXmm(to!, setLowFloat(l.readXmm(to!), 'd', value));
    },
  },
  {
    names: ['cvtsd2ss'],
    lift(l, { operands: [to, from] }) {
      const value = f32.demote(lowFloat(l, from!, 'd'));
      l.writeXmm(to!, setLowFloat(l.readXmm(to!), 's', value));
    },
  },
  fromLow('cvtps2pd', 95),
  fromLow('cvtdq2pd', 254),
  whole('cvtpd2ps', (x) => v(94, x)),
  whole('cvtdq2ps', (x) => v(250, x)),
  {
    names: ['cvttps2dq'],
    lift: (l, { operands: [to, from] }) => l.writeXmm(to!, packedToInteger(l.keep(readVector(l, from!)))),
  },
  {
    names: ['cvtps2dq'],
    lift: (l, { operands: [to, from] }) => l.writeXmm(to!, packedToInteger(l.keep(v(106, readVector(l, from!))))),
  },
  whole('cvttpd2dq', doublesToInteger),
  {
    names: ['cvtpd2dq'],
    lift: (l, { operands: [to, from] }) => l.writeXmm(to!, doublesToInteger(l.keep(v(148, readVector(l, from!))))),
  },
];
