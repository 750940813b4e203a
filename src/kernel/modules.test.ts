/** Loading and unloading of images built byte by byte. */
import { describe, expect, it } from 'vitest';
import { readImage } from '../image/read.ts';
import {
  buildImage,
  CODE,
  IMAGE_BASE,
  pack,
  place,
  READ_ONLY,
  type SectionSpec,
  words,
} from '../image/testing/build.ts';
import { at } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import { testKernel } from './testing.ts';
import { provideVariable } from './variables.ts';

const RDATA = 0x2000;
const IAT = 0x80;
/** One import by name, one by ordinal, a load configuration with guard pointers. */
const data = place(0x400, {
  0: pack(0x2060, 0, 0, 0x2050, RDATA + IAT, 0, 0, 0, 0, 0),
  80: pack('hal.dll'),
  96: pack(0x20a0n, 0x8000000000000007n, 0n),
  [IAT]: pack(0x20a0n, 0x8000000000000007n, 0n),
  160: pack([0, 0], 'KeThing'),
  256: pack(148, ...Array.from({ length: 21 }, () => 0)),
  [0x100 + 112]: pack(IMAGE_BASE + 0x2300n, IMAGE_BASE + 0x2308n),
  776: pack(IMAGE_BASE + 0x1000n),
  896: pack(RDATA, 12, words(0xa308, 0)),
});
const sections: SectionSpec[] = [
  { name: '.text', rva: 0x1000, data: Uint8Array.of(0x90, 0x90, 0xc3), characteristics: CODE },
  { name: '.rdata', rva: RDATA, data, characteristics: READ_ONLY },
  { name: 'INIT', rva: 0x3000, data: Uint8Array.of(0xc3), characteristics: 0x62000020 },
];
const image = readImage(
  buildImage({
    sections,
    directories: { IMPORT: [RDATA, 40], LOAD_CONFIG: [0x2100, 148], BASE_RELOCATION: [0x2380, 12] },
  }),
);

describe('a loaded image', () => {
  it('gets addresses of variables, and of functions by ordinal', () => {
    const { kernel } = testKernel();
    const variable = provideVariable(kernel, 'KeThing', { value: 42, size: 4 });
    const { base } = kernel.modules.load(image, 'test.sys');
    expect(kernel.memory.readPointer(at(base, RDATA + IAT))).toBe(variable);
    expect(kernel.memory.readU32(variable)).toBe(42);
    expect(kernel.memory.writable(variable, 4)).toBe(false);
    const byOrdinal = kernel.memory.readPointer(at(base, RDATA + IAT + 8));
    expect(kernel.code.at(byOrdinal)).toMatchObject({ kind: 'missing', name: 'hal.dll#7', module: 'hal.dll' });
  });

  it('gets guard routines where it has none', () => {
    const { kernel } = testKernel();
    const { base } = kernel.modules.load(image, 'test.sys');
    const check = kernel.memory.readPointer(at(base, RDATA + 0x300));
    expect([...kernel.memory.read(check, 1)]).toEqual([0xc3]);
    // the dispatch pointer led to code of its own
    expect(kernel.memory.readPointer(at(base, RDATA + 0x308))).toBe(at(base, 0x1000));
  });

  it('loses what it said it needs no more, then everything', () => {
    const { kernel } = testKernel();
    const module = kernel.modules.load(image, 'test.sys');
    const init = at(module.base, 0x3000);
    kernel.modules.discard(module);
    expect(kernel.memory.shadowAt(init)).toBe(Shadow.Freed);
    expect(kernel.memory.shadowAt(at(module.base, 0x1000))).toBe(Shadow.ReadOnly);
    expect(kernel.modules.explain(init)).toMatchObject({ state: 'freed', what: expect.stringContaining('INIT') });
    kernel.modules.unload(module);
    expect(kernel.memory.shadowAt(at(module.base, 0x1000))).toBe(Shadow.Freed);
    expect(kernel.modules.at(module.base)).toBeUndefined();
    expect(kernel.modules.unloadedAt(init)).toBe(module);
  });

  it('is named by its entry point', () => {
    const { kernel } = testKernel();
    const plain = kernel.modules.load(image, 'plain.sys');
    expect(kernel.modules.frame(at(plain.base, 0x1002))).toMatchObject({ name: 'DriverEntry', offset: 0x1002 });
    expect(kernel.modules.frame(kernel.code.returnAddress)).toMatchObject({ name: 'return to the kernel' });
  });
});
