/**
 * What an instruction family declares: names, flags, and how it becomes WebAssembly. Records feed the translator, the flag
 * liveness analysis and the differential test; files of this folder hold one family each.
 */
import type { Instruction } from '../decode.ts';
import type { HelperContext } from './helper.ts';
import type { Lift } from './lift.ts';

/** Masks of RFLAGS bits. */
export interface FlagEffect {
  /** Flags whose value before matters. */
  readonly reads: number;
  /** Flags that have a new (or undefined) value afterwards in every case: what earlier setters need not provide. */
  readonly writes: number;
}

/** How control goes on behind an instruction; nothing: to the next one. */
export type Control = 'jump' | 'branch' | 'call' | 'return' | 'stop';

/** How a generator of test cases must treat a family. */
export interface TestHint {
  /** Why it cannot simply be run on the host's CPU. */
  readonly skip?: string;
  /** A precondition to establish, in words. */
  readonly needs?: string;
}

export type Lifter = (l: Lift, instruction: Instruction) => void;

export interface InstructionRecord {
  /** Mnemonics, lower case, as decode.ts gives them. */
  readonly names: readonly string[];
  readonly flags?: FlagEffect | ((instruction: Instruction) => FlagEffect);
  /** Flags the manuals leave undefined after it (a superset over all forms; see `undefinedNote`). */
  readonly undefinedFlags?: number;
  readonly undefinedNote?: string;
  /** Result registers the manuals leave undefined, in words. */
  readonly undefinedResult?: string;
  /** False for forms of these mnemonics that are not supported. All by default. */
  readonly accepts?: (instruction: Instruction) => boolean;
  /** It takes operands that are no register, memory or immediate (decode.ts: `other`). */
  readonly oddOperands?: true;
  readonly control?: Control;
  /** Writes the instruction. Absent for those that only a helper executes. */
  readonly lift?: Lifter;
  /**
   * Executes the instruction in TypeScript, on the registers in the engine's page: for what is rare or talks to the host.
   * With `lift` too, it takes the cases that `lift` hands over (`Lift.handOver`).
   */
  readonly helper?: (h: HelperContext, instruction: Instruction) => void;
  readonly test?: TestHint;
}

export const NO_FLAGS: FlagEffect = { reads: 0, writes: 0 };

export function flagEffect(record: InstructionRecord, instruction: Instruction): FlagEffect {
  return typeof record.flags === 'function' ? record.flags(instruction) : (record.flags ?? NO_FLAGS);
}
