/**
 * Typed WebAssembly expressions. A `Value` is a little tree of opcode bytes: building one emits nothing, so a lifter can combine
 * operands freely and hand the whole to `Body`, which writes it where it is used. A Value that reads a local means the local *at
 * the place it is written to*; whoever changes registers keeps values it still needs with `Body.keep`.
 */
import { signed32, signed64, Type, unsigned } from './emit.ts';

export interface Value {
  readonly type: Type;
  /** Opcode bytes and operand trees in emission order. */
  readonly parts: readonly (number | Value)[];
  /** Known when the whole value is a constant. */
  readonly constant?: bigint;
}

export type Unary = (a: Value) => Value;
export type Binary = (a: Value, b: Value) => Value;
export type Load = (address: Value, offset?: number) => Value;

const unary =
  (code: number, type: Type): Unary =>
  (a) => ({ type, parts: [a, code] });
const binary =
  (code: number, type: Type): Binary =>
  (a, b) => ({ type, parts: [a, b, code] });
const loading =
  (code: number, type: Type): Load =>
  (address, offset = 0) => {
    const immediate: number[] = [code, 0];
    unsigned(immediate, offset);
    return { type, parts: [address, ...immediate] };
  };

export function local(type: Type, index: number): Value {
  const parts = [0x20];
  unsigned(parts, index);
  return { type, parts };
}

export function select(condition: Value, yes: Value, no: Value): Value {
  return yes.type === Type.v128
    ? { type: yes.type, parts: [yes, no, condition, 0x1c, 1, Type.v128] }
    : { type: yes.type, parts: [yes, no, condition, 0x1b] };
}

const { i32: I32, i64: I64, f32: F32, f64: F64 } = Type;

function constant32(value: number): Value {
  const parts = [0x41];
  signed32(parts, value);
  return { type: I32, parts, constant: BigInt(value | 0) };
}
function constant64(value: bigint): Value {
  const parts = [0x42];
  signed64(parts, value);
  return { type: I64, parts, constant: BigInt.asIntN(64, value) };
}

/** The operations i32 and i64 have in common: what lets one lifter serve every operand size. */
export interface Integer {
  readonly type: Type;
  readonly bits: number;
  readonly const: (value: bigint) => Value;
  readonly eqz: Unary;
  readonly eq: Binary;
  readonly ne: Binary;
  readonly lt_s: Binary;
  readonly lt_u: Binary;
  readonly gt_s: Binary;
  readonly gt_u: Binary;
  readonly le_s: Binary;
  readonly le_u: Binary;
  readonly ge_s: Binary;
  readonly ge_u: Binary;
  readonly clz: Unary;
  readonly ctz: Unary;
  readonly popcnt: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div_s: Binary;
  readonly div_u: Binary;
  readonly rem_s: Binary;
  readonly rem_u: Binary;
  readonly and: Binary;
  readonly or: Binary;
  readonly xor: Binary;
  readonly shl: Binary;
  readonly shr_s: Binary;
  readonly shr_u: Binary;
  readonly rotl: Binary;
  readonly rotr: Binary;
}

function integer(type: Type, bits: number, compare: number, arithmetic: number): Integer {
  const c = (n: number) => binary(compare + n, I32);
  const u = (n: number) => unary(arithmetic + n, type);
  const a = (n: number) => binary(arithmetic + n, type);
  return {
    type,
    bits,
    const: bits === 64 ? constant64 : (value) => constant32(Number(BigInt.asIntN(32, value))),
    eqz: unary(compare, I32),
    eq: c(1),
    ne: c(2),
    lt_s: c(3),
    lt_u: c(4),
    gt_s: c(5),
    gt_u: c(6),
    le_s: c(7),
    le_u: c(8),
    ge_s: c(9),
    ge_u: c(10),
    clz: u(0),
    ctz: u(1),
    popcnt: u(2),
    add: a(3),
    sub: a(4),
    mul: a(5),
    div_s: a(6),
    div_u: a(7),
    rem_s: a(8),
    rem_u: a(9),
    and: a(10),
    or: a(11),
    xor: a(12),
    shl: a(13),
    shr_s: a(14),
    shr_u: a(15),
    rotl: a(16),
    rotr: a(17),
  };
}

