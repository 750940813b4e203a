/** Hostile files: whatever is cut off or flipped, the only thing thrown is an ImageError, in bounded time and memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Address } from '../trace/units.ts';
import { ImageError } from './errors.ts';
import { MAX_IMAGE_SIZE } from './image.ts';
import { mapImage } from './map.ts';
import { readImage } from './read.ts';
import { resourceBytes, versionStrings } from './resources.ts';
import { importThunkTarget, readScopeTable } from './scope-table.ts';
import { buildImage, CODE, DATA, IMAGE_BASE, pack, place, words } from './testing/build.ts';
import { virtualUnwind } from './unwind.ts';
import { findFunction, readUnwindInfo } from './unwind-info.ts';

/** An image with something in every table. */
const rich = buildImage({
  sections: [
    {
      name: '.text',
      rva: 0x1000,
      data: place(0x100, { 0: Uint8Array.of(0x53, 0x48, 0x83, 0xec, 0x20, 0xff, 0x25) }),
      characteristics: CODE,
    },
    {
      name: '.all',
      rva: 0x2000,
      characteristics: DATA,
      virtualSize: 0x2000,
      data: place(0x500, {
        0: pack(0x2030, 0, 0, 0x2070, 0x2050),
        48: pack(0x2080n, 0x8000_0000_0000_0007n, 0n),
        80: pack(0x2080n, 0x8000_0000_0000_0007n, 0n),
        112: pack('NDIS.SYS'),
        128: pack(words(1), 'NdisFoo'),
        160: pack(
          0,
          0,
          0,
          0x20e0,
          1,
          1,
          1,
          0x20d0,
          0x20d4,
          0x20d8,
          0,
          0,
          0x1000,
          0x20e4,
          words(0),
          [0, 0],
          'me',
          [0],
          'Name',
        ),
        256: pack(0x1000, 0x1008, 0x2140, 0x1008, 0x1020, 0x2160, 0x1020, 0x1040, 0x2180),
        320: Uint8Array.of(0x19, 5, 2, 0, 5, 0x32, 1, 0x30, 0, 0x10, 0, 0, 1, 0, 0, 0),
        352: Uint8Array.of(0x02, 5, 4, 0, 2, 0x16, 0, 6, 5, 0x32, 1, 0x30),
        384: Uint8Array.of(0x21, 0, 0, 0, 0, 0x10, 0, 0, 8, 0x10, 0, 0, 0x40, 0x21, 0, 0),
        416: pack(0x2000, 12, words(0xa1c0, 0)),
        448: pack(IMAGE_BASE),
        464: pack(0, 0, 0, 2, 60, 0x2200, 0),
        512: pack(0x53445352, new Array<number>(16).fill(7), 1, 'a.pdb'),
        576: pack(
          0,
          0,
          0,
          words(0, 1),
          16,
          0x80000018,
          0,
          0,
          0,
          words(0, 1),
          1,
          0x80000030,
          0,
          0,
          0,
          words(0, 1),
          9,
          0x48,
        ),
        648: pack(0x22a0, 64, 0, 0),
        672: pack(words(64, 0, 1), words(...[...'VS_VERSION_INFO\0'].map((c) => c.charCodeAt(0)))),
        768: place(0x140, { 0: pack(0x138), 88: pack(IMAGE_BASE + 0x21c0n) }),
        1088: pack(0, 0x2070, 0, 0, 0, 0, 0, 0),
      }),
    },
  ],
  directories: {
    IMPORT: [0x2000, 40], EXPORT: [0x20a0, 80], EXCEPTION: [0x2100, 36], BASE_RELOCATION: [0x21a0, 12], DEBUG: [0x21d0, 28],
    RESOURCE: [0x2240, 0x60], LOAD_CONFIG: [0x2300, 0x138], DELAY_IMPORT: [0x2440, 64], TLS: [0x2480, 40], CERTIFICATE: [0x400, 16],
  }, // biome-ignore format: one row of tables after the other
});

