/** Every instruction family there is, by mnemonic. */
import type { Instruction } from '../decode.ts';
import { arithmetic } from './arithmetic.ts';
import { atomics } from './atomics.ts';
import { bits } from './bits.ts';
import { control } from './control.ts';
import { moves } from './moves.ts';
import { multiply } from './multiply.ts';
import type { InstructionRecord } from './record.ts';
import { shifts } from './shifts.ts';
import { sseConvert } from './sse-convert.ts';
import { sseFloat } from './sse-float.ts';
import { sseInteger } from './sse-integer.ts';
import { sseMoves } from './sse-moves.ts';
import { sseShuffle } from './sse-shuffle.ts';
import { strings } from './strings.ts';
import { system } from './system.ts';

export const records: readonly InstructionRecord[] = [
  ...moves,
  ...arithmetic,
  ...shifts,
  ...multiply,
  ...bits,
  ...control,
  ...strings,
  ...atomics,
  ...system,
  ...sseMoves,
  ...sseInteger,
  ...sseShuffle,
  ...sseFloat,
  ...sseConvert,
];

/** Some mnemonics name two instructions (movsd, cmpsd): the first record that accepts the form has it. */
const byName: ReadonlyMap<string, readonly InstructionRecord[]> = records.reduce((map, record) => {
  for (const name of record.names) map.set(name, [...(map.get(name) ?? []), record]);
  return map;
}, new Map<string, InstructionRecord[]>());

/** The record that handles an instruction, or undefined when we lack it. */
export function recordOf(instruction: Instruction): InstructionRecord | undefined {
  const odd = instruction.operands.some((o) => o.kind === 'other');
  return byName
    .get(instruction.mnemonic)
    ?.find((record) => (record.accepts ? record.accepts(instruction) : true) && (!odd || record.oddOperands === true));
}
