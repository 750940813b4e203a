/**
 * Names of inlined functions: they are ids in the IPI stream (4), and classes they belong to are types in the TPI stream (2).
 * Source: LLVM, "The TPI & IPI Streams", https://llvm.org/docs/PDB/TpiStream.html, and "CodeView Type Records".
 */
import type { Bytes } from './bytes.ts';

const Leaf = {
  LF_CLASS: 0x1504,
  LF_STRUCTURE: 0x1505,
  LF_UNION: 0x1506,
  LF_ENUM: 0x1507,
  LF_INTERFACE: 0x1519,
  LF_FUNC_ID: 0x1601,
  LF_MFUNC_ID: 0x1602,
  LF_STRING_ID: 0x1605,
} as const;

const HEADER = 56;
const NO_STREAM = 0xffff;
/** Bytes between two entries of the index of offsets: 8 KiB in what linkers write. */
const MAX_STRIDE = 1 << 20;

/** Records of one of the two streams by their number. */
export class TypeRecords {
  readonly #records: Bytes;
  readonly #first: number;
  readonly #end: number;
  /** Pairs of a record's number and its offset, for every few records. */
  readonly #index: Bytes | undefined;

  /** @param hashes gives the stream of hash data by its number */
  constructor(stream: Bytes, hashes: (stream: number) => Bytes | undefined) {
    const header = stream.u32(4);
    this.#first = stream.u32(8);
    this.#end = stream.u32(12);
    this.#records = stream.part(header, stream.u32(16));
    const hashStream = header >= HEADER ? stream.u16(20) : NO_STREAM;
    const hash = hashStream === NO_STREAM ? undefined : hashes(hashStream);
    const size = hash === undefined ? 0 : stream.u32(44);
    this.#index = hash?.part(stream.u32(40), size - (size % 8));
  }

  /** The record's leaf and data, or undefined where there is none. */
  at(number: number): { readonly leaf: number; readonly data: Bytes } | undefined {
    if (number < this.#first || number >= this.#end) return undefined;
    let { current, at } = this.#near(number);
    for (const start = at; at + 4 <= this.#records.size; current++) {
      const length = this.#records.u16(at);
      if (length < 2) throw this.#records.error('have a record without a kind');
      if (current === number) {
        return { leaf: this.#records.u16(at + 2), data: this.#records.part(at + 4, length - 2) };
      }
      at += 2 + length;
      if (this.#index !== undefined && at - start > MAX_STRIDE) throw this.#records.error('have a damaged index');
    }
    return undefined;
  }

  /** The nearest record before that the index knows. */
  #near(number: number): { current: number; at: number } {
    let low = 0;
    let high = (this.#index?.size ?? 0) / 8;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#index!.u32(middle * 8) > number) high = middle;
      else low = middle + 1;
    }
    if (low === 0) return { current: this.#first, at: 0 };
    return { current: this.#index!.u32((low - 1) * 8), at: this.#index!.u32((low - 1) * 8 + 4) };
  }
}

/** The function with this id: `Clear`, `Ring::Clear`, `net::Clear`. */
export function functionName(ids: TypeRecords, types: TypeRecords | undefined, id: number): string | undefined {
  const record = ids.at(id);
  if (record === undefined) return undefined;
  const { leaf, data } = record;
  const name = () => data.text(8);
  const qualified = (scope: string | undefined) => (scope === undefined ? name() : `${scope}::${name()}`);
  if (leaf === Leaf.LF_FUNC_ID) return qualified(stringOf(ids, data.u32(0)));
  if (leaf === Leaf.LF_MFUNC_ID) return qualified(types === undefined ? undefined : className(types, data.u32(0)));
  return undefined;
}

function stringOf(ids: TypeRecords, id: number): string | undefined {
  const record = id === 0 ? undefined : ids.at(id);
  return record?.leaf === Leaf.LF_STRING_ID ? record.data.text(4) : undefined;
}

function className(types: TypeRecords, number: number): string | undefined {
  const record = types.at(number);
  if (record === undefined) return undefined;
  const { leaf, data } = record;
  switch (leaf) {
    case Leaf.LF_CLASS:
    case Leaf.LF_STRUCTURE:
    case Leaf.LF_INTERFACE:
      return data.text(16 + numericSize(data, 16));
    case Leaf.LF_UNION:
      return data.text(8 + numericSize(data, 8));
    case Leaf.LF_ENUM:
      return data.text(12);
    default:
      return undefined;
  }
}

/** Bytes of a number that may be written in several widths: small ones stand for themselves, others begin with their kind. */
function numericSize(data: Bytes, at: number): number {
  const first = data.u16(at);
  if (first < 0x8000) return 2;
  const widths: Readonly<Record<number, number>> = {
    32768: 1,
    32769: 2,
    32770: 2,
    32771: 4,
    32772: 4,
    32777: 8,
    32778: 8,
  };
  const width = widths[first];
  if (width === undefined) throw data.error('have a number of unknown width');
  return 2 + width;
}
