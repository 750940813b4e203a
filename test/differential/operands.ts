/** Fills an instruction form with operands. */
import * as iced from 'iced-x86';
import type { SupportedForm } from '../../src/x64/forms.ts';
import { ARENA, GS_BASE, PAGE } from './layout.ts';
import { integer, type Random } from './random.ts';

const R = iced.Register;
const K = iced.OpKind;

/** What the registers of a program are for; states are made to fit. Numbers of the encoding's order. */
export interface Roles {
  /** They hold addresses of the arena. RSP, RBX, RSI and RDI always do. */
  readonly pointers: readonly number[];
  /** They hold small numbers. */
  readonly indexes: readonly number[];
  /** The rest. */
  readonly data: readonly number[];
}

export function roles(r: Random): Roles {
  const pointers = [3, 4, 6, 7, 5];
  const others = r.shuffle([8, 9, 10, 11, 12, 13, 14, 15]);
  pointers.push(...others.splice(0, 2));
  const indexes = others.splice(0, 2);
  return { pointers, indexes, data: [0, 1, 2, ...others] };
}

const WIDTHS: Readonly<Record<string, number>> = { r8: R.AL, r16: R.AX, r32: R.EAX, r64: R.RAX };
const FIXED: Readonly<Record<string, iced.Register>> = {
  al: R.AL, ax: R.AX, eax: R.EAX, rax: R.RAX, cl: R.CL, dx: R.DX,
}; // biome-ignore format: a table

/** Forms whose 16-byte memory operand must be aligned, or which are more interesting when it is. */
const ALIGNED = /128/;

export class Operands {
  private readonly r: Random;
  private readonly roles: Roles;
  /** Registers that must keep their values: a loop's counter. */
  readonly kept = new Set<number>();

  constructor(r: Random, roles: Roles) {
    this.r = r;
    this.roles = roles;
  }

  /** A general register for an explicit operand. */
  register(width: string): iced.Register {
    const { r, roles } = this;
    let n: number;
    do {
      n = r.chance(0.86) ? r.pick(roles.data) : r.pick(r.chance(0.75) ? roles.indexes : roles.pointers);
    } while (this.kept.has(n));
    if (width === 'r8') {
      if (n < 4 && r.chance(0.3) && !this.kept.has(n)) return R.AH + n;
      return n < 4 ? R.AL + n : R.SPL + n - 4;
    }
    return WIDTHS[width]! + n;
  }

  xmm(): iced.Register {
    return R.XMM0 + this.r.below(this.r.chance(0.7) ? 5 : 16);
  }

  /** Makes operand `i` a memory operand. */
  memory(instruction: iced.Instruction, i: number, form: SupportedForm): void {
    const { r, roles } = this;
    const aligned = ALIGNED.test(form.code) && r.chance(0.8);
    const step = aligned ? 16 : r.chance(0.5) ? 4 : 1;
    const distance = step * Math.trunc(r.between(-128, 127) / (r.chance(0.6) ? step : 1) / (step === 16 ? 4 : 1));
    instruction.setOpKind(i, K.Memory);
    const way = r.below(100);
    if (way < 10) {
      instruction.memoryBase = R.RIP;
      instruction.memoryDisplacement = BigInt(ARENA + this.offset(step));
      instruction.memoryDisplSize = 8;
      return;
    }
    if (way < 14) {
      instruction.segmentPrefix = R.GS;
      instruction.memoryDisplacement = BigInt(this.offset(step) - (GS_BASE - ARENA));
      instruction.memoryDisplSize = 4;
      if (r.chance(0.5)) {
        instruction.memoryBase = R.RAX + r.pick(roles.indexes);
        instruction.memoryDisplacement = BigInt(r.below(256));
      }
      return;
    }
    instruction.memoryBase = R.RAX + (way < 15 ? r.below(16) : r.pick(roles.pointers));
    if (r.chance(aligned ? 0.1 : 0.35)) {
      let index = r.chance(0.96) ? r.pick(roles.indexes) : r.below(16);
      if (index === 4) index = 8;
      instruction.memoryIndex = R.RAX + index;
      instruction.memoryIndexScale = 1 << r.below(4);
    }
    if (way >= 15 && way < 17) {
      // 67h: the address is cut to 32 bits, where nothing is; lea is happy with it
      instruction.memoryBase = R.EAX + (instruction.memoryBase - R.RAX);
      if (instruction.memoryIndex !== R.None) instruction.memoryIndex = R.EAX + (instruction.memoryIndex - R.RAX);
    }
    if (r.chance(0.8) && distance !== 0) {
      instruction.memoryDisplacement = BigInt(r.chance(0.1) ? distance * 7 : distance);
      instruction.memoryDisplSize = 1;
    }
  }

