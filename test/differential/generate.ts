/** Random programs in which every form gets its turn. */
import * as iced from 'iced-x86';
import type { SupportedForm } from '../../src/x64/forms.ts';
import type { Forms } from './forms.ts';
import { prefixesOf } from './forms.ts';
import { prepare } from './preludes.ts';
import { type Code, OUT } from './program.ts';
import { integer, type Random } from './random.ts';
import { type Extra, Writer } from './writer.ts';

const R = iced.Register;
const K = iced.OpKind;

/** They move RSP, on which a function's return depends. */
const STACK = /^(Push|Pop|Enter|Leave|Call|Retn|Jmp_rm)/;
/** They count in RCX. */
const LOOPS = /^Loop/;

export class Generator extends Writer {
  private labels = 0;
  /** Labels to be set after so many more groups. */
  private pending: { label: number; groups: number }[] = [];
  private functions: { label: number; returns: number[]; ret: SupportedForm }[] = [];
  private depth = 0;
  private readonly choose: () => SupportedForm;

  constructor(r: Random, forms: Forms, choose: () => SupportedForm) {
    super(r, forms);
    this.choose = choose;
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
    const count = prepare(this, form, instruction);
    this.push(instruction, form, count === undefined ? {} : { count });
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
