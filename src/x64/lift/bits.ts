/** Bit tests, bit scans, counts, BMI. */
import type { Instruction, MemoryOperand, Operand, Size } from '../decode.ts';
import { FlagKind, zeroExtend } from '../flags.ts';
import { Rflags } from '../layout.ts';
import { type Integer, i32, i64, select, type Value } from '../values.ts';
import type { HelperContext } from './helper.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

const { CF, PF, AF, ZF, SF, OF } = Rflags;
const ALL = Rflags.arithmetic;
const setsAll = { reads: 0, writes: ALL };

/** bt, bts, btr, btc. A register index into memory reaches beyond the operand. */
function bitTest(change: ((o: Integer, old: Value, mask: Value) => Value) | undefined): Lifter {
  return (l, i) => {
    const [to, index] = i.operands as [Operand, Operand];
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const width = BigInt(size * 8);
    const at = l.keep(l.read(index, size));
    const bit = l.keep(o.and(at, o.const(width - 1n)));
    const test = (old: Value) => {
      const shifted = o.shr_u(old, bit);
      return i32.and(size === 8 ? i32.wrap(shifted) : shifted, i32.const(1));
    };
    const changed = (old: Value) => zeroExtend(change!(o, old, o.shl(o.const(1n), bit)), size);
    if (to.kind === 'memory') {
      let address = l.address(to);
      if (index.kind === 'register') {
        const signed = size === 8 ? at : i64.extend_s(size === 2 ? i32.extend16_s(at) : at);
        const operands = i64.shr_s(signed, i64.const(BigInt(Math.log2(size * 8))));
        const distance = i64.shl(operands, i64.const(BigInt(Math.log2(size))));
        address = to.addressSize === 8 ? i64.add(address, distance) : cutSum(l, to, distance);
      }
      const place = l.place(address, size, change ? 'write' : 'read');
      const old = l.load(place);
      if (change) l.store(place, changed(old));
      l.setCarry(test(old));
      return;
    }
    const old = l.keep(l.read(to));
    l.setCarry(test(old));
    if (change) l.write(to, changed(old));
  };
}

/** `operand + distance`, cut to 32 bits (67h) before a segment's base is added. */
function cutSum(l: Lift, operand: MemoryOperand, distance: Value): Value {
  const cut = i64.extend_u(i32.wrap(i64.add(l.address({ ...operand, gs: false }), distance)));
  if (!operand.gs) return cut;
  return i64.add(l.address({ ...operand, base: -1, index: -1, displacement: 0n, addressSize: 8 }), cut);
}

const bitUndefined = OF | SF | AF | PF;

/** bsf, bsr: a source of zero leaves the destination alone, on every processor there is. */
function scan(find: (o: Integer, v: Value, size: Size) => Value): Lifter {
  return (l, i) => {
    const [to, from] = i.operands as [Operand, Operand];
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const source = l.keep(l.read(from));
    l.setFlags(FlagKind.logic, size, source);
    const found = l.keep(find(o, source, size));
    if (to.kind !== 'register') return;
    // all 64 bits stay, also in the 32-bit form
    const { register } = to;
    const before = l.keep(l.gpr(register));
    l.writeRegister(register, size, found);
    l.setGpr(register, select(size === 8 ? i64.eqz(source) : i32.eqz(source), before, l.gpr(register)));
  };
}

/** tzcnt, lzcnt: CF tells a source of zero, ZF a result of zero. */
function count(find: (o: Integer, v: Value, size: Size) => Value): Lifter {
  return (l, i) => {
    const [to, from] = i.operands as [Operand, Operand];
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const source = l.keep(l.read(from));
    const found = l.keep(find(o, source, size));
    if (l.live) {
      const flags = i32.or(o.eqz(source), i32.shl(o.eqz(found), i32.const(6)));
      l.setFlags(FlagKind.packed, 8, flags);
    } else l.state = undefined;
    l.write(to, found);
  };
}

const trailing = (o: Integer, v: Value, size: Size): Value =>
  size === 2 ? o.ctz(o.or(v, o.const(0x10000n))) : o.ctz(v);
