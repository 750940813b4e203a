/** Bitwise operations on whole XMM registers. */
import { Type } from '../emit.ts';
import { simd, type Value } from '../values.ts';
import type { InstructionRecord } from './record.ts';
import { readVector, zeroXmm } from './sse-moves.ts';

const binary = (names: readonly string[], compute: (a: Value, b: Value) => Value): InstructionRecord => ({
  names,
  lift(l, { operands: [to, from] }) {
    const right = readVector(l, from!);
    l.writeXmm(to!, compute(l.readXmm(to!), right));
  },
});

const v = (code: number, ...operands: Value[]): Value => simd(code, Type.v128, operands);

export const logicSse: readonly InstructionRecord[] = [
  {
    names: ['xorps', 'xorpd', 'pxor'],
    lift(l, { operands: [to, from] }) {
      if (to!.kind === 'xmm' && from!.kind === 'xmm' && to!.register === from!.register) l.writeXmm(to!, zeroXmm);
      else {
        const right = readVector(l, from!);
        l.writeXmm(to!, v(81, l.readXmm(to!), right));
      }
    },
  },
  binary(['andps', 'andpd', 'pand'], (a, b) => v(78, a, b)),
  binary(['andnps', 'andnpd', 'pandn'], (a, b) => v(79, b, a)),
  binary(['orps', 'orpd', 'por'], (a, b) => v(80, a, b)),
];
