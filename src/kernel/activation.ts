/**
 * Guest routines in progress. A context may be inside several: the driver calls an import, the import's body calls the driver
 * back. Each has the registers it was left with, so that stacks can be walked and exceptions can travel from one to the next.
 */
import type { Address } from '../trace/units.ts';
import type { Context } from './scheduler.ts';

/** The registers of a routine that does not run right now. */
export interface SavedRegisters {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15. */
  readonly gpr: BigUint64Array;
  /** XMM0..XMM15, low half first; as they were when another routine was called from this one. */
  readonly xmm: BigUint64Array;
  rip: Address;
  rflags: number;
  mxcsr: number;
}

/** General registers in halves of 32 bits, low half first: numbers are had from them without a bigint in between. */
interface Halves {
  /** On the same buffer as `gpr`. */
  readonly halves: Int32Array;
}

/** As a new thread has them. */
export function emptyRegisters(rip: Address): SavedRegisters & Halves {
  const gpr = new BigUint64Array(16);
  return { gpr, halves: new Int32Array(gpr.buffer), xmm: new BigUint64Array(32), rip, rflags: 0x202, mxcsr: 0x1f80 };
}

/** Why a language handler was called: what a second exception inside it must know (RtlpExceptionHandler, RtlpUnwindHandler). */
export interface Handling {
  readonly phase: 'search' | 'unwind';
  /** The DISPATCHER_CONTEXT it was given. */
  readonly dispatcher: Address;
  /** The frame whose handler it is, as the walk met it. */
  readonly frame: FramePosition;
  readonly establisher: Address;
}

/** A place in a walk over frames: from these registers of that routine. */
export interface FramePosition {
  readonly activation: Activation;
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  readonly rip: Address;
}

/** One routine that was called from TypeScript. */
export interface Activation extends SavedRegisters, Halves {
  readonly context: Context;
  readonly routine: Address;
  /** Set when the routine is a language handler. */
  readonly handling: Handling | undefined;
}

/** Under this key a context keeps its routines in progress. */
const IN_PROGRESS = {};
const NONE: readonly Activation[] = [];

/** The guest routines a context is inside of, outermost first. */
export function activationsOf(context: Context): readonly Activation[] {
  return (context.keep.get(IN_PROGRESS) as readonly Activation[] | undefined) ?? NONE;
}

export function enterActivation(activation: Activation): void {
  const { keep } = activation.context;
  const known = keep.get(IN_PROGRESS) as Activation[] | undefined;
  if (known === undefined) keep.set(IN_PROGRESS, [activation]);
  else known.push(activation);
}

export function leaveActivation(activation: Activation): void {
  (activation.context.keep.get(IN_PROGRESS) as Activation[]).pop();
}

/**
 * An exception found its handler: control goes on in that routine, and whatever was called from it is over. Thrown through the
 * bodies and routines in between, up to `GuestCode.call` of the activation.
 */
export class Landing extends Error {
  readonly target: FramePosition;
  constructor(target: FramePosition) {
    super('an exception has found its handler');
    this.target = target;
  }
}
