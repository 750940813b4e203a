/** Random programs in which every form gets its turn. */
import * as iced from 'iced-x86';
import type { SupportedForm } from '../../src/x64/forms.ts';
import type { Forms } from './forms.ts';
import { prefixesOf } from './forms.ts';
import { Operands, type Roles, roles } from './operands.ts';
import { type Code, type Entry, OUT } from './program.ts';
import { integer, type Random } from './random.ts';

const R = iced.Register;
const K = iced.OpKind;

/** They move RSP, on which a function's return depends. */
const STACK = /^(Push|Pop|Enter|Leave|Call|Retn|Jmp_rm)/;
const COUNTED = /^(?:Rol|Ror|Rcl|Rcr|Shl|Shr|Sal|Sar|Shld|Shrd)_.*_CL$/;
/** They count in RCX. */
const LOOPS = /^Loop/;
const FLAGS_AND_DIRECTION = 0xcd5;

interface Extra extends Partial<Omit<Code, 'kind' | 'instruction' | 'form' | 'group'>> {}

export class Generator {
  readonly entries: Entry[] = [];
  readonly roles: Roles;
  private readonly r: Random;
  private readonly forms: Forms;
  private readonly operands: Operands;
  private group = 0;
  private labels = 0;
  /** Labels to be set after so many more groups. */
  private pending: { label: number; groups: number }[] = [];
  private functions: { label: number; returns: number[]; ret: SupportedForm }[] = [];
  private depth = 0;
  private readonly choose: () => SupportedForm;

  constructor(r: Random, forms: Forms, choose: () => SupportedForm) {
    this.r = r;
    this.forms = forms;
    this.choose = choose;
    this.roles = roles(r);
    this.operands = new Operands(r, this.roles);
  }

  /** A whole program around some forms. */
  program(main: readonly SupportedForm[]): void {
    for (const form of main) this.step(form);
    for (const { label } of this.pending) this.label(label);
    this.pending = [];
    this.group++;
    this.add('Jmp_rel32_64', undefined, { label: OUT, names: 'branch', ways: [OUT], leaves: true });
    for (const { label, returns, ret } of this.functions) {
      this.label(label);
      this.body(/./, STACK);
      this.group++;
      const instruction = this.create(ret.code);
      if (ret.operands.length > 0) {
        instruction.setOpKind(0, K.Immediate16);
        instruction.immediate16 = 8 * this.r.below(4);
      }
      this.push(instruction, ret, { ways: returns, leaves: true });
    }
  }

  /** An instruction that sets every flag and changes no register another depends on. */
  definer(): Code {
    const { r, operands } = this;
    const kept = [0, 1, 2].filter((n) => !operands.kept.has(n));
    for (const n of kept) operands.kept.add(n);
    const size = r.pick(['8', '16', '32', '64']);
    const name = `${r.pick(['Cmp', 'Cmp', 'Add', 'Sub'])}_r${size}_rm${size}`;
    const form = this.forms.named(name);
    const instruction = new iced.Instruction();
    instruction.code = form.number;
    operands.set(instruction, 0, form);
    instruction.setOpKind(1, K.Register);
    instruction.setOpRegister(1, operands.register(`r${size}`));
    if (size === '8') {
      // AH and its like do not go with SPL and its like
      instruction.op0Register = R.R8L + r.below(8);
      instruction.op1Register = R.SPL + r.below(4);
    }
    for (const n of kept) operands.kept.delete(n);
    return { kind: 'code', instruction, form, group: -1 };
  }

  private step(form: SupportedForm): void {
    this.generate(form);
    for (const waiting of this.pending) waiting.groups--;
    for (const { label } of this.pending.filter((p) => p.groups < 0)) this.label(label);
    this.pending = this.pending.filter((p) => p.groups >= 0);
  }

  private label(label: number): void {
    this.entries.push({ kind: 'label', label });
  }

  private create(code: string): iced.Instruction {
    const instruction = new iced.Instruction();
    instruction.code = this.forms.named(code).number;
    return instruction;
  }

  private push(instruction: iced.Instruction, form: SupportedForm | undefined, extra: Extra = {}): void {
    this.entries.push({ kind: 'code', instruction, form, group: this.group, ...extra });
  }

