/**
 * The list of supported instruction forms, for test generators and for the documentation. It is derived from the records, which
 * also say what a test must know: undefined flags and results, preconditions, and what cannot run outside the engine.
 */
import { type CodeForm, codeForms } from './decode.ts';
import type { InstructionRecord } from './lift/record.ts';
import { records } from './lift/table.ts';

export interface SupportedForm extends CodeForm {
  readonly record: InstructionRecord;
}

/** Operands that only other instructions have: MMX, AVX, x87, control, debug and segment registers, far and 16-bit targets. */
const FOREIGN =
  /^(mm_|ymm|zmm|k_|kp1|bnd|cr_|dr_|tr_|seg_reg|st0|sti|tmm|farbr|br16|xmm_is|mem_vsib|sibmem|([ecsdfg]s)$)/;
const CR8_MOVES: ReadonlySet<string> = new Set(['Mov_r64_cr', 'Mov_cr_r64']);
/** Forms the records turn down by size or encoding: 16-bit pushes, pops and branches, far transfers. */
const NARROW =
  /^(Push_r16|Push_rm16|Push_imm16|Pushw_|Pop_r16|Pop_rm16|Retnw|Call_rm16|Jmp_rm16|Bswap_r16$|Leavew|Enterw|VEX_KNC_)|_m16(16|32|64)$/;

/** Forms whose instructions a record of this mnemonic may accept. `recordOf` decides for a decoded instruction. */
export function supportedForms(): SupportedForm[] {
  const byName = new Map<string, InstructionRecord[]>();
  for (const record of records) {
    for (const name of record.names) byName.set(name, [...(byName.get(name) ?? []), record]);
  }
  return codeForms().flatMap((form) => {
    const candidates = byName.get(form.mnemonic);
    if (!candidates || NARROW.test(form.code)) return [];
    const foreign = form.operands.some((kind) => FOREIGN.test(kind));
    if (foreign && !CR8_MOVES.has(form.code)) return [];
    const record = candidates.length === 1 ? candidates[0]! : choose(form, candidates);
    return [{ ...form, record }];
  });
}

/** movsd and cmpsd are a string and an SSE instruction; mov has its own record for CR8. */
function choose(form: CodeForm, candidates: readonly InstructionRecord[]): InstructionRecord {
  const vector = form.operands.some((kind) => kind.startsWith('xmm'));
  const control = CR8_MOVES.has(form.code);
  const wanted = candidates.find((r) =>
    control
      ? r.oddOperands
      : vector
        ? r.names.length === 1
        : r.oddOperands === undefined && (r.names.length > 1 || form.mnemonic === 'mov'),
  );
  return wanted ?? candidates[0]!;
}
