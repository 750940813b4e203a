/** Turns register and stack bits into what a record's body sees, and into what the trace shows. */
import type { Value } from '../trace/events.ts';
import { type Address, at, fromBits, hex, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { type CType, pointer, type Struct } from './layout.ts';
import type { Out, Param, Params, ReturnKind, Returns } from './record.ts';

/** The arguments of a call by position, from 0, before anybody knows what they mean. */
export interface RawArguments {
  /** All 64 bits. */
  bits(index: number): bigint;
  /** The 64 bits as a signed number: an address. */
  signed(index: number): number;
  /** The lower 32 bits, unsigned. */
  low(index: number): number;
}

/** Arguments given by TypeScript. What is not given is 0. */
export class GivenArguments implements RawArguments {
  private readonly values: readonly bigint[];
  constructor(values: readonly bigint[]) {
    this.values = values;
  }
  bits(index: number): bigint {
    return this.values[index] ?? 0n;
  }
  signed(index: number): number {
    return fromBits(this.bits(index));
  }
  low(index: number): number {
    return Number(BigInt.asUintN(32, this.bits(index)));
  }
}

class Cell implements Out<unknown> {
  readonly address: Address;
  private readonly memory: GuestMemory;
  private readonly type: CType<unknown, unknown>;
  constructor(memory: GuestMemory, type: CType<unknown, unknown>, address: Address) {
    this.memory = memory;
    this.type = type;
    this.address = address;
  }
  get present(): boolean {
    return this.address !== NULL;
  }
  get(): unknown {
    return this.type.read(this.memory, this.address);
  }
  set(value: unknown): void {
    this.type.write(this.memory, this.address, value);
  }
}

/** A terminated string of 8- or 16-bit characters; refuses to run away. */
export function readString(memory: GuestMemory, address: Address, bits: 8 | 16, limit = 0x8000): string {
  let text = '';
  for (let i = 0; i < limit; i++) {
    const unit = bits === 8 ? memory.readU8(at(address, i)) : memory.readU16(at(address, 2 * i));
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}

function decodeOne(memory: GuestMemory, param: Param, position: number, raw: RawArguments): unknown {
  switch (param.as) {
    case 'integer':
      return integer(param.bits as number, param.signed === true, position, raw);
    case 'bigint':
      return raw.bits(position);
    case 'boolean':
      return (raw.low(position) & 0xff) !== 0;
    case 'pointer':
    case 'code':
      return raw.signed(position);
    case 'string': {
      const address = raw.signed(position) as Address;
      return address === NULL ? '' : readString(memory, address, param.bits as 8 | 16);
    }
    case 'out':
      return new Cell(memory, param.type as CType<unknown, unknown>, raw.signed(position) as Address);
    case 'struct': {
      const address = raw.signed(position) as Address;
      return address === NULL && param.optional ? undefined : (param.type as CType<unknown>).read(memory, address);
    }
    case 'varargs':
      return (index: number) => raw.bits(position + index);
  }
}

function integer(bits: number, signed: boolean, position: number, raw: RawArguments): number {
  switch (bits) {
    case 32:
      return signed ? raw.low(position) | 0 : raw.low(position);
    case 64:
      return signed ? raw.signed(position) : Number(raw.bits(position));
    default: {
      const rest = 32 - bits;
      return signed ? (raw.low(position) << rest) >> rest : (raw.low(position) << rest) >>> rest;
    }
  }
}

/** The arguments by name, as a record's body or a TypeScript routine gets them. */
export function decodeArguments(memory: GuestMemory, params: Params, raw: RawArguments): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  let position = 0;
  for (const name in params) args[name] = decodeOne(memory, params[name] as Param, position++, raw);
  return args;
}

/** The same as the trace shows them. */
export function printableArguments(
  memory: GuestMemory,
  params: Params,
  args: Readonly<Record<string, unknown>>,
): Record<string, Value> {
  const shown: Record<string, Value> = {};
  for (const name in args) shown[name] = printable(memory, args[name], params[name]);
  return shown;
}

const DEPTH = 3;

/** A small printable copy of a value: pointers in hex, structures field by field up to the size their header names. */
export function printable(
  memory: GuestMemory,
  value: unknown,
  type: Param | CType<unknown> | undefined,
  depth = 0,
): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === 'bigint') return hex(value);
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    const isPointer =
      type === pointer || (type !== undefined && 'as' in type && (type.as === 'pointer' || type.as === 'code'));
    return isPointer ? hex(value) : value;
  }
  if (typeof value === 'function') return null;
  if (value instanceof Cell) return hex(value.address);
  if (value instanceof Uint8Array) return [...value.subarray(0, 32)];
  if (Array.isArray(value)) return value.map((element) => printable(memory, element, undefined, depth + 1));
  const shape = type !== undefined && 'as' in type ? type.type : type;
  const fields = (shape as Struct | undefined)?.fields;
  if (fields === undefined || depth >= DEPTH) return hex((value as { address: Address }).address ?? 0);
  return printableStruct(memory, value as Record<string, unknown>, shape as Struct, depth);
}

function printableStruct(memory: GuestMemory, value: Record<string, unknown>, type: Struct, depth: number): Value {
  const shown: Record<string, Value> = {};
  const header = value.Header as { Size?: number } | undefined;
  const limit = typeof header?.Size === 'number' ? header.Size : type.size;
  for (const field in type.fields) {
    const fieldType = type.fields[field] as CType<unknown>;
    if (type.offset(field) + fieldType.size > Math.max(limit, 4)) break;
    shown[field] = printable(memory, value[field], fieldType, depth + 1);
  }
  return shown;
}

/** The register bits of a result. */
export function encodeResult<K extends ReturnKind>(kind: K, result: Returns[K]): bigint {
  switch (kind) {
    case 'void':
      return 0n;
    case 'bool':
      return result ? 1n : 0n;
    case 'u64':
      return result as bigint;
    case 'i32':
    case 'status':
      return BigInt.asUintN(32, BigInt(result as number));
    default:
      return BigInt.asUintN(64, BigInt(result as number));
  }
}

/** What the bits of RAX mean as a result of that kind. */
export function decodeResult<K extends ReturnKind>(kind: K, bits: bigint): Returns[K] {
  const value = (): unknown => {
    switch (kind) {
      case 'void':
        return undefined;
      case 'bool':
        return (bits & 0xffn) !== 0n;
      case 'u64':
        return bits;
      case 'pointer':
        return fromBits(bits);
      case 'u8':
        return Number(bits & 0xffn);
      case 'u16':
        return Number(bits & 0xffffn);
      case 'i32':
        return Number(BigInt.asIntN(32, bits));
      default:
        return Number(BigInt.asUintN(32, bits));
    }
  };
  return value() as Returns[K];
}

/** A result as the trace shows it. */
export function printableResult(kind: ReturnKind, result: unknown): Value {
  if (kind === 'void' || result === undefined) return null;
  if (kind === 'pointer') return hex(result as number);
  if (kind === 'status') return hex(BigInt.asUintN(32, BigInt(result as number)));
  return typeof result === 'bigint' ? hex(result) : (result as Value);
}