  /** An offset into the arena, seldom across one of its ends. */
  private offset(step: number): number {
    const { r } = this;
    if (r.chance(0.08)) return r.pick([0, PAGE, 2 * PAGE]) + r.between(-20, 4);
    return step * r.between(4, Math.floor((PAGE - 64) / step));
  }

  private immediate(bits: number): bigint {
    const value = integer(this.r);
    return BigInt.asIntN(bits, value);
  }

  /** Shift counts, lane numbers, predicates: near the widths, or anything. */
  private byte(): number {
    const { r } = this;
    if (r.chance(0.55)) return r.pick([0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255]);
    return r.chance(0.6) ? r.below(32) : r.below(256);
  }

  /** Sets operand `i` by iced's name of its kind. False: not by this function. */
  set(instruction: iced.Instruction, i: number, form: SupportedForm): boolean {
    const kind = form.operands[i]!;
    const fixed = FIXED[kind];
    if (fixed !== undefined) {
      instruction.setOpKind(i, K.Register);
      instruction.setOpRegister(i, fixed);
      return true;
    }
    const general = /^(r8|r16|r32|r64)_(or_mem|reg|opcode|rm|vvvv)$/.exec(kind);
    const vector = /^xmm_(or_mem|reg|rm)$/.exec(kind);
    if (general || vector) {
      if ((general?.[2] ?? vector![1]) === 'or_mem' && this.r.chance(0.55)) this.memory(instruction, i, form);
      else {
        instruction.setOpKind(i, K.Register);
        instruction.setOpRegister(i, general ? this.register(general[1]!) : this.xmm());
      }
      return true;
    }
    switch (kind) {
      case 'mem':
        this.memory(instruction, i, form);
        return true;
      case 'mem_offs':
        instruction.setOpKind(i, K.Memory);
        instruction.memoryDisplacement = BigInt(ARENA + this.offset(1));
        instruction.memoryDisplSize = 8;
        return true;
      case 'seg_rBX_al':
        instruction.setOpKind(i, K.Memory);
        instruction.memoryBase = R.RBX;
        instruction.memoryIndex = R.AL;
        return true;
      case 'es_rDI':
        instruction.setOpKind(i, K.MemoryESRDI);
        return true;
      case 'seg_rSI':
        instruction.setOpKind(i, K.MemorySegRSI);
        return true;
      default:
        return this.setImmediate(instruction, i, kind);
    }
  }

  private setImmediate(instruction: iced.Instruction, i: number, kind: string): boolean {
    const set = (opKind: iced.OpKind): true => {
      instruction.setOpKind(i, opKind);
      return true;
    };
    switch (kind) {
      case 'imm8':
        if (i > 0 && instruction.opKind(i - 1) === K.Immediate16) {
          instruction.immediate8_2nd = this.byte();
          return set(K.Immediate8_2nd);
        }
        instruction.immediate8 = this.byte();
        return set(K.Immediate8);
      case 'imm8_const_1':
        instruction.immediate8 = 1;
        return set(K.Immediate8);
      case 'imm8sex16':
        instruction.immediate8to16 = Number(this.immediate(8));
        return set(K.Immediate8to16);
      case 'imm8sex32':
        instruction.immediate8to32 = Number(this.immediate(8));
        return set(K.Immediate8to32);
      case 'imm8sex64':
        instruction.immediate8to64 = this.immediate(8);
        return set(K.Immediate8to64);
      case 'imm16':
        instruction.immediate16 = Number(BigInt.asUintN(16, this.immediate(16)));
        return set(K.Immediate16);
      case 'imm32':
        instruction.immediate32 = Number(BigInt.asUintN(32, this.immediate(32)));
        return set(K.Immediate32);
      case 'imm32sex64':
        instruction.immediate32to64 = this.immediate(32);
        return set(K.Immediate32to64);
      case 'imm64':
        instruction.immediate64 = this.immediate(64);
        return set(K.Immediate64);
      default:
        return false;
    }
  }
}
