/** The committed PDB of the clean C sample, what is refused, and the parts that its compiler does not write. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Bytes } from './bytes.ts';
import { PdbError } from './errors.ts';
import { functionName, TypeRecords } from './ids.ts';
import { siteLine } from './inlinees.ts';
import { readPdb, requireMatch } from './pdb.ts';
import { Sections } from './sections.ts';
import { readPair, samples } from './testing.ts';

const nic = readPair(join(samples, 'nic/nic.sys'));
const codeView = nic.image.debug.codeView!;

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

describe('a PDB', () => {
  it("is told by its GUID and age, which the driver's debug record repeats", () => {
    expect({ guid: nic.pdb.guid, age: nic.pdb.age, path: 'nic.pdb' }).toEqual(codeView);
    requireMatch(nic.pdb, codeView);
    expect(() => requireMatch(nic.pdb, { ...codeView, age: 7 })).toThrow(
      /^this PDB belongs to another build: .* age 1, .* age 7\.$/,
    );
    expect(() => requireMatch(nic.pdb, { ...codeView, guid: 'X' })).toThrow(PdbError);
  });

  it('knows the function at every start of a function in the exception directory', () => {
    const unknown = nic.image.functions.filter(({ begin }) => nic.pdb.locate(begin)?.offset !== 0);
    expect(unknown).toEqual([]);
  });

  it('gives functions, files, lines, and what was inlined', () => {
    const byName = new Map([...nic.pdb.procedures()].map(({ rva, procedure }) => [procedure.name, rva]));
    const halt = byName.get('NicHalt') as number;
    expect(nic.pdb.locate(halt)).toMatchObject({ function: 'NicHalt', offset: 0, file: 'samples\\c\\nic\\halt.c' });
    expect(nic.pdb.locate(halt + 4)).toMatchObject({ function: 'NicHalt', offset: 4 });
    const inlined = [...nic.pdb.lines()]
      .map(({ rva }) => nic.pdb.locate(rva))
      .find((place) => place?.inlined.length === 2);
    expect(inlined?.inlined.every(({ file, line }) => file !== undefined && line !== undefined)).toBe(true);
    expect(nic.pdb.locate(0)).toBeUndefined();
    expect(nic.pdb.locate(0x8000)).toBeUndefined();
    expect(nic.pdb.notes).toEqual([]);
  });

  it.each([
    ['an empty file', '', /^this is not a PDB/],
    ['a driver', 'MZ', /^this is not a PDB/],
    ['format 2.00', 'Microsoft C/C++ program database 2.00\r\n\u001aJG\0\0', /^this is a PDB of format 2\.00/],
    ['a portable PDB', 'BSJB\u0001\0\u0001\0', /belongs to \.NET/],
  ])('%s is refused', (_, text, why) => {
    expect(() => readPdb(new TextEncoder().encode(text))).toThrow(why);
  });
});

describe('inlined functions', () => {
  it('have code in pieces: with lengths, without, and in other files', () => {
    // As MSVC writes it: steps that end with the next step, and pieces with lengths of their own.
    const annotations = Uint8Array.of(
      ...[0x0c, 0x06, 0x06], // 6 bytes at 6
      ...[0x0b, 0x2a], // 10 further, a line further
      ...[0x06, 0x02, 0x03, 0x16], // a line further, 0x16 further
      ...[0x0c, 0x11, 0x06], // 0x11 bytes, 6 further
      ...[0x03, 0x16, 0x06, 0x03, 0x05, 0x18], // a step; then a line back, in the file at 0x18
      ...[0x03, 0x07, 0x04, 0x0a], // 7 further, 10 bytes
      ...[0x00, 0x00],
    );
    const site = { inlinee: 0x1000, annotations: new Bytes(annotations, 'annotations'), parent: undefined };
    const at = (offset: number) => {
      const found = siteLine(site, offset, { file: 0, line: 100 });
      return found === undefined ? undefined : `${found.file}:${found.line}`;
    };
    const pieces = [5, 6, 11, 12, 16, 37, 38, 43, 44, 60, 61, 65, 66, 72, 73, 82, 83].map((offset) => [
      offset,
      at(offset),
    ]);
    expect(pieces).toEqual([
      [5, undefined],
      [6, '0:100'],
      [11, '0:100'],
      [12, undefined],
      [16, '0:101'],
      [37, '0:101'],
      [38, '0:102'],
      [43, '0:102'],
      [44, '0:102'],
      [60, '0:102'],
      [61, undefined],
      [65, undefined],
      [66, '0:102'],
      [72, '0:102'],
      [73, '24:101'],
      [82, '24:101'],
      [83, undefined],
    ]);
  });

  it('are named with their class or namespace', () => {
    const text = (name: string) => [...new TextEncoder().encode(name), 0];
    const record = (leaf: number, ...data: number[]) => {
      const padded = [...data, ...new Array<number>((4 - (data.length % 4)) % 4).fill(0xf0)];
      return [(padded.length + 2) & 0xff, (padded.length + 2) >> 8, leaf & 0xff, leaf >> 8, ...padded];
    };
    const u32 = (value: number) => [...words(value)];
    const stream = (records: number[][]) => {
      const body = records.flat();
      const header = words(
        20040203,
        56,
        0x1000,
        0x1000 + records.length,
        body.length,
        0xffffffff,
        4,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
      );
      return new TypeRecords(new Bytes(Uint8Array.from([...header, ...body]), 'types'), () => undefined);
    };
    const types = stream([record(0x1504, 0, 0, 0, 0, ...u32(0), ...u32(0), ...u32(0), 8, 0, ...text('CRing'))]);
    const ids = stream([
      record(0x1605, ...u32(0), ...text('net')),
      record(0x1601, ...u32(0), ...u32(0), ...text('Plain')),
      record(0x1601, ...u32(0x1000), ...u32(0), ...text('Scoped')),
      record(0x1602, ...u32(0x1000), ...u32(0), ...text('Clear')),
    ]);
    const names = [0xfff, 0x1000, 0x1001, 0x1002, 0x1003, 0x1004].map((id) => functionName(ids, types, id));
    expect(names).toEqual([undefined, undefined, 'Plain', 'net::Scoped', 'CRing::Clear', undefined]);
  });
});

describe('a rearranged image', () => {
  it('is looked up where the linker had put its code', () => {
    const header = words(0, 0, 0x800, 0x1000, 0, 0, 0, 0, 0, 0);
    // 0x5000 came from 0x1100, 0x5010 was added, 0x5020 came from 0x1000.
    const omap = words(0x5000, 0x1100, 0x5010, 0, 0x5020, 0x1000);
    const sections = new Sections(new Bytes(header, 'sections'), new Bytes(omap, 'map'));
    const places = [0x4fff, 0x5004, 0x5010, 0x5024, 0x5820].map((rva) => sections.placeOf(rva)?.offset);
    expect(places).toEqual([undefined, 0x104, undefined, 4, undefined]);
  });
});