  /** Adds an instruction whose operands `fill` sets. */
  private add(code: string, fill?: (instruction: iced.Instruction) => void, extra: Extra = {}): void {
    const instruction = this.create(code);
    if (extra.names === 'branch') instruction.setOpKind(0, K.NearBranch64);
    fill?.(instruction);
    this.push(instruction, undefined, extra);
  }

  private setRegister(register: iced.Register, value: number): void {
    this.add('Mov_r32_imm32', (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = register;
      i.setOpKind(1, K.Immediate32);
      i.immediate32 = value;
    });
  }

  private loadLabel(label: number): iced.Register {
    const register = this.operands.register('r64');
    const fill = (i: iced.Instruction) => {
      i.setOpKind(0, K.Register);
      i.op0Register = register;
      i.setOpKind(1, K.Immediate64);
    };
    this.add('Mov_r64_imm64', fill, { label, names: 'immediate' });
    return register;
  }

  /** One to three groups of other forms. */
  private body(only: RegExp, without: RegExp): void {
    this.depth++;
    for (let n = this.r.between(1, 3); n > 0; ) {
      const form = this.choose();
      if (!only.test(form.code) || without.test(form.code) || form.record.control) continue;
      this.generate(form);
      n--;
    }
    this.depth--;
  }

  private generate(form: SupportedForm): void {
    const { r, operands } = this;
    const { code } = form;
    this.group++;
    if (form.record.control && form.record.control !== 'stop') {
      this.control(form);
      return;
    }
    const instruction = this.create(code);
    form.operands.forEach((kind, i) => {
      if (!operands.set(instruction, i, form)) throw new Error(`operand ${kind} of ${code}`);
    });
    const inMemory = form.operands.length > 0 && instruction.opKind(0) === K.Memory;
    const { lock, rep, repne } = prefixesOf(form);
    if (lock && inMemory && r.chance(0.25)) instruction.hasLockPrefix = true;
    if (rep && !operands.kept.has(1) && r.chance(0.7)) {
      if (repne && r.chance(0.5)) instruction.hasRepnePrefix = true;
      else instruction.hasRepPrefix = true;
      if (r.chance(0.9)) this.setRegister(R.ECX, r.chance(0.2) ? 0 : r.between(1, r.chance(0.05) ? 3000 : 12));
    }
    if (/^Bt[src]?_rm\d+_r/.test(code) && inMemory && r.chance(0.8)) {
      const wide = instruction.opRegister(1) >= R.RAX ? R.RAX : instruction.opRegister(1) >= R.EAX ? R.EAX : R.AX;
      instruction.op1Register = wide + r.pick(this.roles.indexes);
    }
    // an address by RSP is computed after the pop
    if (code === 'Pop_rm64' && inMemory && instruction.memoryBase !== R.RIP && r.chance(0.5)) {
      instruction.memoryBase = R.RSP;
    }
    const count = this.prepare(form, instruction);
    this.push(instruction, form, count === undefined ? {} : { count });
  }

  /** What has to come before some instructions, for them to be defined or interesting. Returns a shift's count. */
  private prepare(form: SupportedForm, instruction: iced.Instruction): number | undefined {
    const { r, operands } = this;
    const { code } = form;
    if (COUNTED.test(code)) {
      const double = /^Sh[lr]d_rm16/.test(code);
      if (!double && (operands.kept.has(1) || r.chance(0.3))) return undefined;
      const count = double
        ? r.between(0, 16) + 32 * r.below(8)
        : r.chance(0.5) ? r.pick([0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65]) : r.below(256); // biome-ignore format: two ways
      this.add('Mov_r8_imm8', (i) => {
        i.setOpKind(0, K.Register);
        i.op0Register = R.CL;
        i.setOpKind(1, K.Immediate8);
        i.immediate8 = count;
      });
      return count;
    }
    if (/^Sh[lr]d_rm16_r16_imm8/.test(code)) instruction.immediate8 = r.between(0, 16) + 32 * r.below(8);
    else if (/^I?[Dd]iv_/.test(code) && r.chance(0.75)) this.halves(code);
    else if (/^Cmpxchg_/.test(code) && r.chance(0.5)) this.expect(instruction, code);
    else if (/^Cmpxchg(8|16)b/.test(code) && r.chance(0.5)) this.expectPair(instruction, code.startsWith('Cmpxchg16b'));
    else if (code === 'Popfq') {
      this.add('Pushq_imm32', (i) => {
        i.setOpKind(0, K.Immediate32to64);
        i.immediate32to64 = BigInt((r.u32() & FLAGS_AND_DIRECTION) | 0x202);
      });
    } else if (code === 'Ldmxcsr_m32') this.controlWord(instruction);
    else if (code === 'Stmxcsr_m32') {
      const load = this.create('Ldmxcsr_m32');
      operands.memory(load, 0, form);
      this.controlWord(load);
      this.push(load, undefined);
    } else if (code === 'Enterq_imm16_imm8') {
      instruction.immediate16 = r.below(64);
      instruction.immediate8_2nd = r.chance(0.9) ? r.below(4) : r.below(256);
    } else if (code === 'Int_imm8') instruction.immediate8 = 0x29;
    return undefined;
  }

