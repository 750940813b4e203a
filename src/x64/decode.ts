/**
 * Machine code → plain instruction records. The only file that knows iced-x86; nothing of it leaves except the `Code` names, by
 * which instruction forms are listed for tests.
 */
import * as iced from 'iced-x86';
import type { Address } from '../trace/units.ts';
import { at } from '../trace/units.ts';

export type Size = 1 | 2 | 4 | 8;

export interface RegisterOperand {
  readonly kind: 'register';
  readonly register: number;
  readonly size: Size;
  /** AH, CH, DH, BH: bits 8 to 15 of `register`. */
  readonly high: boolean;
}
export interface XmmOperand {
  readonly kind: 'xmm';
  readonly register: number;
}
export interface MemoryOperand {
  readonly kind: 'memory';
  /** Number of a general register, or -1. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  /** Signed; the absolute address when RIP-relative. */
  readonly displacement: bigint;
  readonly gs: boolean;
  /** 4 when the address is truncated to 32 bits (67h). */
  readonly addressSize: 4 | 8;
  /** Bytes accessed, 0 when the instruction does not say (lea). */
  readonly size: number;
}
export interface ImmediateOperand {
  readonly kind: 'immediate';
  /** Sign-extended to 64 bits. */
  readonly value: bigint;
}
/** Control, debug, segment, MMX and wider vector registers: only instructions we lack, or handle by name, have them. */
export interface OtherOperand {
  readonly kind: 'other';
  readonly name: string;
}
export type Operand = RegisterOperand | XmmOperand | MemoryOperand | ImmediateOperand | OtherOperand;

/** One decoded instruction. */
export interface Instruction {
  readonly rip: Address;
  readonly length: number;
  readonly next: Address;
  /** Lower case: `add`, `jne`. Conditions have the name iced gives first (je, not jz). */
  readonly mnemonic: string;
  /** iced's name of the form: `Add_rm32_r32`. */
  readonly code: string;
  readonly operands: readonly Operand[];
  readonly lock: boolean;
  readonly rep: '' | 'rep' | 'repne';
  /** Condition code 0-15 in the encoding's order (o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g), or -1. */
  readonly condition: number;
  /** Where a direct branch or call goes. */
  readonly target: Address | undefined;
  readonly bytes: Uint8Array;
}

const names = (object: object): Map<number, string> =>
  new Map(Object.entries(object).flatMap(([key, value]) => (typeof value === 'number' ? [[value, key]] : [])));
const mnemonicNames = names(iced.Mnemonic);
const codeNames = names(iced.Code);
const registerNames = names(iced.Register);

const R = iced.Register;
/** iced's ConditionCode (None, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g) follows the encoding. */
const condition = (code: iced.ConditionCode): number => code - 1;

function registerOperand(register: iced.Register): Operand {
  if (register >= R.AL && register <= R.BL)
    return { kind: 'register', register: register - R.AL, size: 1, high: false };
  if (register >= R.AH && register <= R.BH) return { kind: 'register', register: register - R.AH, size: 1, high: true };
  if (register >= R.SPL && register <= R.R15L)
    return { kind: 'register', register: register - R.SPL + 4, size: 1, high: false };
  if (register >= R.AX && register <= R.R15W)
    return { kind: 'register', register: register - R.AX, size: 2, high: false };
  if (register >= R.EAX && register <= R.R15D)
    return { kind: 'register', register: register - R.EAX, size: 4, high: false };
  if (register >= R.RAX && register <= R.R15)
    return { kind: 'register', register: register - R.RAX, size: 8, high: false };
  if (register >= R.XMM0 && register <= R.XMM15) return { kind: 'xmm', register: register - R.XMM0 };
  return { kind: 'other', name: registerNames.get(register) ?? String(register) };
}

function addressRegister(register: iced.Register): number {
  if (register >= R.RAX && register <= R.R15) return register - R.RAX;
  if (register >= R.EAX && register <= R.R15D) return register - R.EAX;
  return -1;
}

