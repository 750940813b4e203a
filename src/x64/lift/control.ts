/** Jumps, calls, returns, loops; nothing that needs the host. */
import { toBits } from '../../trace/units.ts';
import type { Instruction } from '../decode.ts';
import { conditionReads } from '../flags.ts';
import { i32, i64, type Value } from '../values.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

const RCX = 1;
const RSP = 4;

const JUMPS = ['jo', 'jno', 'jb', 'jae', 'je', 'jne', 'jbe', 'ja', 'js', 'jns', 'jp', 'jnp', 'jl', 'jge', 'jle', 'jg'];

/** Numbers of a block's edges in the CFG: see cfg.ts. */
export const TAKEN = 0;
export const FALL = 1;

/** loop, loope, loopne: RCX (or ECX) counts down. */
function loop(also: (l: Lift) => Value | undefined): Lifter {
  return (l, i) => {
    const narrow = i.bytes[0] === 0x67;
    const extra = also(l);
    const holds = extra && l.keep(extra);
    const less = l.keep(narrow ? i32.sub(i32.wrap(l.gpr(RCX)), i32.const(1)) : i64.sub(l.gpr(RCX), i64.const(1n)));
    l.setGpr(RCX, narrow ? i64.extend_u(less) : less);
    const more = narrow ? i32.ne(less, i32.const(0)) : i64.ne(less, i64.const(0n));
    l.ending = {
      condition: holds ? i32.and(more, holds) : more,
      taken: { kind: 'edge', edge: TAKEN },
      otherwise: { kind: 'edge', edge: FALL },
    };
  };
}

const indirect = (i: Instruction): boolean => {
  const [to] = i.operands;
  return i.target !== undefined || to?.kind === 'register' || (to?.kind === 'memory' && to.size === 8);
};

export const control: readonly InstructionRecord[] = [
  {
    names: ['jmp'],
    control: 'jump',
    accepts: indirect,
    lift(l, i) {
      l.ending = {
        taken: i.target === undefined ? l.exit(l.keep(l.read(i.operands[0]!, 8))) : { kind: 'edge', edge: TAKEN },
      };
    },
  },
  {
    names: JUMPS,
    control: 'branch',
    flags: (i) => ({ reads: conditionReads[i.condition]!, writes: 0 }),
    lift(l, i) {
      l.ending = {
        condition: l.condition(i.condition),
        taken: { kind: 'edge', edge: TAKEN },
        otherwise: { kind: 'edge', edge: FALL },
      };
    },
  },
  { names: ['loop'], control: 'branch', lift: loop(() => undefined) },
  {
    names: ['loope'],
    control: 'branch',
    flags: { reads: conditionReads[4]!, writes: 0 },
    lift: loop((l) => l.condition(4)),
  },
  {
    names: ['loopne'],
    control: 'branch',
    flags: { reads: conditionReads[5]!, writes: 0 },
    lift: loop((l) => l.condition(5)),
  },
  {
    names: ['jrcxz', 'jecxz'],
    control: 'branch',
    lift(l, i) {
      const rcx = l.gpr(RCX);
      l.ending = {
        condition: i.mnemonic === 'jrcxz' ? i64.eqz(rcx) : i32.eqz(i32.wrap(rcx)),
        taken: { kind: 'edge', edge: TAKEN },
        otherwise: { kind: 'edge', edge: FALL },
      };
    },
  },
  {
    names: ['call'],
    control: 'call',
    accepts: indirect,
    lift(l, i) {
      const to = i.target === undefined ? l.keep(l.read(i.operands[0]!, 8)) : undefined;
      l.push(i64.const(BigInt.asIntN(64, toBits(i.next))));
      l.ending = { taken: to ? l.exit(to) : { kind: 'edge', edge: TAKEN } };
    },
  },
  {
    names: ['ret'],
    control: 'return',
    lift(l, i) {
      const to = l.top();
      const [extra] = i.operands;
      const bytes = 8n + (extra?.kind === 'immediate' ? extra.value & 0xffffn : 0n);
      l.bumpGpr(RSP, bytes);
      l.ending = l.inlinedReturn
        ? {
            condition: i64.eq(to, i64.const(BigInt.asIntN(64, toBits(l.inlinedReturn)))),
            taken: { kind: 'edge', edge: TAKEN },
            otherwise: l.exit(to),
          }
        : { taken: l.exit(to) };
    },
  },
];