  /** Upper halves of dividends that leave quotients a chance. */
  private halves(code: string): void {
    const { r } = this;
    const bits = /8$/.test(code) ? 8 : 32;
    if (bits === 8) this.setRegister(R.EAX, r.chance(0.5) ? r.below(256) : r.below(0x10000));
    else if (r.chance(0.5)) this.add(r.pick(['Cqo', 'Cdq', 'Cwd']));
    else this.setRegister(R.EDX, r.chance(0.5) ? 0 : r.below(1000));
  }

  private copyMemory(from: iced.Instruction, to: iced.Instruction, operand: number, plus = 0): void {
    to.setOpKind(operand, K.Memory);
    to.memoryBase = from.memoryBase;
    to.memoryIndex = from.memoryIndex;
    to.memoryIndexScale = from.memoryIndexScale;
    to.memoryDisplacement = from.memoryDisplacement + BigInt(plus);
    to.memoryDisplSize = from.memoryDisplSize || (plus ? 1 : 0);
    if (from.segmentPrefix !== R.None) to.segmentPrefix = from.segmentPrefix;
  }

  /** Loads the accumulator from the destination, so that the comparison may succeed. */
  private expect(instruction: iced.Instruction, code: string): void {
    const bits = /rm(\d+)/.exec(code)![1]!;
    this.add(`Mov_r${bits}_rm${bits}`, (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = { 8: R.AL, 16: R.AX, 32: R.EAX, 64: R.RAX }[bits]!;
      if (instruction.opKind(0) === K.Memory) this.copyMemory(instruction, i, 1);
      else {
        i.setOpKind(1, K.Register);
        i.op1Register = instruction.op0Register;
      }
    });
  }
  private expectPair(instruction: iced.Instruction, wide: boolean): void {
    for (const [register, plus] of [
      [wide ? R.RAX : R.EAX, 0],
      [wide ? R.RDX : R.EDX, wide ? 8 : 4],
    ] as const) {
      // biome-ignore format: a pair
      this.add(wide ? 'Mov_r64_rm64' : 'Mov_r32_rm32', (i) => {
        i.setOpKind(0, K.Register);
        i.op0Register = register;
        this.copyMemory(instruction, i, 1, plus);
      });
    }
  }

  /** Stores a control word the guest CPU accepts: exceptions masked, to nearest; the sticky bits are free. */
  private controlWord(load: iced.Instruction): void {
    this.add('Mov_rm32_imm32', (i) => {
      this.copyMemory(load, i, 0);
      i.setOpKind(1, K.Immediate32);
      i.immediate32 = 0x1f80 | this.r.below(64);
    });
  }

  // --- control ---

  private control(form: SupportedForm): void {
    const { r } = this;
    const { code } = form;
    if (code.startsWith('Retn')) {
      if (r.chance(0.5)) this.call(form);
      else this.returnTo(form);
    } else if (code === 'Call_rel32_64') this.call(this.forms.named(r.chance(0.8) ? 'Retnq' : 'Retnq_imm16'), form);
    else if (/^(Call|Jmp)_rm64$/.test(code)) this.indirect(form);
    else if (LOOPS.test(code)) this.loop(form);
    else if (/^J[^mer]|^Je_|^Jmp_rel/.test(code) && r.chance(0.2) && !code.startsWith('Jmp')) this.counted(form);
    else this.forward(form);
  }