export const int32 = integer(I32, 32, 0x45, 0x67);
export const int64 = integer(I64, 64, 0x50, 0x79);

export const i32 = {
  ...int32,
  const: constant32,
  load: loading(0x28, I32),
  load8_s: loading(0x2c, I32),
  load8_u: loading(0x2d, I32),
  load16_s: loading(0x2e, I32),
  load16_u: loading(0x2f, I32),
  wrap: unary(0xa7, I32),
  extend8_s: unary(0xc0, I32),
  extend16_s: unary(0xc1, I32),
  reinterpret: unary(0xbc, I32),
};

export const i64 = {
  ...int64,
  const: constant64,
  load: loading(0x29, I64),
  load32_u: loading(0x35, I64),
  extend_s: unary(0xac, I64),
  extend_u: unary(0xad, I64),
  extend8_s: unary(0xc2, I64),
  extend16_s: unary(0xc3, I64),
  extend32_s: unary(0xc4, I64),
  reinterpret: unary(0xbd, I64),
};

/** Scalar floating point, by precision. */
export interface Float {
  readonly type: Type;
  readonly eq: Binary;
  readonly ne: Binary;
  readonly lt: Binary;
  readonly gt: Binary;
  readonly le: Binary;
  readonly ge: Binary;
  readonly nearest: Unary;
  readonly ceil: Unary;
  readonly floor: Unary;
  readonly trunc: Unary;
  readonly sqrt: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  readonly fromI32: Unary;
  readonly fromI64: Unary;
  readonly toI32: Unary;
  readonly toI64: Unary;
}

function float(
  type: Type,
  compare: number,
  arithmetic: number,
  from32: number,
  from64: number,
  saturate: number,
): Float {
  const c = (n: number) => binary(compare + n, I32);
  const u = (n: number) => unary(arithmetic + n, type);
  const b = (n: number) => binary(arithmetic + n, type);
  const saturating =
    (code: number, result: Type): Unary =>
    (a) => ({ type: result, parts: [a, 0xfc, code] });
  return {
    type,
    eq: c(0),
    ne: c(1),
    lt: c(2),
    gt: c(3),
    le: c(4),
    ge: c(5),
    ceil: u(2),
    floor: u(3),
    trunc: u(4),
    nearest: u(5),
    sqrt: u(6),
    add: b(7),
    sub: b(8),
    mul: b(9),
    div: b(10),
    fromI32: unary(from32, type),
    fromI64: unary(from64, type),
    toI32: saturating(saturate, I32),
    toI64: saturating(saturate + 4, I64),
  };
}

export const f32 = {
  ...float(F32, 0x5b, 0x8b, 0xb2, 0xb4, 0),
  demote: unary(0xb6, F32),
  reinterpret: unary(0xbe, F32),
};
export const f64 = {
  ...float(F64, 0x61, 0x99, 0xb7, 0xb9, 2),
  promote: unary(0xbb, F64),
  reinterpret: unary(0xbf, F64),
};

/** Any SIMD operation by its number in the specification: operands, then lane immediates. */
export function simd(code: number, type: Type, operands: readonly Value[], ...immediates: number[]): Value {
  const bytes = [0xfd];
  unsigned(bytes, code);
  return { type, parts: [...operands, ...bytes, ...immediates] };
}

export const v128 = {
  load: (address: Value, offset = 0): Value => {
    const immediate: number[] = [0];
    unsigned(immediate, offset);
    return simd(0, Type.v128, [address], ...immediate);
  },
};

/** Calls function `index`. */
export function call(index: number, type: Type, ...operands: Value[]): Value {
  const bytes = [0x10];
  unsigned(bytes, index);
  return { type, parts: [...operands, ...bytes] };
}
