/**
 * What the rest of haltex knows of a guest CPU: its registers, and why it stopped. The translator behind it (engine.ts) knows
 * no Windows: it runs code from guest memory until something happens that is not its business.
 */
import type { Address } from '../trace/units.ts';

export const Register = {
  RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7,
  R8: 8, R9: 9, R10: 10, R11: 11, R12: 12, R13: 13, R14: 14, R15: 15,
} as const; // biome-ignore format: the encoding's own order, two rows of eight

/** A whole guest context, as kept for a thread that is not running. Plain data: copying it is a context switch. */
export interface Registers {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15: the order of the encoding. */
  readonly gpr: BigUint64Array;
  /** XMM0..XMM15, low half first: 32 elements. */
  readonly xmm: BigUint64Array;
  rip: Address;
  /** RFLAGS with the six arithmetic flags and DF; bit 1 always set. */
  rflags: number;
  mxcsr: number;
  gsBase: Address;
}

/** Why `Cpu.run` came back. The registers are exact: as the instruction at `rip` found them unless said otherwise. */
export type Exit =
  /** Control reached an address in the host range: an imported function, a return to the host, a TypeScript routine. */
  | { readonly kind: 'host'; readonly address: Address }
  /** The instruction budget is used up, or `stop()` was called: run again to go on. */
  | { readonly kind: 'budget' }
  /** A data access was refused, or control went where no code is. Nothing of the instruction has happened. */
  | {
      readonly kind: 'fault';
      readonly access: 'read' | 'write' | 'execute';
      readonly address: Address;
      readonly size: number;
      readonly shadow: number;
    }
  /** The instruction raises a processor exception: 0 divide error, 3 breakpoint (rip is behind it), 6 invalid opcode, 13
   *  general protection (privilege, non-canonical, alignment), 0x29 fastfail (code in ECX). */
  | { readonly kind: 'exception'; readonly vector: number }
  /** The translator lacks this instruction. */
  | { readonly kind: 'unsupported'; readonly bytes: string; readonly mnemonic: string };

/** What instructions need from outside the CPU. All calls are synchronous; a thrown error passes through `run` unchanged. */
export interface CpuHost {
  cpuid(leaf: number, subleaf: number): { eax: number; ebx: number; ecx: number; edx: number };
  /** The time stamp counter. */
  rdtsc(): bigint;
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
  /** CR8 is the IRQL on x64 Windows. */
  readCr8(): number;
  writeCr8(value: number): void;
}

export interface Cpu {
  readonly registers: Registers;
  /** Guest instructions retired since creation, for budgets and virtual time. */
  readonly retired: number;
  /** Runs from `registers.rip` for about `budget` instructions (checked at loop heads and region entries). */
  run(budget: number): Exit;
  /** Asks a running `run` (from inside a CpuHost or SlowAccess call) to come back at the next block edge. */
  stop(): void;
}
