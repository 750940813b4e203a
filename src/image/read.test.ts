import { describe, expect, it } from 'vitest';
import { ImageError } from './errors.ts';
import type { Image } from './image.ts';
import { readImage } from './read.ts';
import { findResource, RT_RCDATA, resourceBytes, versionStrings } from './resources.ts';
import {
  buildImage,
  CODE,
  IMAGE_BASE,
  OPTIONAL,
  PE,
  pack,
  patch,
  place,
  READ_ONLY,
  SECTION_TABLE,
  words,
} from './testing/build.ts';

/** `code: message` of the refusal. */
function refusal(bytes: Uint8Array): string {
  try {
    readImage(bytes);
  } catch (error) {
    if (error instanceof ImageError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const code = { name: '.text', rva: 0x1000, data: Uint8Array.of(0xc3), characteristics: CODE };

/** An image with one section of tables at RVA 0x2000. */
function withTables(
  data: Uint8Array,
  directories: NonNullable<Parameters<typeof buildImage>[0]>['directories'],
): Image {
  return readImage(tables(data, directories));
}
function tables(
  data: Uint8Array,
  directories: NonNullable<Parameters<typeof buildImage>[0]>['directories'],
): Uint8Array {
  const rdata = { name: '.rdata', rva: 0x2000, data, characteristics: READ_ONLY };
  return buildImage({ sections: [code, rdata], ...(directories ? { directories } : {}) });
}

describe('what is refused', () => {
  const sound = buildImage();
  const cases: readonly [string, Uint8Array, string][] = [
    ['an empty file', new Uint8Array(), 'not-pe: the file is empty.'],
    [
      'text',
      new TextEncoder().encode('hello, world'),
      'not-pe: this is not a Windows executable (it does not begin with "MZ").',
    ],
    [
      'a DOS program',
      patch(sound, PE, 0),
      'not-pe: this is an MS-DOS or 16-bit Windows executable (it has no "PE" header).',
    ],
    ['half a DOS header', sound.subarray(0, 40), 'truncated: the file ends inside its DOS header.'],
    ['no PE header', patch(sound, 0x3c, 0xffffff00), 'truncated: the file ends before its PE header.'],
    [
      'x86',
      buildImage({ machine: 0x14c, magic: 0x10b }),
      'not-64-bit: this is a 32-bit (x86) image; haltex runs x64 drivers only.',
    ],
    ['ARM64', buildImage({ machine: 0xaa64 }), 'wrong-machine: this is an ARM64 image; haltex runs x64 drivers only.'],
    ['ARM', buildImage({ machine: 0x1c4 }), 'wrong-machine: this is a 32-bit ARM image; haltex runs x64 drivers only.'],
    [
      'another machine',
      buildImage({ machine: 0x1234 }),
      'wrong-machine: this is an image for the unknown machine type 0x1234; haltex runs x64 drivers only.',
    ],
    [
      'PE32 for x64',
      buildImage({ magic: 0x10b }),
      'not-64-bit: this is a 32-bit (PE32) image; haltex runs x64 (PE32+) drivers only.',
    ],
    [
      '.NET',
      buildImage({ subsystem: 3, directories: { CLR_RUNTIME: [0x1000, 72] } }),
      'managed: this is a .NET assembly, not a driver; haltex runs native x64 drivers only.',
    ],
    [
      'a console program',
      buildImage({ subsystem: 3 }),
      'not-a-driver: this is a user-mode console program, not a Windows driver (its subsystem is not "native").',
    ],
    [
      'a DLL',
      buildImage({ subsystem: 2, characteristics: 0x2022 }),
      'not-a-driver: this is a user-mode DLL, not a Windows driver (its subsystem is not "native").',
    ],
    [
      'an EFI driver',
      buildImage({ subsystem: 11 }),
      'not-a-driver: this is an EFI boot driver, not a Windows driver (its subsystem is not "native").',
    ],
    [
      'no entry point',
      buildImage({ entryPoint: 0 }),
      'not-a-driver: this image has no entry point, so there is no DriverEntry to call.',
    ],
    [
      'an entry point in the headers',
      buildImage({ entryPoint: 0x200 }),
      'bad-header: the entry point, RVA 0x200, is not inside executable code.',
    ],
    [
      '4 GiB',
      buildImage({ sizeOfImage: 0xfffff000 }),
      'too-large: the image takes 4096 MiB in memory; haltex accepts drivers up to 32 MiB.',
    ],
    [
      'link errors',
      buildImage({ characteristics: 0x20 }),
      'bad-header: the linker marked this image as not runnable because of link errors.',
    ],
    ['no sections', patch(sound, PE + 6, 0, 2), 'bad-section: the image has 0 sections; Windows accepts 1 to 96.'],
    [
      'a crooked base',
      buildImage({ imageBase: 0x140001000n }),
      'bad-header: the preferred base 0x140001000 is not a multiple of 64 KiB.',
    ],
    [
      'a section in the headers',
      patch(sound, SECTION_TABLE + 12, 0),
      'bad-section: section .text at RVA 0x0 overlaps what precedes it.',
    ],
    [
      'a crooked section',
      patch(sound, SECTION_TABLE + 12, 0x1010),
      'bad-section: section .text begins at RVA 0x1010, which is not aligned.',
    ],
    [
      'a section that is too long',
      patch(sound, SECTION_TABLE + 8, 0x2000),
      'bad-section: section .text reaches beyond the end of the image.',
    ],
    [
      'a section beyond the file',
      patch(sound, SECTION_TABLE + 20, 0x600),
      'truncated: the file ends inside section .text.',
    ],
    [
      'odd alignment',
      patch(sound, OPTIONAL + 32, 0x1001),
      'bad-header: the section alignment 0x1001 and file alignment 0x200 do not fit together.',
    ],
    [
      'a native program',
      tables(place(0x200, { 0: pack(0, 0, 0, 0x2080, 0x20a0), 128: pack('ntdll.dll') }), { IMPORT: [0x2000, 40] }),
      'not-a-driver: this is a native user-mode program (it imports ntdll.dll), not a driver.',
    ],
    [
      'an import table outside',
      tables(new Uint8Array(16), { IMPORT: [0x9000, 40] }),
      'bad-import: the import table points outside the image (4 bytes at RVA 0x9000).',
    ],
    [
      'a name for the terminal',
      tables(place(0x200, { 0: pack(0, 0, 0, 0x2080, 0x20a0), 128: pack('\u001b[31m') }), { IMPORT: [0x2000, 40] }),
      'bad-import: the import table has a name at RVA 0x2080 that is not printable ASCII.',
    ],
    [
      'an ARM relocation',
      tables(pack(0x1000, 12, words(0x7000, 0)), { BASE_RELOCATION: [0x2000, 12] }),
      'bad-relocation: the relocation table has an entry of type THUMB_MOV32 / RISCV_LOW12I, which x64 images do not use.',
    ],
    [
      'a relocation outside',
      tables(pack(0x2000, 12, words(0xaffc, 0)), { BASE_RELOCATION: [0x2000, 12] }),
      'bad-relocation: the relocation table points outside the image (at RVA 0x2FFC).',
    ],
    [
      'a relocation block without end',
      tables(pack(0x2000, 0, 0), { BASE_RELOCATION: [0x2000, 12] }),
      'bad-relocation: the relocation table has a block of 0 bytes for RVA 0x2000.',
    ],
    [
      'a cookie elsewhere',
      tables(place(0x100, { 0: pack(0x94), 88: pack(0x1000n) }), { LOAD_CONFIG: [0x2000, 0x94] }),
      'bad-load-config: the load configuration places the security cookie outside the image, at 0x1000.',
    ],
    [
      'ARM64EC',
      tables(place(0x100, { 0: pack(0x100), 200: pack(1n) }), { LOAD_CONFIG: [0x2000, 0x100] }),
      'wrong-machine: this is a hybrid ARM64 (ARM64EC) image; haltex runs x64 drivers only.',
    ],
  ];
  it.each(cases)('%s', (_, bytes, expected) => {
    expect(refusal(bytes)).toBe(expected);
  });

  it('nothing sound', () => {
    expect(refusal(sound)).toBe('accepted');
    expect(readImage(buildImage({ subsystem: 2, entryPoint: 0 }), { accept: 'any' }).subsystem).toBe(2);
  });
});

describe('what is read', () => {
  it('imports by name and by ordinal, with and without a lookup table', () => {
    const data = place(0x200, {
      0: pack(0x2060, 0, 0, 0x20c0, 0x20a0, 0, 0, 0, 0x20d0, 0x2080),
      96: pack(0x20e0n, 0x8000_0000_0000_0007n, 0n),
      128: pack(0x20f0n, 0n),
      160: pack(0x20e0n, 0x8000_0000_0000_0007n, 0n),
      192: pack('NDIS.SYS'),
      208: pack('HAL.dll'),
      224: pack(words(5), 'NdisFoo'),
      240: pack(words(9), 'HalBar'),
    });
    expect(withTables(data, { IMPORT: [0x2000, 60] }).imports).toEqual([
      {
        name: 'NDIS.SYS',
        symbols: [
          { name: 'NdisFoo', iat: 0x20a0 },
          { ordinal: 7, iat: 0x20a8 },
        ],
      },
      { name: 'HAL.dll', symbols: [{ name: 'HalBar', iat: 0x2080 }] },
    ]);
  });

  it('exports by name, by ordinal and forwarded', () => {
    const data = place(0x200, {
      0: pack(0, 0, 0, 0x2080, 10, 4, 2, 0x2040, 0x2060, 0x2070),
      64: pack(0x1000, 0, 0x20a0, 0x1004),
      96: pack(0x2090, 0x2098),
      112: pack(words(0, 2)),
      128: pack('lower.sys'),
      144: pack('First', [0, 0], 'Other'),
      160: pack('NDIS.NdisFoo'),
    });
    expect(withTables(data, { EXPORT: [0x2000, 0x100] }).exports).toEqual({
      dll: 'lower.sys',
      symbols: [
        { ordinal: 10, name: 'First', rva: 0x1000 },
        { ordinal: 12, name: 'Other', forwarder: 'NDIS.NdisFoo' },
        { ordinal: 13, rva: 0x1004 },
      ],
    });
  });

  it('the load configuration, as much of it as there is', () => {
    const variable = (offset: number) => pack(IMAGE_BASE + 0x2000n + BigInt(offset));
    const data = place(0x200, {
      0: pack(0x94),
      88: variable(0x180),
      112: variable(0x188),
      120: variable(0x190),
      144: pack(0x500),
      280: variable(0x198),
    });
    expect(withTables(data, { LOAD_CONFIG: [0x2000, 0x94] }).loadConfig).toEqual({
      securityCookie: 0x2180,
      guardCheckPointer: 0x2188,
      guardDispatchPointer: 0x2190,
      // Beyond the size the structure declares.
      guardXfgCheckPointer: undefined,
      guardXfgDispatchPointer: undefined,
      guardXfgTableDispatchPointer: undefined,
      guardFlags: 0x500,
      guardFunctionCount: 0,
      seHandlerCount: 0,
    });
  });

  it('the PDB reference and the mark of a reproducible build', () => {
    const guid = [0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
    const data = place(0x200, {
      0: pack(0, 0, 0, 2, 60, 0x2080, 0, 0, 0, 0, 16, 0, 0, 0),
      128: pack(0x53445352, guid, 3, 'C:\\build\\n\u001bic.pdb'),
    });
    expect(withTables(data, { DEBUG: [0x2000, 56] }).debug).toEqual({
      codeView: { guid: '00112233-4455-6677-8899-AABBCCDDEEFF', age: 3, path: 'C:\\build\\n?ic.pdb' },
      reproducible: true,
    });
  });

  it('resources by name, in any case, and the strings of the version', () => {
    const utf16 = (text: string) => words(...[...text].map((character) => character.charCodeAt(0)));
    const block = (
      key: string,
      value: readonly number[],
      valueLength: number,
      children: readonly number[],
    ): number[] => {
      const pad = (bytes: number[]) => [...bytes, ...new Array<number>((4 - (bytes.length % 4)) % 4).fill(0)];
      // Six bytes of lengths and type come before the key: pad as if they were there.
      const body = [...pad([0, 0, 0, 0, 0, 0, ...utf16(`${key}\0`)]).slice(6), ...value];
      const all = [...pad([0, 0, 0, 0, 0, 0, ...body]).slice(6), ...children];
      return [...words(6 + all.length, valueLength, 1), ...all];
    };
    const entry = block('FileVersion', utf16('1.2\0'), 4, []);
    const version = block('VS_VERSION_INFO', [], 0, block('StringFileInfo', [], 0, block('040904B0', [], 0, entry)));
    const directory = (named: number, byId: number) => [0, 0, 0, words(named, byId)] as const;
    const data = place(0x400, {
      0: pack(...directory(0, 2), 10, 0x80000020, 16, 0x80000060),
      32: pack(...directory(1, 0), 0x80000040, 0x80000080),
      64: pack(words(9), utf16('THING.SYS')),
      96: pack(...directory(0, 1), 1, 0x800000a0),
      128: pack(...directory(0, 1), 1033, 0xc0),
      160: pack(...directory(0, 1), 0, 0xd0),
      192: pack(0x20f0, 4, 0, 0),
      208: pack(0x2100, version.length, 0, 0),
      240: Uint8Array.of(1, 2, 3, 4),
      256: Uint8Array.from(version),
    });
    const image = withTables(data, { RESOURCE: [0x2000, 0x400] });
    const thing = findResource(image, RT_RCDATA, 'thing.sys')!;
    expect(thing).toEqual({ type: 10, name: 'THING.SYS', language: 1033, rva: 0x20f0, size: 4 });
    expect([...resourceBytes(image, thing)]).toEqual([1, 2, 3, 4]);
    expect([...versionStrings(image)]).toEqual([['FileVersion', '1.2']]);
    expect(findResource(image, RT_RCDATA, 'other')).toBeUndefined();
  });

  it('a resource tree that contains itself, as a note', () => {
    const data = place(0x200, { 0: pack(0, 0, 0, words(0, 1), 10, 0x80000000) });
    const image = withTables(data, { RESOURCE: [0x2000, 0x200] });
    expect(image.resources).toEqual([]);
    expect(image.notes).toEqual(['the resource table is nested deeper than type, name and language.']);
  });

  it('what is there but not used, as notes', () => {
    const data = place(0x200, { 0: pack(0, 0x2040), 64: pack('lazy.sys'), 128: pack(0n, 0n, 0n, 5n) });
    const image = withTables(data, {
      DELAY_IMPORT: [0x2000, 64],
      TLS: [0x2080, 40],
      BOUND_IMPORT: [0x300, 16],
      CERTIFICATE: [0x100, 0x1000],
    });
    expect(image.delayImports).toEqual(['lazy.sys']);
    expect(image.tls).toEqual({ callbacks: true });
    expect(image.notes).toEqual([
      'the Authenticode signature lies outside the file.',
      'the image has thread-local storage, which kernel mode ignores.',
      'the image delay-loads lazy.sys, which haltex does not model.',
      'the image has bound imports; they are resolved by name all the same.',
    ]);
  });

  it('damaged unwind data, as a note', () => {
    const data = place(0x200, {
      0: pack(0x1000, 0x1001, 0x2040, 0x5000, 0x6000, 0x2040),
      64: Uint8Array.of(3, 0, 0, 0),
    });
    const image = withTables(data, { EXCEPTION: [0x2000, 24] });
    expect(image.functions).toEqual([{ begin: 0x1000, end: 0x1001, unwindInfo: 0x2040 }]);
    expect(image.notes).toEqual([
      'the exception table has an entry that describes no code; it is ignored.',
      'the unwind data of the function at RVA 0x1000 has version 3; haltex knows versions 1 and 2.',
    ]);
  });

  it('sections: what is discarded, what is paged', () => {
    const section = (name: string, rva: number, characteristics: number) => ({
      name,
      rva,
      data: Uint8Array.of(1),
      characteristics,
    });
    const image = readImage(
      buildImage({
        sections: [
          code,
          section('PAGEABCD', 0x2000, 0x60000020),
          section('INIT', 0x3000, 0x60000020),
          section('.reloc', 0x4000, 0x42000040),
          section('page', 0x5000, 0xc8000040),
        ],
      }),
    );
    const flags = image.sections.map(({ name, pageable, discardable }) => [name, pageable, discardable]);
    expect(flags).toEqual([
      ['.text', false, false],
      ['PAGEABCD', true, false],
      ['INIT', false, true],
      ['.reloc', false, true],
      ['page', false, false],
    ]);
  });
});
