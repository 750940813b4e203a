/** Flags as such, what does nothing, what stops, and what talks to the host. */
import { StoreOp, zero } from '../body.ts';
import type { Instruction } from '../decode.ts';
import { FlagKind } from '../flags.ts';
import { Layout, Rflags } from '../layout.ts';
import { i32, i64, type Value } from '../values.ts';
import { CpuException, CpuUnsupported, type HelperContext } from './helper.ts';
import type { Lift } from './lift.ts';
import type { InstructionRecord, Lifter } from './record.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const ALL = Rflags.arithmetic;
const { CF, PF, AF, ZF, SF } = Rflags;
/** What lahf and sahf move. */
const LOW = CF | PF | AF | ZF | SF;

const systemFlags = (l: Lift): Value => i32.load(zero, l.frame.cell(Layout.systemFlags));

function changeSystemFlag(flag: number, set: boolean): Lifter {
  return (l) => {
    const old = systemFlags(l);
    const value = set ? i32.or(old, i32.const(flag)) : i32.and(old, i32.const(~flag));
    l.body.store(StoreOp.i32, zero, value, l.frame.cell(Layout.systemFlags));
  };
}

const controlRegister = (i: Instruction): number => i.operands.findIndex((o) => o.kind === 'other' && o.name === 'CR8');

/** The port of in and out: an immediate byte or DX. */
function portOf(h: HelperContext, operand: Instruction['operands'][number]): number {
  return operand.kind === 'immediate' ? Number(operand.value & 0xffn) : Number(h.gpr(RDX) & 0xffffn);
}

const stopping = (names: readonly string[], vector: number, behind: boolean, accepts?: InstructionRecord['accepts']): InstructionRecord => ({
  names,
  control: 'stop',
  ...(accepts ? { accepts } : {}),
  helper(h, i) {
    if (behind) h.registers.rip = i.next;
    throw new CpuException(vector);
  },
  test: { skip: 'raises an exception' },
}); // biome-ignore format: one record

