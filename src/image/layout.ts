/**
 * Bounded reading of an image by RVA. A `Layout` knows which bytes of the file stand behind which RVAs; a `Reader` is a layout
 * plus the name of the table being read, so that a bad pointer is refused with a sentence that says whose pointer it was.
 */
import { ImageError, type ImageErrorCode, rvaText } from './errors.ts';

/** One run of RVAs backed by the file: the headers, or a section. */
export interface Span {
  readonly rva: number;
  /** Bytes in memory. */
  readonly size: number;
  readonly fileOffset: number;
  /** Bytes that come from the file; the rest of `size` is zero. */
  readonly fileSize: number;
}

export class Layout {
  readonly file: Uint8Array;
  /** Ascending by RVA and disjoint (checked by the header reader). */
  readonly spans: readonly Span[];

  constructor(file: Uint8Array, spans: readonly Span[]) {
    this.file = file;
    this.spans = spans;
  }

  /** The run that holds `rva`, if any. */
  find(rva: number): Span | undefined {
    let low = 0;
    let high = this.spans.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const span = this.spans[middle]!;
      if (rva < span.rva) high = middle - 1;
      else if (rva >= span.rva + span.size) low = middle + 1;
      else return span;
    }
    return undefined;
  }

  /** Reads on behalf of one table: `what` begins the sentence of a refusal ("the import table"). */
  reader(code: ImageErrorCode, what: string): Reader {
    return new Reader(this, code, what);
  }
}

/** Little-endian reads at RVAs, each checked. Data beyond the file's part of a section reads as zero, as in memory. */
export class Reader {
  readonly layout: Layout;
  readonly #view: DataView;
  readonly #code: ImageErrorCode;
  readonly #what: string;

  constructor(layout: Layout, code: ImageErrorCode, what: string) {
    this.layout = layout;
    const { file } = layout;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    this.#code = code;
    this.#what = what;
  }

  /** The refusal this reader gives: `what` + `problem`. */
  error(problem: string): ImageError {
    return new ImageError(this.#code, `${this.#what} ${problem}.`);
  }

  u8(rva: number): number {
    const offset = this.#fileOffset(rva, 1);
    return offset < 0 ? 0 : this.#view.getUint8(offset);
  }

  u16(rva: number): number {
    const offset = this.#fileOffset(rva, 2);
    return offset < 0 ? this.#padded(rva, 2).getUint16(0, true) : this.#view.getUint16(offset, true);
  }

  u32(rva: number): number {
    const offset = this.#fileOffset(rva, 4);
    return offset < 0 ? this.#padded(rva, 4).getUint32(0, true) : this.#view.getUint32(offset, true);
  }

  u64(rva: number): bigint {
    const offset = this.#fileOffset(rva, 8);
    return offset < 0 ? this.#padded(rva, 8).getBigUint64(0, true) : this.#view.getBigUint64(offset, true);
  }

  /** `size` bytes: a view of the file where possible, a zero-padded copy where the section is longer than its file part. */
  slice(rva: number, size: number): Uint8Array {
    const offset = this.#fileOffset(rva, size);
    if (offset >= 0) return this.layout.file.subarray(offset, offset + size);
    const padded = this.#padded(rva, size);
    return new Uint8Array(padded.buffer);
  }

  /** Refuses unless `size` bytes from `rva` lie inside one section (or the headers). */
  check(rva: number, size: number): void {
    this.#fileOffset(rva, size);
  }

  /** A NUL-terminated name of printable ASCII: names end up in messages and terminals, so nothing else is let through. */
  name(rva: number, limit: number): string {
    let text = '';
    for (let index = 0; index <= limit; index++) {
      const byte = this.u8(rva + index);
      if (byte === 0) return text;
      if (byte < 0x20 || byte > 0x7e) throw this.error(`has a name at RVA ${rvaText(rva)} that is not printable ASCII`);
      text += String.fromCharCode(byte);
    }
    throw this.error(`has a name at RVA ${rvaText(rva)} that is longer than ${limit} characters`);
  }

  /** Where in the file; -1 if (partly) in a section's zero tail; refused if not inside one section. */
  #fileOffset(rva: number, size: number): number {
    const span = this.layout.find(rva);
    const start = span ? rva - span.rva : 0;
    if (!span || start + size > span.size) {
      throw this.error(`points outside the image (${size} bytes at RVA ${rvaText(rva)})`);
    }
    return start + size <= span.fileSize ? span.fileOffset + start : -1;
  }

  #padded(rva: number, size: number): DataView {
    const span = this.layout.find(rva)!;
    const start = rva - span.rva;
    const copy = new Uint8Array(size);
    if (start < span.fileSize) {
      copy.set(this.layout.file.subarray(span.fileOffset + start, span.fileOffset + span.fileSize));
    }
    return new DataView(copy.buffer);
  }
}

/** Free text that is shown but not compared (a PDB path, a version string): control characters become `?`. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?');
}
