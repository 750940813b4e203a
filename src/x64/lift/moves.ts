/** Moves, address arithmetic, sign extension, the stack. */

import { fromBits } from '../../trace/units.ts';
import type { MemoryOperand, RegisterOperand, Size } from '../decode.ts';
import { conditionReads, signExtend } from '../flags.ts';
import { i32, i64, int32, int64, select } from '../values.ts';
import type { InstructionRecord } from './record.ts';

const RAX = 0;
const RDX = 2;
const RSP = 4;
const RBP = 5;

/** No segment, control, debug or vector register among the operands. */
const general: InstructionRecord['accepts'] = (i) => i.operands.every((o) => o.kind !== 'other' && o.kind !== 'xmm');

const CONDITIONS = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];

export const moves: readonly InstructionRecord[] = [
  {
    names: ['mov'],
    accepts: general,
    lift(l, { operands: [to, from] }) {
      l.write(to!, l.read(from!, l.sizeOf(to!)));
    },
  },
  {
    names: ['movzx'],
    lift(l, { operands: [to, from] }) {
      const value = l.read(from!);
      const size = l.sizeOf(to!);
      l.write(to!, size === 8 ? i64.extend_u(value) : value);
    },
  },
  {
    names: ['movsx', 'movsxd'],
    lift(l, { operands: [to, from] }) {
      const source = l.sizeOf(from!);
      const size = l.sizeOf(to!);
      const value = signExtend(l.read(from!), source);
      if (size === 8) l.write(to!, i64.extend_s(value));
      else l.write(to!, size === 2 ? i32.and(value, i32.const(0xffff)) : value);
    },
  },
  {
    names: ['lea'],
    lift(l, { operands: [to, from] }) {
      const size = l.sizeOf(to!);
      // a segment override does not count: lea computes an offset
      const address = l.address({ ...(from as MemoryOperand), gs: false });
      const cut = i32.wrap(address);
      l.write(to!, size === 8 ? address : size === 4 ? cut : i32.and(cut, i32.const(0xffff)));
    },
  },
  {
    names: ['xchg'],
    accepts: general,
    lift(l, { operands: [a, b] }) {
      const [memory, other] = a!.kind === 'memory' ? [a, b] : [b, a];
      const register = other as RegisterOperand;
      if (memory?.kind === 'memory') {
        const size = l.sizeOf(memory);
        const place = l.operandPlace(memory, size, 'write');
        const old = l.load(place);
        l.store(place, l.read(register));
        l.write(register, old);
      } else {
        const x = l.keep(l.read(a!));
        const y = l.keep(l.read(b!));
        l.write(a!, y);
        l.write(b!, x);
      }
    },
  },
  {
    names: CONDITIONS.map((c) => `cmov${c}`),
    flags: (i) => ({ reads: conditionReads[i.condition]!, writes: 0 }),
    lift(l, { operands: [to, from], condition }) {
      // the load happens whatever the condition says, and a 32-bit form clears the upper half either way
      const size = l.sizeOf(to!);
      const value = l.read(from!, size);
      l.write(to!, select(l.condition(condition), value, l.read(to!)));
    },
  },
  {
    names: CONDITIONS.map((c) => `set${c}`),
    flags: (i) => ({ reads: conditionReads[i.condition]!, writes: 0 }),
    lift(l, { operands: [to], condition }) {
      l.write(to!, i32.ne(l.condition(condition), i32.const(0)));
    },
  },
  {
    names: ['push'],
    accepts: (i) =>
      general(i) &&
      (i.operands[0]!.kind === 'immediate' ? i.code.startsWith('Pushq') : l8(i.operands[0] as { size: number })),
    lift(l, { operands: [from] }) {
      const value = from!.kind === 'immediate' ? i64.const(from!.value) : l.keep(l.read(from!, 8));
      l.push(value);
    },
  },
  {
    names: ['pop'],
    accepts: (i) => general(i) && l8(i.operands[0] as { size: number }),
    lift(l, { operands: [to] }) {
      const value = l.top();
      if (to!.kind === 'memory') {
        // an address by RSP is computed after the pop
        const bump = to!.base === RSP ? { ...to!, displacement: to!.displacement + 8n } : to!;
        l.write(bump, value);
        l.bumpGpr(RSP, 8n);
      } else {
        l.bumpGpr(RSP, 8n);
        l.write(to!, value);
      }
    },
  },
  {
    names: ['leave'],
    lift(l) {
      const value = l.load(l.fieldPlace(RBP, 0, 8, 'read'));
      l.setGprFrom(RSP, RBP, 8n);
      l.setGpr(RBP, value);
    },
  },
  {
    names: ['enter'],
    helper(h, { operands: [bytes, level] }) {
      const depth = Number((level as { value: bigint }).value) & 31;
      // loads and pushes take turns: the old frames may lie where the new one is made
      let at = h.gpr(RSP);
      const push = (value: bigint) => {
        at -= 8n;
        h.store(fromBits(at), 8, value);
      };
      push(h.gpr(RBP));
      const frame = at;
      for (let i = 1; i < depth; i++) push(h.load(fromBits(h.gpr(RBP) - 8n * BigInt(i)), 8));
      if (depth > 0) push(frame);
      const rsp = at - ((bytes as { value: bigint }).value & 0xffffn);
      // the new top must be writable, though nothing is written there
      if (!h.memory.writable(fromBits(rsp), 8)) h.store(fromBits(rsp), 8, h.load(fromBits(rsp), 8));
      h.writeRegister(RBP, 8, frame);
      h.writeRegister(RSP, 8, rsp);
    },
    test: { needs: 'RSP and RBP in the stack' },
  },
  {
    names: ['cbw'],
    lift: (l) => l.writeRegister(RAX, 2, i32.and(i32.extend8_s(l.readRegister(RAX, 1)), i32.const(0xffff))),
  },
  { names: ['cwde'], lift: (l) => l.writeRegister(RAX, 4, i32.extend16_s(l.readRegister(RAX, 2))) },
  { names: ['cdqe'], lift: (l) => l.setGpr(RAX, i64.extend32_s(l.gpr(RAX))) },
  {
    names: ['cwd'],
    lift: (l) =>
      l.writeRegister(
        RDX,
        2,
        i32.and(i32.shr_s(i32.extend16_s(l.readRegister(RAX, 2)), i32.const(15)), i32.const(0xffff)),
      ),
  },
  { names: ['cdq'], lift: (l) => l.writeRegister(RDX, 4, int32.shr_s(l.readRegister(RAX, 4), i32.const(31))) },
  { names: ['cqo'], lift: (l) => l.setGpr(RDX, int64.shr_s(l.gpr(RAX), i64.const(63n))) },
  {
    names: ['bswap'],
    lift(l, { operands: [to] }) {
      const size = l.sizeOf(to!);
      l.write(to!, swapBytes(l, l.read(to!), size));
    },
    undefinedResult: 'all of a 16-bit register',
    accepts: (i) => (i.operands[0] as RegisterOperand).size >= 4,
  },
  {
    names: ['movbe'],
    lift(l, { operands: [to, from] }) {
      const size = l.sizeOf(to!);
      l.write(to!, swapBytes(l, l.read(from!), size));
    },
  },
];

