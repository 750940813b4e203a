/**
 * A virtual unwinder: from the registers inside a function to the registers of its caller, without running anything.
 * It is what RtlVirtualUnwind does, after Microsoft's "x64 exception handling", section "Unwind procedure",
 * https://learn.microsoft.com/cpp/build/exception-handling-x64. Pure: memory is read through a function, nothing is kept.
 */
import { type Address, fromBits, toBits } from '../trace/units.ts';
import { ImageError, rvaText } from './errors.ts';
import type { Image, RuntimeFunction } from './image.ts';
import type { LanguageHandler, UnwindCode, UnwindInfo } from './unwind-info.ts';

/** The registers unwinding needs. A whole CPU context fits here as it is. */
export interface UnwindContext {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15. */
  readonly gpr: BigUint64Array;
  /** XMM0..XMM15, low half first: 32 elements. */
  readonly xmm: BigUint64Array;
  readonly rip: Address;
}

/** Reads `size` (always 8) bytes of guest memory as an unsigned number. What it throws passes through unchanged. */
export type ReadMemory = (address: Address, size: 8) => bigint;

/** Registers that unwinding changes in place. */
export interface UnwindRegisters extends UnwindContext {
  rip: Address;
}

/** What is known of a frame once it has been unwound. */
export interface UnwoundFrame {
  /** The base of the function's fixed stack allocation, which its handlers are given. */
  readonly establisherFrame: Address;
  /** The table entry that covers RIP; undefined for a leaf function. */
  readonly entry: RuntimeFunction | undefined;
  readonly region: 'leaf' | 'prolog' | 'body' | 'epilog';
  /** Only in the body: in prologs and epilogs no handler can be called. */
  readonly handler: LanguageHandler | undefined;
  /** The function was entered by an interrupt or exception; `context` is what was interrupted. */
  readonly machineFrame: boolean;
}

export interface Unwound extends UnwoundFrame {
  /** The caller's registers; volatile ones keep their values. New arrays. */
  readonly context: UnwindContext;
}

const RSP = 4;

/** Unwinds one frame of code that belongs to `image`, loaded at `base`. Throws `ImageError` if its unwind data is damaged. */
export function virtualUnwind(image: Image, base: Address, context: UnwindContext, readMemory: ReadMemory): Unwound {
  const caller = { gpr: context.gpr.slice(), xmm: context.xmm.slice(), rip: context.rip };
  return { ...unwindFrame(image, base, caller, readMemory), context: caller };
}

/** The same in place: the registers become the caller's. What they are after an error is not defined. */
export function unwindFrame(
  image: Image,
  base: Address,
  registers: UnwindRegisters,
  readMemory: ReadMemory,
): UnwoundFrame {
  const rva = registers.rip - base;
  const frame = new Frame(registers, readMemory);
  const place = image.unwindPlaces.at(image, rva);
  if (place === undefined) {
    const establisherFrame = fromBits(registers.gpr[RSP]!);
    frame.return();
    return { establisherFrame, entry: undefined, region: 'leaf', handler: undefined, machineFrame: false };
  }

  const { entry, chain, epilog } = place;
  const fixed = establisher(registers, entry, chain[0]!.info, rva);
  const establisherFrame = fromBits(fixed);
  if (epilog) {
    let machineFrame = false;
    for (const step of epilog) {
      if (step.kind === 'add') frame.allocate(-step.bytes);
      else if (step.kind === 'lea') frame.gpr[RSP] = frame.gpr[step.register]! + BigInt(step.displacement);
      else if (step.kind === 'pop') frame.gpr[step.register] = frame.pop();
      else machineFrame = frame.popMachineFrame(false);
    }
    if (!machineFrame) frame.return();
    return { establisherFrame, entry, region: 'epilog', handler: undefined, machineFrame };
  }

  let machineFrame = false;
  for (const [index, link] of chain.entries()) {
    // "Once the end of the array is reached, it's linked to the parent unwind info and the entire unwind code array found
    // there is walked."
    const reached = index === 0 ? rva - link.entry.begin : Number.POSITIVE_INFINITY;
    for (const code of link.info.codes) {
      if (code.at > reached) continue;
      if (code.op === 'PUSH_MACHFRAME') machineFrame = frame.popMachineFrame(code.errorCode);
      else undo(frame, code, link.info, link.entry, toBits(establisherFrame));
    }
  }
  if (!machineFrame) frame.return();
  // The handler is the primary function's. Windows compares with "less than" where the page says "less than or equal": at
  // the prolog's end everything has been set up.
  const primary = chain.at(-1)!;
  const inProlog = chain.length === 1 && rva - primary.entry.begin < primary.info.prologSize;
  return {
    establisherFrame,
    entry,
    region: inProlog ? 'prolog' : 'body',
    handler: inProlog ? undefined : primary.info.handler,
    machineFrame,
  };
}

