/** Moves of XMM registers. */
import type { Operand } from '../decode.ts';
import { Type } from '../emit.ts';
import { i32, i64, simd, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord } from './record.ts';

const zeroVector: Value = simd(12, Type.v128, [], ...new Array<number>(16).fill(0));

/** Moves of 16 bytes either way. `aligned` ones raise #GP(0) for memory at other addresses. */
function whole(aligned: boolean): InstructionRecord['lift'] & {} {
  return (l, { operands: [to, from] }) => {
    if (to!.kind === 'memory') {
      const address = l.keep(l.address(to!));
      if (aligned) l.requireAligned(address, 16);
      l.store128(l.place(address, 16, 'write'), l.readXmm(from!));
    } else l.writeXmm(to!, readVector(l, from!, aligned));
  };
}

/** A 16-byte operand. Memory operands of SSE arithmetic must be aligned. */
export function readVector(l: Lift, operand: Operand, aligned = true): Value {
  if (operand.kind !== 'memory') return l.readXmm(operand);
  const address = l.keep(l.address(operand));
  if (aligned) l.requireAligned(address, 16);
  return l.load128(l.place(address, 16, 'read'));
}

export const sseMoves: readonly InstructionRecord[] = [
  { names: ['movups', 'movupd', 'movdqu', 'lddqu'], lift: whole(false) },
  { names: ['movaps', 'movapd', 'movdqa', 'movntps', 'movntpd', 'movntdq', 'movntdqa'], lift: whole(true) },
];

export const zeroXmm = zeroVector;
export { i32, i64 };
