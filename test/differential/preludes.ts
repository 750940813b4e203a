/** What is put in front of some instructions. */
import * as iced from 'iced-x86';
import type { SupportedForm } from '../../src/x64/forms.ts';
import type { Writer } from './writer.ts';

const R = iced.Register;
const K = iced.OpKind;

const COUNTED = /^(?:Rol|Ror|Rcl|Rcr|Shl|Shr|Sal|Sar|Shld|Shrd)_.*_CL$/;
const FLAGS_AND_DIRECTION = 0xcd5;

/** What has to come before some instructions, for them to be defined or interesting. Returns a shift's count. */
export function prepare(w: Writer, form: SupportedForm, instruction: iced.Instruction): number | undefined {
  const { r, operands } = w;
  const { code } = form;
  if (COUNTED.test(code)) {
    const double = /^Sh[lr]d_rm16/.test(code);
    if (!double && (operands.kept.has(1) || r.chance(0.3))) return undefined;
    const count = double
      ? r.between(0, 16) + 32 * r.below(8)
      : r.chance(0.5) ? r.pick([0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65]) : r.below(256); // biome-ignore format: two ways
    w.add('Mov_r8_imm8', (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = R.CL;
      i.setOpKind(1, K.Immediate8);
      i.immediate8 = count;
    });
    return count;
  }
  if (/^Sh[lr]d_rm16_r16_imm8/.test(code)) instruction.immediate8 = r.between(0, 16) + 32 * r.below(8);
  else if (/^I?[Dd]iv_/.test(code) && r.chance(0.75)) halves(w, code);
  else if (/^Cmpxchg_/.test(code) && r.chance(0.5)) expect(w, instruction, code);
  else if (/^Cmpxchg(8|16)b/.test(code) && r.chance(0.5)) expectPair(w, instruction, code.startsWith('Cmpxchg16b'));
  else if (code === 'Popfq') {
    w.add('Pushq_imm32', (i) => {
      i.setOpKind(0, K.Immediate32to64);
      i.immediate32to64 = BigInt((r.u32() & FLAGS_AND_DIRECTION) | 0x202);
    });
  } else if (code === 'Ldmxcsr_m32') controlWord(w, instruction);
  else if (code === 'Stmxcsr_m32') {
    const load = w.create('Ldmxcsr_m32');
    operands.memory(load, 0, form);
    controlWord(w, load);
    w.push(load, undefined);
  } else if (code === 'Enterq_imm16_imm8') {
    instruction.immediate16 = r.below(64);
    instruction.immediate8_2nd = r.chance(0.9) ? r.below(4) : r.below(256);
  } else if (code === 'Int_imm8') instruction.immediate8 = 0x29;
  return undefined;
}

/** Upper halves of dividends that leave quotients a chance. */
function halves(w: Writer, code: string): void {
  const { r } = w;
  const bits = /8$/.test(code) ? 8 : 32;
  if (bits === 8) w.setRegister(R.EAX, r.chance(0.5) ? r.below(256) : r.below(0x10000));
  else if (r.chance(0.5)) w.add(r.pick(['Cqo', 'Cdq', 'Cwd']));
  else w.setRegister(R.EDX, r.chance(0.5) ? 0 : r.below(1000));
}

/** Loads the accumulator from the destination, so that the comparison may succeed. */
function expect(w: Writer, instruction: iced.Instruction, code: string): void {
  const bits = /rm(\d+)/.exec(code)![1]!;
  w.add(`Mov_r${bits}_rm${bits}`, (i) => {
    i.setOpKind(0, K.Register);
    i.op0Register = { 8: R.AL, 16: R.AX, 32: R.EAX, 64: R.RAX }[bits]!;
    if (instruction.opKind(0) === K.Memory) w.copyMemory(instruction, i, 1);
    else {
      i.setOpKind(1, K.Register);
      i.op1Register = instruction.op0Register;
    }
  });
}
function expectPair(w: Writer, instruction: iced.Instruction, wide: boolean): void {
  const halves = [[wide ? R.RAX : R.EAX, 0], [wide ? R.RDX : R.EDX, wide ? 8 : 4]] as const; // biome-ignore format: a pair
  for (const [register, plus] of halves) {
    w.add(wide ? 'Mov_r64_rm64' : 'Mov_r32_rm32', (i) => {
      i.setOpKind(0, K.Register);
      i.op0Register = register;
      w.copyMemory(instruction, i, 1, plus);
    });
  }
}

/** Stores a control word the guest CPU accepts: exceptions masked, to nearest; the sticky bits are free. */
function controlWord(w: Writer, load: iced.Instruction): void {
  w.add('Mov_rm32_imm32', (i) => {
    w.copyMemory(load, i, 0);
    i.setOpKind(1, K.Immediate32);
    i.immediate32 = 0x1f80 | w.r.below(64);
  });
}
