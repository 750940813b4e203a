/** Writes the entries of a program, instruction by instruction. */
import * as iced from 'iced-x86';
import type { SupportedForm } from '../../src/x64/forms.ts';
import type { Forms } from './forms.ts';
import { Operands, type Roles, roles } from './operands.ts';
import type { Code, Entry } from './program.ts';
import type { Random } from './random.ts';

const R = iced.Register;
const K = iced.OpKind;

export interface Extra extends Partial<Omit<Code, 'kind' | 'instruction' | 'form' | 'group'>> {}

export class Writer {
  readonly entries: Entry[] = [];
  readonly roles: Roles;
  readonly operands: Operands;
  readonly r: Random;
  readonly forms: Forms;
  group = 0;

  constructor(r: Random, forms: Forms) {
    this.r = r;
    this.forms = forms;
    this.roles = roles(r);
    this.operands = new Operands(r, this.roles);
  }

  label(label: number): void {
    this.entries.push({ kind: 'label', label });
  }

  create(code: string): iced.Instruction {
    const instruction = new iced.Instruction();
    instruction.code = this.forms.named(code).number;
    return instruction;
  }

  push(instruction: iced.Instruction, form: SupportedForm | undefined, extra: Extra = {}): void {
    this.entries.push({ kind: 'code', instruction, form, group: this.group, ...extra });
  }

  /** Adds an instruction whose operands `fill` sets. */
  add(code: string, fill?: (instruction: iced.Instruction) => void, extra: Extra = {}): void {
    const instruction = this.create(code);
    if (extra.names === 'branch') instruction.setOpKind(0, K.NearBranch64);
    fill?.(instruction);
    this.push(instruction, undefined, extra);
  }

  setRegister(register: iced.Register, value: number): void {
    this.add('Mov_r32_imm32', (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = register;
      i.setOpKind(1, K.Immediate32);
      i.immediate32 = value;
    });
  }

  loadLabel(label: number): iced.Register {
    const register = this.operands.register('r64');
    const fill = (i: iced.Instruction) => {
      i.setOpKind(0, K.Register);
      i.op0Register = register;
      i.setOpKind(1, K.Immediate64);
    };
    this.add('Mov_r64_imm64', fill, { label, names: 'immediate' });
    return register;
  }

  /** Gives an operand the memory operand of another instruction. */
  copyMemory(from: iced.Instruction, to: iced.Instruction, operand: number, plus = 0): void {
    to.setOpKind(operand, K.Memory);
    to.memoryBase = from.memoryBase;
    to.memoryIndex = from.memoryIndex;
    to.memoryIndexScale = from.memoryIndexScale;
    to.memoryDisplacement = from.memoryDisplacement + BigInt(plus);
    to.memoryDisplSize = from.memoryDisplSize || (plus ? 1 : 0);
    if (from.segmentPrefix !== R.None) to.segmentPrefix = from.segmentPrefix;
  }
}
