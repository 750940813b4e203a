/**
 * String instructions. With a repeat prefix they loop in place: registers are up to date at every iteration, so a refused
 * access or the end of the budget leaves in between and the same instruction goes on later.
 */
import { zero } from '../body.ts';
import type { Instruction, MemoryOperand, Operand, Size } from '../decode.ts';
import { FlagKind, packFlags } from '../flags.ts';
import { Layout, Rflags } from '../layout.ts';
import { i32, i64, local, select, type Value } from '../values.ts';
import type { HelperContext } from './helper.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;

const memory = (operand: Operand): MemoryOperand => operand as MemoryOperand;

/** How far the pointers move: the operand's size, downwards when DF is set. */
function stride(l: Lift, size: Size): Value {
  const flags = i32.load(zero, l.frame.cell(Layout.systemFlags));
  return l.keep(select(i32.and(flags, i32.const(Rflags.DF)), i64.const(BigInt(-size)), i64.const(BigInt(size))));
}

/**
 * Writes `once`, or a loop of it under RCX. `once` advances the pointers; it may return a condition on which a repeat ends.
 */
function repeat(l: Lift, i: Instruction, once: () => Value | undefined): void {
  if (!i.rep) {
    once();
    return;
  }
  const { body, frame } = l;
  const fuel = local(i32.type, frame.fuel);
  l.forgetFacts();
  const used = i64.eqz(l.gpr(RCX));
  body.block();
  body.brIf(0, used);
  body.loop();
  const end = once();
  l.setGpr(RCX, i64.sub(l.gpr(RCX), i64.const(1n)));
  body.set(frame.fuel, i32.sub(fuel, i32.const(1)));
  if (end) body.brIf(1, end);
  body.brIf(1, used);
  // behind an iteration, so that every run makes some progress
  l.leaveIf(i32.lt_s(i32.or(fuel, i32.load(zero, frame.cell(Layout.stop))), i32.const(0)), 'budget');
  body.br(0);
  body.end();
  body.end();
  l.forgetFacts();
}

/** movs, stos, lods. */
function transfer(pointers: readonly number[], move: (l: Lift, i: Instruction, size: Size) => void): Lifter {
  return (l, i) => {
    const size = l.sizeOf(i.operands[0]!);
    const step = stride(l, size);
    repeat(l, i, () => {
      move(l, i, size);
      for (const pointer of pointers) l.setGpr(pointer, i64.add(l.gpr(pointer), step));
      return undefined;
    });
  };
}

/** scas, cmps: flags of the last comparison. They are set behind the loop: any exit inside it compares again. */
function comparing(
  pointers: readonly number[],
  operands: (l: Lift, i: Instruction, size: Size) => [Value, Value],
): Lifter {
  return (l, i) => {
    const size = l.sizeOf(i.operands[0]!);
    const step = stride(l, size);
    const { body, frame } = l;
    const { type } = l.ops(size);
    const left = frame.locals.temporary(type);
    const right = frame.locals.temporary(type);
    const any = frame.locals.temporary(i32.type);
    const before = i.rep && l.live ? l.keep(l.packed(l.live)) : undefined;
    if (i.rep) body.set(any, i64.ne(l.gpr(RCX), i64.const(0n)));
    repeat(l, i, () => {
      const [a, b] = operands(l, i, size);
      body.set(left, a);
      body.set(right, b);
      for (const pointer of pointers) l.setGpr(pointer, i64.add(l.gpr(pointer), step));
      const o = l.ops(size);
      return i.rep === 'repne'
        ? o.eq(local(type, left), local(type, right))
        : o.ne(local(type, left), local(type, right));
    });
    const x = local(type, left);
    const y = local(type, right);
    if (!before) {
      l.setFlags(FlagKind.sub, size, x, y);
      return;
    }
    const wide = (v: Value) => (type === i64.type ? v : i64.extend_u(v));
    const after = packFlags(l.live, { kind: FlagKind.sub, size }, { x: wide(x), y: wide(y), z: x });
    l.setFlags(FlagKind.packed, 8, l.keep(select(local(i32.type, any), after, before)));
  };
}

