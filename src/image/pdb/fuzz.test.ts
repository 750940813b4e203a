/** Hostile PDBs: whatever is cut off or overwritten, only a PdbError is thrown, in bounded time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PdbError } from './errors.ts';
import { type Pdb, readPdb } from './pdb.ts';
import { samples } from './testing.ts';

const sound = new Uint8Array(readFileSync(join(samples, 'nic/nic.pdb')));

/** Addresses all over the driver's code, and some outside. */
const RVAS = [...Array.from({ length: 60 }, (_, index) => 0x1000 + index * 311), 0, 0x6000, 0xffffffff];

function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(PdbError);
    // One sentence, without control characters.
    expect((error as Error).message).toMatch(/^[^\p{Cc}]+\.$/u);
  }
}

/** Uses everything of the face. Looking an address up never throws: damage behind it is a note. */
function exercise(bytes: Uint8Array): void {
  attempt(() => {
    const pdb: Pdb = readPdb(bytes);
    for (const rva of RVAS) pdb.locate(rva);
    expect(pdb.notes.length).toBeLessThanOrEqual(20);
    attempt(() => expect([...pdb.procedures()].length).toBeLessThan(bytes.length));
    attempt(() => expect([...pdb.lines()].length).toBeLessThan(bytes.length));
  });
}

const view = new DataView(sound.buffer, sound.byteOffset, sound.byteLength);
const BLOCK = view.getUint32(32, true);
/** Numbers that sizes, counts and pointers go wrong with. */
const number = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff, 0xffff, 0x1_0000),
  fc.integer({ min: 0, max: 64 }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);
/** Anywhere, but mostly where the tables begin: the header, and the first bytes of blocks. */
const place = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 56 }) },
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: sound.length / BLOCK - 1 }), fc.integer({ min: 0, max: 120 }))
      .map(([block, offset]) => block * BLOCK + offset),
  },
  { weight: 20, arbitrary: fc.integer({ min: 0, max: sound.length - 4 }) },
);

describe('hostile PDBs', () => {
  it('cut off anywhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sound.length - 1 }), (length) => exercise(sound.subarray(0, length))),
      { numRuns: 60, seed: 1 },
    );
  });

  it('with numbers overwritten', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(place, number), { minLength: 1, maxLength: 12 }), (changes) => {
        const bytes = Uint8Array.from(sound);
        const changed = new DataView(bytes.buffer);
        for (const [at, value] of changes) changed.setUint32(Math.min(at, bytes.length - 4), value, true);
        exercise(bytes);
      }),
      { numRuns: 250, seed: 2 },
    );
  });

  it('with blocks exchanged', () => {
    const block = fc.integer({ min: 1, max: sound.length / BLOCK - 1 });
    fc.assert(
      fc.property(fc.array(fc.tuple(block, block), { minLength: 1, maxLength: 4 }), (exchanges) => {
        const bytes = Uint8Array.from(sound);
        for (const [to, from] of exchanges) bytes.copyWithin(to * BLOCK, from * BLOCK, (from + 1) * BLOCK);
        exercise(bytes);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  it('of any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), exercise), { numRuns: 100, seed: 4 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (tail) => {
        const bytes = new Uint8Array(32 + tail.length);
        bytes.set(sound.subarray(0, 32));
        bytes.set(tail, 32);
        exercise(bytes);
      }),
      { numRuns: 100, seed: 5 },
    );
  });
});