  private later(): number {
    const label = this.labels++;
    this.pending.push({ label, groups: this.r.below(4) });
    return label;
  }

  private branch(form: SupportedForm, label: number): void {
    const instruction = this.create(form.code);
    instruction.setOpKind(0, K.NearBranch64);
    const leaves = form.code.startsWith('Jmp');
    this.push(instruction, form, { label, names: 'branch', ways: [label], ...(leaves ? { leaves } : {}) });
  }

  private forward(form: SupportedForm): void {
    this.branch(form, this.later());
  }

  /** loop, loope, loopne: back by a small RCX. They leave flags alone, so those live around the edge. */
  private loop(form: SupportedForm): void {
    const { operands, r } = this;
    if (operands.kept.has(1)) return;
    this.setRegister(R.ECX, r.between(1, 6));
    operands.kept.add(1);
    const head = this.labels++;
    this.label(head);
    const { group } = this;
    this.body(/./, /_CL$|^(Cpuid|Xchg|Cmpxchg|Xadd|Pop)|rCX/);
    this.group = group;
    this.branch(form, head);
    operands.kept.delete(1);
  }

  /** A loop by a counter and a condition that ends it. */
  private counted(form: SupportedForm): void {
    const { operands, r } = this;
    const n = r.pick(this.roles.data.filter((m) => m > 7));
    if (n === undefined || operands.kept.size > 0) {
      this.forward(form);
      return;
    }
    this.setRegister(R.EAX + n, r.between(1, 5));
    operands.kept.add(n);
    const head = this.labels++;
    this.label(head);
    const { group } = this;
    this.body(/./, STACK);
    this.group = group;
    // the condition of the form may well hold for ever: another one leaves when the counter is used up
    this.add('Dec_rm32', (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = R.EAX + n;
    });
    this.branch(this.forms.named('Js_rel32_64'), this.later());
    if (r.chance(0.5)) {
      const definer = this.definer();
      this.entries.push({ ...definer, group });
    }
    this.branch(form, head);
    operands.kept.delete(n);
  }

  private call(ret: SupportedForm, call?: SupportedForm): void {
    const { r } = this;
    const back = this.labels++;
    let callee = r.chance(0.4) ? this.functions.find((f) => f.ret === ret) : undefined;
    if (!callee || this.depth > 0) {
      callee = { label: this.labels++, returns: [], ret };
      this.functions.push(callee);
    }
    callee.returns.push(back);
    const extra: Extra = { label: callee.label, names: 'branch', ways: [callee.label], leaves: true };
    const instruction = this.create('Call_rel32_64');
    instruction.setOpKind(0, K.NearBranch64);
    this.push(instruction, call, extra);
    this.label(back);
  }

  /** A return to an address that was pushed. */
  private returnTo(ret: SupportedForm): void {
    const label = this.later();
    const register = this.loadLabel(label);
    this.add('Push_r64', (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = register;
    });
    const instruction = this.create(ret.code);
    if (ret.operands.length > 0) {
      instruction.setOpKind(0, K.Immediate16);
      instruction.immediate16 = this.r.chance(0.8) ? 8 * this.r.below(8) : Number(integer(this.r) & 0x3ffn);
    }
    this.push(instruction, ret, { ways: [label], leaves: true });
  }

  private indirect(form: SupportedForm): void {
    const label = this.later();
    const register = this.loadLabel(label);
    const instruction = this.create(form.code);
    if (this.r.chance(0.5)) {
      this.operands.memory(instruction, 0, form);
      this.add('Mov_rm64_r64', (i) => {
        this.copyMemory(instruction, i, 0);
        i.setOpKind(1, K.Register);
        i.op1Register = register;
      });
    } else {
      instruction.setOpKind(0, K.Register);
      instruction.op0Register = register;
    }
    this.push(instruction, form, { ways: [label], leaves: true });
  }
}