const leading = (o: Integer, v: Value, size: Size): Value => (size === 2 ? o.sub(o.clz(v), o.const(16n)) : o.clz(v));

/** BMI1 with one source: result, and CF from the source. */
function lowest(compute: (o: Integer, v: Value) => Value, carry: (o: Integer, v: Value) => Value): Lifter {
  return (l, i) => {
    const [to, from] = i.operands as [Operand, Operand];
    const size = l.sizeOf(to);
    const o = l.ops(size);
    const source = l.keep(l.read(from));
    const value = l.keep(compute(o, source));
    resultAndCarry(l, size, value, carry(o, source));
    l.write(to, value);
  };
}

/** ZF and SF of a result, a CF of its own, OF clear. */
function resultAndCarry(l: Lift, size: Size, value: Value, carry: Value): void {
  const o = l.ops(size);
  if (!l.live) {
    l.state = undefined;
    return;
  }
  const sign = i32.shl(o.lt_s(value, o.const(0n)), i32.const(7));
  l.setFlags(FlagKind.packed, 8, i32.or(carry, i32.or(i32.shl(o.eqz(value), i32.const(6)), sign)));
}

/** sarx, shlx, shrx: no flags. */
function shiftX(compute: (o: Integer, v: Value, by: Value) => Value): Lifter {
  return (l, i) => {
    const [to, from, by] = i.operands as [Operand, Operand, Operand];
    const size = l.sizeOf(to);
    l.write(to, compute(l.ops(size), l.read(from), l.read(by)));
  };
}

/** pext gathers the mask's bits, pdep scatters to them. */
function throughMask(deposit: boolean) {
  return (h: HelperContext, { operands: [to, from, mask] }: Instruction) => {
    const size = (to as { size: Size }).size;
    const source = h.read(from!, size);
    const bits = h.read(mask!, size);
    let value = 0n;
    for (let at = 0n, k = 0n; at < BigInt(size * 8); at++) {
      if (!((bits >> at) & 1n)) continue;
      value |= deposit ? ((source >> k) & 1n) << at : ((source >> at) & 1n) << k;
      k++;
    }
    h.write(to!, size, value);
  };
}

