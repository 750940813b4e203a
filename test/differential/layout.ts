/** Where the cases live: the same addresses in the guest and in the native process. */
import type { Address } from '../../src/trace/units.ts';

export const PAGE = 4096;
/** A part of user space where Linux puts nothing by itself; 32 zero low bits, as guest memory wants it. */
export const MEMORY_BASE = 0x1000_0000_0000 as Address;
export const MEMORY_BITS = 22;

/** One page to read and write; behind it one to read only, which is the last of memory; before it nothing. */
export const ARENA = (MEMORY_BASE + 2 ** MEMORY_BITS - 2 * PAGE) as Address;
export const READ_ONLY = (ARENA + PAGE) as Address;
/** GS-relative operands reach the arena with small displacements. */
export const GS_BASE = (ARENA + 0x400) as Address;
export const CODE = (MEMORY_BASE + 0x100000) as Address;
/** Bytes of code a program may have. */
export const SLOT = 512;
/** Programs end with a jump here. */
export const EXIT = (MEMORY_BASE + 0x300000) as Address;

/** Arithmetic flags, and DF. */
export const ARITHMETIC = 0x8d5;
export const DIRECTION = 0x400;

/** What a case starts with. */
export interface State {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8.. */
  readonly gpr: BigUint64Array;
  /** Low half first: 32 elements. */
  readonly xmm: BigUint64Array;
  readonly rflags: number;
  readonly mxcsr: number;
  /** Where in the pool the arena's first contents begin. */
  readonly pool: number;
}

/** What a case ends with. */
export interface Outcome {
  /** 'end': it got to the exit; 'lost': to code that no one generated. Otherwise the vector of the exception; 14 = an access or a jump that memory refuses. */
  readonly trap: 'end' | 'timeout' | 'unsupported' | 'lost' | number;
  /** For 14: somewhere in what was accessed, and how far that reaches. */
  readonly address: number;
  readonly size: number;
  /** For 14, when known. */
  readonly write: boolean | undefined;
  readonly rip: number;
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  readonly rflags: number;
  readonly mxcsr: number;
  readonly arena: Uint8Array;
}
