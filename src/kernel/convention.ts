/** Which registers a routine must give back as it found them. Microsoft, "x64 calling convention", section "Caller/callee saved". */
import { Register } from '../x64/cpu.ts';

const NONVOLATILE: readonly (readonly [name: string, register: number])[] = [
  ['RBX', Register.RBX],
  ['RBP', Register.RBP],
  ['RSI', Register.RSI],
  ['RDI', Register.RDI],
  ['R12', Register.R12],
  ['R13', Register.R13],
  ['R14', Register.R14],
  ['R15', Register.R15],
];
/** XMM6 to XMM15 are the callee's to save. */
const FIRST_XMM = 6;

interface Values {
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
}

/** Names of the registers that differ although they must not. */
export function changedNonvolatiles(before: Values, after: Values): string[] {
  const changed = NONVOLATILE.filter(([, register]) => before.gpr[register] !== after.gpr[register]).map(
    ([name]) => name,
  );
  for (let number = FIRST_XMM; number < 16; number++) {
    const low = 2 * number;
    if (before.xmm[low] !== after.xmm[low] || before.xmm[low + 1] !== after.xmm[low + 1]) changed.push(`XMM${number}`);
  }
  return changed;
}
