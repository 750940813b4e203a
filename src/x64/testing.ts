/** A small machine for unit tests: code, a data page, a stack, and a host address that functions return to. */
import { type Address, at, toBits } from '../trace/units.ts';
import type { CpuHost, Exit } from './cpu.ts';
import { Register } from './cpu.ts';
import { Engine, type EngineOptions } from './engine.ts';
import { BASE, GuestMemory, Shadow } from './memory.ts';

export const CODE = at(BASE, 0x10000);
export const DATA = at(BASE, 0x20000);
/** The stack's end: it grows down from here. */
export const STACK = at(BASE, 0x38000);
export const HOST = at(BASE, 0x40000);
/** Readable, not writable. */
export const CONSTANT = at(BASE, 0x50000);

/** Bytes of a listing: hex, and behind `;` what they are. */
export function listing(source: string): Uint8Array {
  const hex = source.split('\n').map((line) => line.split(';')[0]!.trim());
  return Uint8Array.from(hex.join(' ').split(/\s+/).filter(Boolean), (byte) => Number.parseInt(byte, 16));
}

export const refusingHost: CpuHost = {
  cpuid: () => ({ eax: 1, ebx: 2, ecx: 3, edx: 4 }),
  rdtsc: () => 0x1_0000_0002n,
  readPort: (port) => port & 0xff,
  writePort: () => undefined,
  readCr8: () => 2,
  writeCr8: () => undefined,
};

export interface Guest {
  readonly memory: GuestMemory;
  readonly engine: Engine;
  /** Calls the code with integer arguments in RDI, RSI, RDX, RCX; the return address is HOST. */
  call(...args: (number | bigint)[]): Exit;
  /** Runs on until something else than the budget ends it. */
  finish(budget?: number): Exit;
  rax(): bigint;
}

export function guest(source: string, options: EngineOptions = {}, host: CpuHost = refusingHost): Guest {
  const memory = new GuestMemory(20);
  const code = listing(source);
  memory.raw(CODE, code.length).set(code);
  memory.setShadow(CODE, 0x1000, Shadow.ReadOnly);
  memory.setShadow(DATA, 0x1000, Shadow.ReadWrite);
  memory.setShadow(at(STACK, -0x4000), 0x4000, Shadow.ReadWrite);
  memory.setShadow(CONSTANT, 0x1000, Shadow.ReadOnly);
  const engine = new Engine(memory, host, options);
  engine.addCode(CODE, code.length);
  engine.setHostRange(HOST, 16);
  const { gpr } = engine.registers;
  const finish = (budget = 1_000_000): Exit => {
    for (;;) {
      const exit = engine.run(budget);
      if (exit.kind !== 'budget') return exit;
    }
  };
  return {
    memory,
    engine,
    finish,
    call(...args) {
      const order = [Register.RDI, Register.RSI, Register.RDX, Register.RCX];
      args.forEach((value, i) => {
        gpr[order[i]!] = BigInt.asUintN(64, BigInt(value));
      });
      gpr[Register.RSP] = toBits(at(STACK, -0x108));
      memory.writePointer(at(STACK, -0x108), HOST);
      engine.registers.rip = CODE as Address;
      return finish();
    },
    rax: () => gpr[Register.RAX]!,
  };
}