const l8 = (operand: { size: number }): boolean => operand.size === 8;

function swapBytes(
  l: Parameters<NonNullable<InstructionRecord['lift']>>[0],
  value: Parameters<typeof l.keep>[0],
  size: Size,
) {
  const v = l.keep(value);
  if (size === 2) return i32.or(i32.shr_u(v, i32.const(8)), i32.and(i32.shl(v, i32.const(8)), i32.const(0xff00)));
  if (size === 4) {
    const even = i32.and(v, i32.const(0x00ff00ff));
    const odd = i32.and(v, i32.const(0xff00ff00 | 0));
    return i32.or(i32.rotr(even, i32.const(8)), i32.rotl(odd, i32.const(8)));
  }
  const pairs = l.keep(
    i64.or(
      i64.shl(i64.and(v, i64.const(0x00ff00ff00ff00ffn)), i64.const(8n)),
      i64.and(i64.shr_u(v, i64.const(8n)), i64.const(0x00ff00ff00ff00ffn)),
    ),
  );
  const quads = l.keep(
    i64.or(
      i64.shl(i64.and(pairs, i64.const(0x0000ffff0000ffffn)), i64.const(16n)),
      i64.and(i64.shr_u(pairs, i64.const(16n)), i64.const(0x0000ffff0000ffffn)),
    ),
  );
  return i64.rotl(quads, i64.const(32n));
}
