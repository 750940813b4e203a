/** Seeded random numbers, and the values at which instructions tend to be wrong. */

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    this.a = seed | 0;
    this.b = (seed / 2 ** 32) | 0;
    this.c = 0x9e3779b9 | 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** sfc32, by Chris Doty-Humphrey (public domain). */
  u32(): number {
    const t = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    return t >>> 0;
  }
  below(n: number): number {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  }
}

const corners: readonly bigint[] = [7n, 8n, 15n, 16n, 31n, 32n, 63n].flatMap((bit) => [
  (1n << bit) - 1n,
  1n << bit,
  -(1n << bit),
  -(1n << bit) - 1n,
]);

/** An integer of 64 bits: small, near a power of two, of few bits, or any. */
export function integer(r: Random): bigint {
  const pick = r.below(10);
  const value =
    pick < 2 ? BigInt(r.between(-4, 4)) : pick < 4 ? r.pick(corners) + BigInt(r.between(-1, 1)) :
    pick === 4 ? 1n << BigInt(r.below(64)) : pick === 5 ? BigInt(r.between(-300, 300)) :
    pick === 6 ? BigInt(r.u32()) : pick === 7 ? r.u64() >> BigInt(r.below(64)) : r.u64(); // biome-ignore format: a table
  return BigInt.asUintN(64, value);
}

/** Signs come from a bit of their own. */
const singles: readonly number[] = [
  0, 1, 2, 0x007f_ffff, 0x0080_0000, 0x3f80_0000, 0x3f00_0000, 0x3fc0_0000, 0x4020_0000, 0x4b00_0000, 0x4b80_0000,
  0x4eff_ffff, 0x4f00_0000, 0x5f00_0000, 0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001, 0x7fc0_0000, 0x7fc0_1234, 0x7fbf_ffff,
]; // biome-ignore format: a table

export function single(r: Random): number {
  const sign = r.chance(0.5) ? 0x8000_0000 : 0;
  if (r.chance(0.5)) return (r.pick(singles) | sign) >>> 0;
  // around one, so that sums and products stay finite and round
  if (r.chance(0.7)) return ((r.between(107, 147) << 23) | (r.u32() >>> 9) | sign) >>> 0;
  return r.u32();
}

const doubles: readonly bigint[] = [
  0n, 1n, 0x000f_ffff_ffff_ffffn, 0x0010_0000_0000_0000n, 0x3ff0_0000_0000_0000n, 0x3fe0_0000_0000_0000n,
  0x3ff8_0000_0000_0000n, 0x4004_0000_0000_0000n, 0x41df_ffff_ffc0_0000n, 0x41df_ffff_ffe0_0000n, 0x41e0_0000_0000_0000n,
  0x4330_0000_0000_0000n, 0x4340_0000_0000_0001n, 0x43e0_0000_0000_0000n, 0x43df_ffff_ffff_ffffn, 0x47ef_ffff_e000_0000n,
  0x47ef_ffff_f000_0000n, 0x36a0_0000_0000_0000n, 0x3690_0000_0000_0000n, 0x380f_ffff_ffff_ffffn, 0x7fef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n, 0x7ff0_0000_0000_0001n, 0x7ff8_0000_0000_0000n, 0x7ff8_0000_dead_beefn, 0x7ff4_0000_0000_0000n,
]; // biome-ignore format: a table

export function double(r: Random): bigint {
  const sign = r.chance(0.5) ? 1n << 63n : 0n;
  if (r.chance(0.5)) return r.pick(doubles) | sign;
  if (r.chance(0.7)) return (BigInt(r.between(983, 1063)) << 52n) | (r.u64() >> 12n) | sign;
  return r.u64();
}

/** Eight bytes of what memory and vector registers hold. */
export function eight(r: Random): bigint {
  const pick = r.below(4);
  if (pick === 0) return integer(r);
  if (pick === 1) return double(r);
  if (pick === 2) return (BigInt(single(r)) << 32n) | BigInt(single(r));
  return r.u64();
}

/** Bytes for arenas to begin with. */
export function pool(r: Random, size: number): Uint8Array {
  const words = new BigUint64Array(size / 8);
  for (let i = 0; i < words.length; i++) words[i] = eight(r);
  return new Uint8Array(words.buffer);
}
