/** Bounded little-endian reads from a part of a PDB: a stream, or a table in one. */
import { printable } from '../layout.ts';
import { PdbError } from './errors.ts';

/** Longest name or path that is read whole; decorated C++ names reach 4096. */
const MAX_TEXT = 8192;

export class Bytes {
  readonly size: number;
  /** Whose bytes these are: begins the sentence of a refusal ("the list of modules"). */
  readonly what: string;
  readonly #data: Uint8Array;
  readonly #view: DataView;

  constructor(data: Uint8Array, what: string) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.size = data.length;
    this.what = what;
  }

  u8(at: number): number {
    this.check(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.check(at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    this.check(at, 4);
    return this.#view.getUint32(at, true);
  }

  i32(at: number): number {
    this.check(at, 4);
    return this.#view.getInt32(at, true);
  }

  /** `size` bytes as their own table. */
  part(at: number, size: number, what = this.what): Bytes {
    this.check(at, size);
    return new Bytes(this.#data.subarray(at, at + size), what);
  }

  raw(at: number, size: number): Uint8Array {
    this.check(at, size);
    return this.#data.subarray(at, at + size);
  }

  /** Where the NUL-terminated text at `at` ends. */
  textEnd(at: number): number {
    this.check(at, 1);
    const end = this.#data.indexOf(0, at);
    if (end < 0 || end - at > MAX_TEXT) throw this.error('has a name that does not end');
    return end;
  }

  /** NUL-terminated UTF-8; control characters become `?`, because names end up in terminals. */
  text(at: number): string {
    const end = this.textEnd(at);
    return printable(new TextDecoder().decode(this.#data.subarray(at, end)));
  }

  /** Refuses unless `size` bytes from `at` are here. */
  check(at: number, size: number): void {
    if (at < 0 || size < 0 || at + size > this.size) throw this.error('points outside itself');
  }

  /** A refusal: `what` + `problem`. */
  error(problem: string): PdbError {
    return new PdbError('damaged', `${this.what} of the PDB ${problem}.`);
  }
}

/** `value` rounded up to a multiple of four, as most of a PDB's tables are. */
export const align4 = (value: number): number => value + (-value & 3);