export const system: readonly InstructionRecord[] = [
  {
    names: [
      'nop', 'pause', 'endbr64', 'mfence', 'lfence', 'sfence', 'prefetchnta', 'prefetcht0', 'prefetcht1', 'prefetcht2',
      'prefetchw', 'prefetchwt1', 'prefetch', 'prefetchit0', 'prefetchit1', 'cldemote', 'reservednop',
    ], // biome-ignore format: a list
    lift: () => undefined,
  },
  // no cache here, but an address that may not be read faults, other than with prefetches
  { names: ['clflush', 'clflushopt', 'clwb'], lift: (l, { operands: [line] }) => void l.read(line!, 1) },
  { names: ['clc'], flags: { reads: 0, writes: CF }, lift: (l) => l.setCarry(i32.const(0)) },
  { names: ['stc'], flags: { reads: 0, writes: CF }, lift: (l) => l.setCarry(i32.const(1)) },
  { names: ['cmc'], flags: { reads: CF, writes: CF }, lift: (l) => l.setCarry(l.keep(i32.eqz(l.flag(CF)))) },
  { names: ['cld'], lift: changeSystemFlag(Rflags.DF, false) },
  { names: ['std'], lift: changeSystemFlag(Rflags.DF, true) },
  { names: ['cli'], lift: changeSystemFlag(Rflags.IF, false), test: { skip: 'privileged' } },
  { names: ['sti'], lift: changeSystemFlag(Rflags.IF, true), test: { skip: 'privileged' } },
  {
    names: ['lahf'],
    flags: { reads: LOW, writes: 0 },
    lift(l) {
      const flags = i32.and(i32.wrap(l.packed(LOW)), i32.const(LOW));
      l.writeRegister(RAX, 1, i32.or(flags, i32.const(Rflags.fixed)), true);
    },
  },
  {
    names: ['sahf'],
    flags: { reads: 0, writes: LOW },
    lift: (l) => l.setSome(LOW, i32.and(l.readRegister(RAX, 1, true), i32.const(LOW))),
  },
  {
    names: ['pushfq'],
    flags: { reads: ALL, writes: 0 },
    lift(l) {
      const flags = i32.or(
        i32.and(i32.wrap(l.packed(ALL)), i32.const(ALL)),
        i32.or(systemFlags(l), i32.const(Rflags.fixed)),
      );
      l.push(l.keep(i64.extend_u(flags)));
    },
  },
  {
    names: ['popfq'],
    flags: { reads: 0, writes: ALL },
    lift(l) {
      const value = l.top();
      l.setFlags(FlagKind.packed, 8, i64.and(value, i64.const(BigInt(ALL))));
      const kept = i32.and(i32.wrap(value), i32.const(Rflags.IF | Rflags.DF));
      l.body.store(StoreOp.i32, zero, kept, l.frame.cell(Layout.systemFlags));
      l.bumpGpr(RSP, 8n);
    },
    test: { needs: 'only the arithmetic flags and DF in the popped value' },
  },
  {
    names: ['xlatb'],
    lift(l) {
      const address = i64.add(l.gpr(RBX), i64.extend_u(l.readRegister(RAX, 1)));
      l.writeRegister(RAX, 1, l.load(l.place(address, 1, 'read')));
    },
    accepts: (i) => !i.bytes.slice(0, -1).some((b) => b === 0x65 || b === 0x67),
  },
  stopping(['int3'], 3, true),
  stopping(['ud2'], 6, false),
  // __fastfail: the code is in ECX
  stopping(['int'], 0x29, false, (i) => i.operands[0]?.kind === 'immediate' && (i.operands[0].value & 0xffn) === 0x29n),
  {
    names: ['cpuid'],
    helper(h) {
      const { eax, ebx, ecx, edx } = h.host.cpuid(Number(h.gpr(RAX) & 0xffffffffn), Number(h.gpr(RCX) & 0xffffffffn));
      for (const [n, value] of [[RAX, eax], [RBX, ebx], [RCX, ecx], [RDX, edx]] as const) h.writeRegister(n, 4, BigInt(value)); // biome-ignore format: four registers
    },
    test: { skip: 'asks the host' },
  },
  {
    names: ['rdtsc', 'rdtscp'],
    helper(h, { mnemonic }) {
      const now = h.host.rdtsc();
      h.writeRegister(RAX, 4, now);
      h.writeRegister(RDX, 4, now >> 32n);
      // TSC_AUX: the number of the processor
      if (mnemonic === 'rdtscp') h.writeRegister(RCX, 4, 0n);
    },
    test: { skip: 'asks the host' },
  },
  {
    names: ['in'],
    helper(h, { operands: [to, port] }) {
      const size = (to as { size: 1 | 2 | 4 }).size;
      h.write(to!, size, BigInt(h.host.readPort(portOf(h, port!), size)));
    },
    test: { skip: 'needs ports' },
  },
  {
    names: ['out'],
    helper(h, { operands: [port, from] }) {
      const size = (from as { size: 1 | 2 | 4 }).size;
      h.host.writePort(portOf(h, port!), size, Number(h.read(from!, size)));
    },
    test: { skip: 'needs ports' },
  },
  {
    names: ['mov'],
    accepts: (i) => controlRegister(i) >= 0,
    oddOperands: true,
    helper(h, i) {
      const [to, from] = i.operands;
      if (controlRegister(i) === 0) h.host.writeCr8(Number(h.read(from!, 8) & 15n));
      else h.write(to!, 8, BigInt(h.host.readCr8()));
    },
    test: { skip: 'asks the host' },
  },
  {
    names: ['stmxcsr'],
    lift(l, { operands: [to] }) {
      l.write(to!, i32.load(zero, l.frame.cell(Layout.mxcsr)));
    },
  },
  {
    names: ['ldmxcsr'],
    helper(h, { operands: [from] }) {
      const value = Number(h.read(from!, 4));
      if (value & ~0xffff) throw new CpuException(13);
      // rounding other than to nearest, flush to zero, denormals are zero: WebAssembly has none of them
      if (value & 0xe040) throw new CpuUnsupported();
      h.registers.mxcsr = value;
    },
    test: { needs: 'round to nearest, all exceptions masked' },
  },
];
