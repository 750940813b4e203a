import { describe, expect, it } from 'vitest';
import { type Address, toBits } from '../trace/units.ts';
import { mapImage } from './map.ts';
import { readImage } from './read.ts';
import { buildImage, CODE, IMAGE_BASE, type ImageSpec, pack, place, READ_ONLY, words } from './testing/build.ts';

const code = { name: '.text', rva: 0x1000, data: Uint8Array.of(0xc3), virtualSize: 0x1800, characteristics: CODE };
const pointers = place(0x40, {
  0: pack(IMAGE_BASE + 0x1234n, 0x4000_5678n),
  32: pack(0x3000, 14, words(0xa000, 0x3008, 0)),
});
const spec: ImageSpec = {
  sections: [code, { name: '.rdata', rva: 0x3000, data: pointers, characteristics: READ_ONLY }],
  directories: { BASE_RELOCATION: [0x3020, 14] },
};

describe('mapImage', () => {
  it('lays out headers and sections, zeroes between', () => {
    const file = buildImage(spec);
    const memory = mapImage(readImage(file), IMAGE_BASE);
    expect(memory.length).toBe(0x4000);
    expect(memory.subarray(0, 0x400)).toEqual(file.subarray(0, 0x400));
    expect(memory[0x1000]).toBe(0xc3);
    expect(memory.subarray(0x1001, 0x3000).every((byte) => byte === 0)).toBe(true);
    expect(new DataView(memory.buffer).getBigUint64(0x3000, true)).toBe(IMAGE_BASE + 0x1234n);
  });

  it('moves 64-bit and 32-bit pointers, and leaves the file alone', () => {
    const file = buildImage(spec);
    const before = file.slice();
    const base = -0x7ff_ffe0_0000 as Address;
    const image = readImage(file);
    const view = new DataView(mapImage(image, base).buffer);
    expect(view.getBigUint64(0x3000, true)).toBe(toBits(base) + 0x1234n);
    expect(view.getUint32(0x3008, true)).toBe(Number((toBits(base) - IMAGE_BASE + 0x4000_5678n) & 0xffff_ffffn));
    expect(mapImage(image, toBits(base))).toEqual(mapImage(image, base));
    expect(file).toEqual(before);
  });

  it('refuses to move what cannot be moved', () => {
    const image = readImage(buildImage({ ...spec, characteristics: 0x23 }));
    expect(mapImage(image, IMAGE_BASE).length).toBe(0x4000);
    expect(() => mapImage(image, 0xffff_f800_0000_0000n)).toThrow('linked without relocations');
    expect(() => mapImage(image, 0x1234n)).toThrow(RangeError);
  });
});