/** RSP as it was once the prolog had made the fixed allocation: from the frame pointer if that is set up, else RSP itself. */
function establisher(context: UnwindContext, entry: RuntimeFunction, info: UnwindInfo, rva: number): bigint {
  const rsp = context.gpr[RSP]!;
  if (info.frameRegister === 0) return rsp;
  const fromFrame = BigInt.asUintN(64, context.gpr[info.frameRegister]! - BigInt(info.frameOffset));
  const offset = rva - entry.begin;
  if (offset >= info.prologSize || info.chained) return fromFrame;
  const established = info.codes.find((code) => code.op === 'SET_FPREG');
  return established && offset >= established.at ? fromFrame : rsp;
}

/** The opposite of one prolog instruction. */
function undo(frame: Frame, code: UnwindCode, info: UnwindInfo, entry: RuntimeFunction, fixed: bigint): void {
  switch (code.op) {
    case 'PUSH_NONVOL':
      frame.gpr[code.register] = frame.pop();
      break;
    case 'ALLOC_SMALL':
    case 'ALLOC_LARGE':
      frame.allocate(-code.size);
      break;
    case 'SET_FPREG':
      if (info.frameRegister === 0) {
        const text = `the unwind data of the function at RVA ${rvaText(entry.begin)} sets a frame pointer without naming it.`;
        throw new ImageError('bad-unwind', text);
      }
      frame.gpr[RSP] = frame.gpr[info.frameRegister]! - BigInt(info.frameOffset);
      break;
    case 'SAVE_NONVOL':
    case 'SAVE_NONVOL_FAR':
      frame.gpr[code.register] = frame.read(fixed + BigInt(code.offset));
      break;
    case 'SAVE_XMM128':
    case 'SAVE_XMM128_FAR':
      frame.xmm[code.register * 2] = frame.read(fixed + BigInt(code.offset));
      frame.xmm[code.register * 2 + 1] = frame.read(fixed + BigInt(code.offset) + 8n);
      break;
  }
}

/** The registers being rewound, and what they rewind by. */
class Frame {
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  private readonly registers: UnwindRegisters;
  private readonly readMemory: ReadMemory;

  constructor(registers: UnwindRegisters, readMemory: ReadMemory) {
    this.gpr = registers.gpr;
    this.xmm = registers.xmm;
    this.registers = registers;
    this.readMemory = readMemory;
  }

  read(address: bigint): bigint {
    return this.readMemory(fromBits(address), 8);
  }

  allocate(bytes: number): void {
    this.gpr[RSP] = this.gpr[RSP]! - BigInt(bytes);
  }

  pop(): bigint {
    const value = this.read(this.gpr[RSP]!);
    this.allocate(-8);
    return value;
  }

  return(): void {
    this.registers.rip = fromBits(this.pop());
  }

  /** RIP, CS, EFLAGS, RSP, SS, below them an error code for some exceptions. */
  popMachineFrame(errorCode: boolean): true {
    const rip = this.gpr[RSP]! + (errorCode ? 8n : 0n);
    this.registers.rip = fromBits(this.read(rip));
    this.gpr[RSP] = this.read(rip + 24n);
    return true;
  }
}
