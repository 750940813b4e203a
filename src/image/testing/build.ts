/**
 * For tests: builds PE images byte by byte, sound ones and (through `patch`) unsound ones. It knows nothing of the reader.
 */
import { Directory } from '../image.ts';

export interface SectionSpec {
  readonly name: string;
  readonly rva: number;
  readonly data: Uint8Array;
  /** Defaults to the length of the data. */
  readonly virtualSize?: number;
  readonly characteristics?: number;
}

export interface ImageSpec {
  readonly machine?: number;
  readonly magic?: number;
  readonly subsystem?: number;
  readonly characteristics?: number;
  readonly imageBase?: bigint;
  readonly entryPoint?: number;
  readonly sizeOfImage?: number;
  readonly sections?: readonly SectionSpec[];
  readonly directories?: Partial<Record<keyof typeof Directory, readonly [rva: number, size: number]>>;
}

export const CODE = 0x68000020;
export const DATA = 0xc8000040;
export const READ_ONLY = 0x48000040;
/** Where the PE signature and the parts behind it stand in a built file. */
export const PE = 0x80;
export const OPTIONAL = PE + 24;
export const SECTION_TABLE = OPTIONAL + 240;
export const IMAGE_BASE = 0x140000000n;

const FILE_ALIGNMENT = 0x200;
const HEADERS = 0x400;
const nothing: SectionSpec = { name: '.text', rva: 0x1000, data: Uint8Array.of(0xc3), characteristics: CODE };

/** A driver image; without arguments the smallest one: a `.text` with `ret` as DriverEntry. */
export function buildImage(spec: ImageSpec = {}): Uint8Array {
  const sections = spec.sections ?? [nothing];
  const last = sections.at(-1)!;
  let fileEnd = HEADERS;
  const offsets = sections.map(({ data }) => {
    const offset = fileEnd;
    fileEnd += align(data.length, FILE_ALIGNMENT);
    return offset;
  });
  const file = new Uint8Array(fileEnd);
  const view = new DataView(file.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setUint32(0x3c, PE, true);
  view.setUint32(PE, 0x4550, true);
  view.setUint16(PE + 4, spec.machine ?? 0x8664, true);
  view.setUint16(PE + 6, sections.length, true);
  view.setUint32(PE + 8, 0x61626364, true);
  view.setUint16(PE + 20, 240, true);
  view.setUint16(PE + 22, spec.characteristics ?? 0x22, true);
  view.setUint16(OPTIONAL, spec.magic ?? 0x20b, true);
  view.setUint32(OPTIONAL + 16, spec.entryPoint ?? 0x1000, true);
  view.setBigUint64(OPTIONAL + 24, spec.imageBase ?? IMAGE_BASE, true);
  view.setUint32(OPTIONAL + 32, 0x1000, true);
  view.setUint32(OPTIONAL + 36, FILE_ALIGNMENT, true);
  view.setUint32(
    OPTIONAL + 56,
    spec.sizeOfImage ?? align(last.rva + (last.virtualSize ?? last.data.length), 0x1000),
    true,
  );
  view.setUint32(OPTIONAL + 60, HEADERS, true);
  view.setUint16(OPTIONAL + 68, spec.subsystem ?? 1, true);
  view.setUint32(OPTIONAL + 108, 16, true);
  for (const [name, [rva, size]] of Object.entries(spec.directories ?? {})) {
    const entry = OPTIONAL + 112 + Directory[name as keyof typeof Directory] * 8;
    view.setUint32(entry, rva, true);
    view.setUint32(entry + 4, size, true);
  }
  sections.forEach((section, index) => {
    const header = SECTION_TABLE + index * 40;
    file.set(new TextEncoder().encode(section.name).subarray(0, 8), header);
    view.setUint32(header + 8, section.virtualSize ?? section.data.length, true);
    view.setUint32(header + 12, section.rva, true);
    view.setUint32(header + 16, align(section.data.length, FILE_ALIGNMENT), true);
    view.setUint32(header + 20, section.data.length === 0 ? 0 : offsets[index]!, true);
    view.setUint32(header + 36, section.characteristics ?? DATA, true);
    file.set(section.data, offsets[index]!);
  });
  return file;
}

/** A copy of `file` with `size` bytes at `offset` replaced by `value`. */
export function patch(file: Uint8Array, offset: number, value: number, size: 1 | 2 | 4 = 4): Uint8Array {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  if (size === 1) view.setUint8(offset, value);
  else if (size === 2) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
  return copy;
}

/** Parts in a row: numbers are 32-bit, bigints 64-bit, strings ASCII with a NUL, arrays bytes as they are. */
export function pack(...parts: readonly (number | bigint | string | readonly number[])[]): Uint8Array {
  const bytes: number[] = [];
  for (const part of parts) {
    if (typeof part === 'string') bytes.push(...new TextEncoder().encode(part), 0);
    else if (typeof part === 'number') for (let shift = 0; shift < 32; shift += 8) bytes.push((part >>> shift) & 255);
    else if (typeof part === 'bigint')
      for (let shift = 0n; shift < 64n; shift += 8n) bytes.push(Number((part >> shift) & 255n));
    else bytes.push(...part);
  }
  return Uint8Array.from(bytes);
}

/** Places blobs at offsets of one buffer of `size` bytes. */
export function place(size: number, blobs: Readonly<Record<number, Uint8Array>>): Uint8Array {
  const buffer = new Uint8Array(size);
  for (const [offset, blob] of Object.entries(blobs)) buffer.set(blob, Number(offset));
  return buffer;
}

/** Two bytes of each number, little-endian. */
export function words(...values: readonly number[]): number[] {
  return values.flatMap((value) => [value & 255, (value >> 8) & 255]);
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
