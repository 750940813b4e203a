/** Every instruction family there is, by mnemonic. */
import { arithmetic } from './arithmetic.ts';
import { control } from './control.ts';
import { logicSse } from './sse-logic.ts';
import { moves } from './moves.ts';
import { multiply } from './multiply.ts';
import { shifts } from './shifts.ts';
import { sseMoves } from './sse-moves.ts';
import { system } from './system.ts';
import type { InstructionRecord } from './record.ts';
import type { Instruction } from '../decode.ts';

export const records: readonly InstructionRecord[] = [...moves, ...arithmetic, ...shifts, ...multiply, ...control, ...system, ...sseMoves, ...logicSse];

const byName: ReadonlyMap<string, InstructionRecord> = new Map(records.flatMap((r) => r.names.map((name) => [name, r] as const)));

/** The record that handles an instruction, or undefined when we lack it. */
export function recordOf(instruction: Instruction): InstructionRecord | undefined {
  const record = byName.get(instruction.mnemonic);
  return record && (record.accepts?.(instruction) ?? true) ? record : undefined;
}