export const bits: readonly InstructionRecord[] = [
  { names: ['bt'], flags: { reads: 0, writes: CF }, undefinedFlags: bitUndefined, lift: bitTest(undefined) },
  {
    names: ['bts'],
    flags: { reads: 0, writes: CF },
    undefinedFlags: bitUndefined,
    lift: bitTest((o, v, m) => o.or(v, m)),
  },
  {
    names: ['btr'],
    flags: { reads: 0, writes: CF },
    undefinedFlags: bitUndefined,
    lift: bitTest((o, v, m) => o.and(v, o.xor(m, o.const(-1n)))),
  },
  {
    names: ['btc'],
    flags: { reads: 0, writes: CF },
    undefinedFlags: bitUndefined,
    lift: bitTest((o, v, m) => o.xor(v, m)),
  },
  {
    names: ['bsf'],
    flags: setsAll,
    undefinedFlags: ALL & ~ZF,
    undefinedResult: 'a source of zero',
    lift: scan((o, v) => o.ctz(v)),
  },
  {
    names: ['bsr'],
    flags: setsAll,
    undefinedFlags: ALL & ~ZF,
    undefinedResult: 'a source of zero',
    lift: scan((o, v) => o.and(o.sub(o.const(BigInt(o.bits - 1)), o.clz(v)), o.const(BigInt(o.bits - 1)))),
  },
  { names: ['tzcnt'], flags: setsAll, undefinedFlags: ALL & ~(CF | ZF), lift: count(trailing) },
  { names: ['lzcnt'], flags: setsAll, undefinedFlags: ALL & ~(CF | ZF), lift: count(leading) },
  {
    names: ['popcnt'],
    flags: setsAll,
    lift(l, i) {
      const [to, from] = i.operands as [Operand, Operand];
      const o = l.ops(l.sizeOf(to));
      const source = l.keep(l.read(from));
      if (l.live) l.setFlags(FlagKind.packed, 8, i32.shl(o.eqz(source), i32.const(6)));
      else l.state = undefined;
      l.write(to, o.popcnt(source));
    },
  },
  {
    names: ['andn'],
    flags: setsAll,
    undefinedFlags: AF | PF,
    lift(l, i) {
      const [to, a, b] = i.operands as [Operand, Operand, Operand];
      const size = l.sizeOf(to);
      const o = l.ops(size);
      const right = l.read(b);
      const value = l.keep(o.and(o.xor(l.read(a), o.const(-1n)), right));
      l.setFlags(FlagKind.logic, size, value);
      l.write(to, value);
    },
  },
  {
    names: ['blsi'],
    flags: setsAll,
    undefinedFlags: AF | PF,
    lift: lowest((o, v) => o.and(v, o.sub(o.const(0n), v)), (o, v) => o.ne(v, o.const(0n))), // biome-ignore format: one line
  },
  {
    names: ['blsr'],
    flags: setsAll,
    undefinedFlags: AF | PF,
    lift: lowest((o, v) => o.and(v, o.sub(v, o.const(1n))), (o, v) => o.eqz(v)), // biome-ignore format: one line
  },
  {
    names: ['blsmsk'],
    flags: setsAll,
    undefinedFlags: AF | PF,
    lift: lowest((o, v) => o.xor(v, o.sub(v, o.const(1n))), (o, v) => o.eqz(v)), // biome-ignore format: one line
  },
  {
    names: ['bextr'],
    flags: setsAll,
    undefinedFlags: AF | SF | PF,
    lift(l, i) {
      const [to, from, control] = i.operands as [Operand, Operand, Operand];
      const size = l.sizeOf(to);
      const o = l.ops(size);
      const source = l.keep(l.read(from));
      const c = l.keep(l.read(control));
      const start = l.keep(o.and(c, o.const(255n)));
      const length = l.keep(o.and(o.shr_u(c, o.const(8n)), o.const(255n)));
      const width = o.const(BigInt(size * 8));
      const shifted = l.keep(select(o.lt_u(start, width), o.shr_u(source, start), o.const(0n)));
      const mask = o.sub(o.shl(o.const(1n), length), o.const(1n));
      const value = l.keep(select(o.lt_u(length, width), o.and(shifted, mask), shifted));
      if (l.live) l.setFlags(FlagKind.packed, 8, i32.shl(o.eqz(value), i32.const(6)));
      else l.state = undefined;
      l.write(to, value);
    },
  },
  {
    names: ['bzhi'],
    flags: setsAll,
    undefinedFlags: AF | PF,
    lift(l, i) {
      const [to, from, index] = i.operands as [Operand, Operand, Operand];
      const size = l.sizeOf(to);
      const o = l.ops(size);
      const source = l.keep(l.read(from));
      const n = l.keep(o.and(l.read(index), o.const(255n)));
      const beyond = l.keep(o.gt_u(n, o.const(BigInt(size * 8 - 1))));
      const cut = o.and(source, o.sub(o.shl(o.const(1n), n), o.const(1n)));
      const value = l.keep(select(beyond, source, cut));
      resultAndCarry(l, size, value, beyond);
      l.write(to, value);
    },
  },
  { names: ['sarx'], lift: shiftX((o, v, n) => o.shr_s(v, n)) },
  { names: ['shlx'], lift: shiftX((o, v, n) => o.shl(v, n)) },
  { names: ['shrx'], lift: shiftX((o, v, n) => o.shr_u(v, n)) },
  {
    names: ['rorx'],
    lift(l, i) {
      const [to, from, by] = i.operands as [Operand, Operand, Operand];
      const size = l.sizeOf(to);
      l.write(to, l.ops(size).rotr(l.read(from), l.read(by, size)));
    },
  },
  { names: ['pext'], helper: throughMask(false) },
  { names: ['pdep'], helper: throughMask(true) },
  {
    names: ['crc32'],
    helper(h, { operands: [to, from] }) {
      const size = (from as { size: Size }).size;
      let data = h.read(from!, size);
      let crc = Number(h.read(to!, 4)) | 0;
      for (let n = 0; n < size; n++, data >>= 8n) {
        crc ^= Number(data & 0xffn);
        for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
      h.write(to!, 8, BigInt(crc >>> 0));
    },
  },
];