/** Uses every function of the folder on `bytes`. */
function exercise(bytes: Uint8Array): void {
  for (const accept of ['driver', 'any'] as const) {
    attempt(() => {
      const image = readImage(bytes, { accept });
      expect(image.sizeOfImage).toBeLessThanOrEqual(MAX_IMAGE_SIZE);
      attempt(() => mapImage(image, 0xffff_f800_0000_0000n));
      attempt(() => versionStrings(image));
      for (const resource of image.resources.slice(0, 20)) attempt(() => resourceBytes(image, resource));
      for (const entry of image.functions.slice(0, 20)) {
        attempt(() => {
          const { handler } = readUnwindInfo(image, entry);
          if (!handler) return;
          importThunkTarget(image, handler.rva);
          readScopeTable(image, handler.dataRva);
        });
        for (const rva of [entry.begin, entry.begin + 3, entry.end - 1]) attempt(() => unwindAt(image, rva));
      }
    });
  }
}

function unwindAt(image: ReturnType<typeof readImage>, rva: number): void {
  findFunction(image, rva);
  const base = -0x7ff_ff00_0000;
  const context = { gpr: new BigUint64Array(16), xmm: new BigUint64Array(32), rip: (base + rva) as Address };
  virtualUnwind(image, base as Address, context, () => 0x1000n);
}

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    expect(error.message).toMatch(/^[\x20-\x7e]+\.$/);
  }
}

describe('hostile files', () => {
  it('the image they are made from is sound', () => {
    const image = readImage(rich);
    expect(image.notes.map((note) => note.split(' ').slice(0, 3).join(' '))).toEqual([
      'the image has',
      'the image delay-loads',
    ]);
    expect([image.imports.length, image.functions.length, image.resources.length]).toEqual([1, 3, 1]);
    expect([image.exports?.symbols.length, image.relocations.dir64.length, image.debug.codeView?.path]).toEqual([
      1,
      1,
      'a.pdb',
    ]);
  });

  it('cut off anywhere', () => {
    for (let length = 0; length < rich.length; length += length < 0x400 ? 1 : 7) exercise(rich.subarray(0, length));
  });

  it('with bytes flipped in headers and tables', () => {
    const offset = fc.oneof(fc.integer({ min: 0, max: 0x220 }), fc.integer({ min: 0x400, max: rich.length - 1 }));
    const flips = fc.array(fc.tuple(offset, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(flips, (changes) => {
        const bytes = rich.slice();
        for (const [position, value] of changes) bytes[position] = value;
        exercise(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it('with 32-bit fields replaced by awkward numbers', () => {
    const awkward = fc.constantFrom(
      0,
      1,
      0x7fffffff,
      0x80000000,
      0xffffffff,
      0xfffffff0,
      0x10000,
      0x2000,
      0x3ffc,
      0x4000,
      0x1fff,
    );
    const offset = fc.integer({ min: 0, max: (rich.length >> 2) - 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(offset, awkward), { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = rich.slice();
        const view = new DataView(bytes.buffer);
        for (const [index, value] of changes) view.setUint32(index * 4, value, true);
        exercise(bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it('a large one made of nothing but pointers to itself is refused or read within seconds', () => {
    const size = 8 << 20;
    const data = new Uint8Array(size);
    new Uint32Array(data.buffer).fill(0x2000);
    const started = performance.now();
    for (const directory of [
      'IMPORT',
      'EXPORT',
      'EXCEPTION',
      'BASE_RELOCATION',
      'DEBUG',
      'RESOURCE',
      'LOAD_CONFIG',
      'DELAY_IMPORT',
    ] as const) {
      const text = { name: '.text', rva: 0x1000, data: Uint8Array.of(0xc3), characteristics: CODE };
      const file = buildImage({
        sections: [text, { name: '.x', rva: 0x2000, data }],
        directories: { [directory]: [0x2000, size - 0x100] },
      });
      exercise(file);
    }
    expect(performance.now() - started).toBeLessThan(8000);
  });
});
