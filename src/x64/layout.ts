/**
 * Where things lie in the engine's page of the memory, behind guest bytes and shadow. Offsets are from the page's start,
 * `2 * memory.size`. The first bytes stay zero: the shadow load of an access at or a little beyond the end of guest memory
 * reaches into them, and 0 is `Unmapped`.
 */
export const Layout = {
  /** How many bytes at the start stay zero. */
  guard: 0x1000,
  /** RAX .. R15, 8 bytes each. */
  gpr: 0x1040,
  /** XMM0 .. XMM15, 16 bytes each. */
  xmm: 0x1100,
  /** Where control is, or goes next. i64 */
  rip: 0x1200,
  /** Base of GS-relative operands. i64 */
  gsBase: 0x1208,
  /** The lazy flags: operands (three i64) and kind (i32), see flags.ts. */
  flagX: 0x1210,
  flagY: 0x1218,
  flagZ: 0x1220,
  flagKind: 0x1228,
  /** DF and IF, at their places in RFLAGS. i32 */
  systemFlags: 0x122c,
  mxcsr: 0x1230,
  /** Instructions left in this slice; below zero ends it. i32 */
  fuel: 0x1234,
  /** Negative when someone asked to stop. i32 */
  stop: 0x1238,
  /** Why the last region came back: 0 = it went to `rip`, else 1 + the number of the site in `region`. i32 */
  site: 0x123c,
  /** The region that left through a site. i32 */
  region: 0x1240,
  /** Non-zero after a slow access that was refused. i32 */
  trap: 0x1244,
  /** Where the last indirect jump that left its region went (i64), and that region (i32). */
  jumpedTo: 0x1248,
  jumpedFrom: 0x1250,
  /** The lookup cache, direct-mapped: tag (rip, i64), table index (i32), entry number (i32). */
  lookup: 0x10000,
  /** A byte for every block that was translated with coverage: non-zero once it has run. */
  covered: 0x60000,
} as const;

/** Blocks whose coverage there is room for; further ones count as not run. */
export const COVERED_BLOCKS = 0x40000;

export const LOOKUP_BITS = 14;
export const LOOKUP_ENTRIES = 1 << LOOKUP_BITS;
/** An address no guest code has: what empty lookup entries but the first, which is its own, are tagged with. Non-canonical. */
export const NO_RIP = 0x7fff_ffff_ffff_ffffn;

/** Bits of RFLAGS. */
export const Rflags = {
  CF: 0x001,
  PF: 0x004,
  AF: 0x010,
  ZF: 0x040,
  SF: 0x080,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  /** The six arithmetic flags. */
  arithmetic: 0x8d5,
  /** Reads as one. */
  fixed: 0x002,
} as const;