const load = (l: Lift, operand: Operand, size: Size): Value => l.load(l.operandPlace(memory(operand), size, 'read'));
const store = (l: Lift, operand: Operand, size: Size, value: Value): void =>
  l.store(l.operandPlace(memory(operand), size, 'write'), value);

/** Sizes of a family: movsb, movsw, movsd, movsq. */
const sizes = (stem: string): string[] => ['b', 'w', 'd', 'q'].map((s) => stem + s);
/** movsd and cmpsd are SSE instructions too; 32-bit addressing (67h) is not supported. */
const isString = (i: Instruction): boolean =>
  i.operands.every((o) => o.kind === 'register' || (o.kind === 'memory' && o.addressSize === 8)) &&
  /^[A-Z][a-z]+_(m|AL|AX|EAX|RAX)/.test(i.code);

const comparisonFlags = (i: Instruction) => ({ reads: 0, writes: i.rep ? 0 : Rflags.arithmetic });

/** ins and outs: one element; repeated, the instruction stays until RCX is used up. */
function port(element: (h: HelperContext, i: Instruction, size: 1 | 2 | 4, step: bigint) => void) {
  return (h: HelperContext, i: Instruction) => {
    if (i.rep && h.gpr(RCX) === 0n) return;
    const size = Number(/[bwd]$/.exec(i.mnemonic)![0] === 'b' ? 1 : i.mnemonic.endsWith('w') ? 2 : 4) as 1 | 2 | 4;
    element(h, i, size, BigInt(h.registers.rflags & Rflags.DF ? -size : size));
    if (!i.rep) return;
    h.writeRegister(RCX, 8, h.gpr(RCX) - 1n);
    h.stays = h.gpr(RCX) !== 0n;
  };
}

export const strings: readonly InstructionRecord[] = [
  {
    names: sizes('movs'),
    accepts: isString,
    lift: transfer([RSI, RDI], (l, { operands: [to, from] }, size) => store(l, to!, size, load(l, from!, size))),
  },
  {
    names: sizes('stos'),
    accepts: isString,
    lift: transfer([RDI], (l, { operands: [to] }, size) => store(l, to!, size, l.readRegister(RAX, size))),
  },
  {
    names: sizes('lods'),
    accepts: isString,
    lift: transfer([RSI], (l, { operands: [, from] }, size) => l.writeRegister(RAX, size, load(l, from!, size))),
  },
  {
    names: sizes('scas'),
    accepts: isString,
    flags: comparisonFlags,
    lift: comparing([RDI], (l, { operands: [, from] }, size) => [l.readRegister(RAX, size), load(l, from!, size)]),
  },
  {
    names: sizes('cmps'),
    accepts: isString,
    flags: comparisonFlags,
    lift: comparing([RSI, RDI], (l, { operands: [left, right] }, size) => [
      load(l, left!, size),
      load(l, right!, size),
    ]),
  },
  {
    names: ['insb', 'insw', 'insd'],
    helper: port((h, { operands: [to] }, size, step) => {
      // the access is checked before the port is read: reading may have an effect
      const address = h.address(memory(to!));
      h.load(address, size);
      h.store(address, size, BigInt(h.host.readPort(Number(h.gpr(RDX) & 0xffffn), size)));
      h.writeRegister(RDI, 8, h.gpr(RDI) + step);
    }),
    test: { skip: 'needs ports' },
  },
  {
    names: ['outsb', 'outsw', 'outsd'],
    helper: port((h, { operands: [, from] }, size, step) => {
      const value = h.load(h.address(memory(from!)), size);
      h.host.writePort(Number(h.gpr(RDX) & 0xffffn), size, Number(value));
      h.writeRegister(RSI, 8, h.gpr(RSI) + step);
    }),
    test: { skip: 'needs ports' },
  },
];