function operand(instruction: iced.Instruction, i: number): Operand {
  const kind = instruction.opKind(i);
  const K = iced.OpKind;
  if (kind === K.Register) return registerOperand(instruction.opRegister(i));
  if (kind >= K.Immediate8 && kind <= K.Immediate32to64) {
    return { kind: 'immediate', value: BigInt.asIntN(64, instruction.immediate(i)) };
  }
  const size = iced.MemorySizeExt.size(instruction.memorySize);
  const gs = instruction.memorySegment === R.GS;
  const string = (base: number, addressSize: 4 | 8, segment: boolean): MemoryOperand => ({
    kind: 'memory', base, index: -1, scale: 1, displacement: 0n, gs: segment && gs, addressSize, size,
  }); // biome-ignore format: one shape, one line
  switch (kind) {
    case K.MemorySegRSI: return string(6, 8, true);
    case K.MemorySegESI: return string(6, 4, true);
    case K.MemoryESRDI: return string(7, 8, false);
    case K.MemoryESEDI: return string(7, 4, false);
    case K.Memory: {
      const base = instruction.memoryBase;
      const index = instruction.memoryIndex;
      const relative = base === R.RIP || base === R.EIP;
      const narrow = [base, index].some((r) => r === R.EIP || (r >= R.EAX && r <= R.R15D)) ||
        (base === R.None && index === R.None && instruction.memoryDisplSize === 4);
      if (instruction.memorySegment === R.FS) return { kind: 'other', name: 'FS' };
      return {
        kind: 'memory',
        base: relative ? -1 : addressRegister(base),
        index: addressRegister(index),
        scale: instruction.memoryIndexScale,
        displacement: BigInt.asIntN(64, instruction.memoryDisplacement),
        gs,
        addressSize: narrow ? 4 : 8,
        size,
      };
    }
    default: return { kind: 'other', name: `operand kind ${kind}` };
  } // biome-ignore format: a table
}

const BRANCH_KINDS: ReadonlySet<number> = new Set([
  iced.OpKind.NearBranch16,
  iced.OpKind.NearBranch32,
  iced.OpKind.NearBranch64,
]);

/** Decodes the instruction at the start of `bytes`, or undefined when there is none. */
function plain(instruction: iced.Instruction, rip: Address, bytes: Uint8Array): Instruction {
  const { length } = instruction;
  const operands: Operand[] = [];
  let target: Address | undefined;
  for (let i = 0; i < instruction.opCount; i++) {
    if (BRANCH_KINDS.has(instruction.opKind(i)))
      target = Number(BigInt.asIntN(64, instruction.nearBranchTarget)) as Address;
    else operands.push(operand(instruction, i));
  }
  return {
    rip,
    length,
    next: at(rip, length),
    mnemonic: (mnemonicNames.get(instruction.mnemonic) ?? '').toLowerCase(),
    code: codeNames.get(instruction.code) ?? '',
    operands,
    lock: instruction.hasLockPrefix,
    rep: instruction.hasRepnePrefix ? 'repne' : instruction.hasRepPrefix ? 'rep' : '',
    condition: condition(instruction.conditionCode),
    target,
    bytes: bytes.slice(0, length),
  };
}

/** Decodes one instruction; `bytes` are those from `rip` on (15 are always enough). Undefined: no valid instruction. */
export function decodeOne(bytes: Uint8Array, rip: Address): Instruction | undefined {
  return new Decoder(bytes, rip).decode(rip);
}

/** Decodes from a window of code. `dispose` returns iced's memory. */
export class Decoder {
  private readonly start: Address;
  private readonly bytes: Uint8Array;
  private readonly decoder: iced.Decoder;
  private readonly instruction = new iced.Instruction();

  constructor(bytes: Uint8Array, start: Address) {
    this.bytes = bytes;
    this.start = start;
    this.decoder = new iced.Decoder(64, bytes, iced.DecoderOptions.None);
  }

  covers(rip: Address): boolean {
    return rip >= this.start && rip < this.start + this.bytes.length;
  }

  decode(rip: Address): Instruction | undefined {
    const offset = rip - this.start;
    this.decoder.position = offset;
    this.decoder.ip = BigInt.asUintN(64, BigInt(rip));
    this.decoder.decodeOut(this.instruction);
    if (this.instruction.code === iced.Code.INVALID) return undefined;
    return plain(this.instruction, rip, this.bytes.subarray(offset));
  }

  dispose(): void {
    this.decoder.free();
    this.instruction.free();
  }
}

/** A 64-bit instruction form as iced knows it. */
export interface CodeForm {
  readonly mnemonic: string;
  /** iced's name, as in `Instruction.code`, and number. */
  readonly code: string;
  readonly number: number;
  /** iced's names of the operands' kinds: `r64_or_mem`, `imm8sex64`. */
  readonly operands: readonly string[];
}

/** Every form there is in 64-bit mode with legacy or VEX encoding. Slow: for tests and lists. */
export function codeForms(): CodeForm[] {
  const kinds = names(iced.OpCodeOperandKind);
  const forms: CodeForm[] = [];
  for (const [number, code] of codeNames) {
    const info = iced.CodeExt.opCode(number);
    const known = info.encoding === iced.EncodingKind.Legacy || info.encoding === iced.EncodingKind.VEX;
    if (known && info.mode64 && info.isInstruction) {
      const operands = [info.op0Kind, info.op1Kind, info.op2Kind, info.op3Kind, info.op4Kind].slice(0, info.opCount);
      forms.push({
        mnemonic: (mnemonicNames.get(info.mnemonic) ?? '').toLowerCase(),
        code,
        number,
        operands: operands.map((kind) => kinds.get(kind) ?? String(kind)),
      });
    }
    info.free();
  }
  return forms;
}
