/** What a kernel can run on. A runner is asked for a number of repetitions and tells the result and how long they took. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Address, at, toBits } from '../src/trace/units.ts';
import { type CpuHost, Register } from '../src/x64/cpu.ts';
import { Engine } from '../src/x64/engine.ts';
import { BASE, GuestMemory, Shadow } from '../src/x64/memory.ts';

export interface Timed {
  /** RAX, in hex. */
  readonly result: string;
  readonly seconds: number;
  /** Guest instructions, where they are counted. */
  readonly instructions?: number;
}

export interface Runner {
  run(repetitions: number): Promise<Timed>;
  close(): void;
}

const CODE = at(BASE, 0x10000);
const RETURN = at(BASE, 0x30000);
const ARENA = at(BASE, 0x200000);
const ARENA_SIZE = 0x200000;
const STACK = at(BASE, 0x500000);
const STACK_SIZE = 0x10000;

const none = (): never => {
  throw new Error('a kernel asked the host');
};
const host: CpuHost = { cpuid: none, rdtsc: none, readPort: none, writePort: none, readCr8: none, writeCr8: none };

/** The guest CPU, every access checked. */
export function guestRunner(file: string): Runner {
  const code = readFileSync(file);
  const memory = new GuestMemory(23);
  memory.raw(CODE, code.length).set(code);
  memory.setShadow(CODE, code.length, Shadow.ReadOnly);
  memory.setShadow(ARENA, ARENA_SIZE, Shadow.ReadWrite);
  memory.setShadow(STACK, STACK_SIZE, Shadow.ReadWrite);
  const engine = new Engine(memory, host);
  engine.addCode(CODE, code.length);
  engine.setHostRange(RETURN, 1);
  const { gpr } = engine.registers;
  return {
    async run(repetitions) {
      memory.fill(ARENA, ARENA_SIZE, 0);
      const rsp = at(STACK, STACK_SIZE - 0x108);
      memory.writePointer(rsp, RETURN);
      gpr[Register.RSP] = toBits(rsp);
      gpr[Register.RDI] = toBits(ARENA);
      gpr[Register.RSI] = BigInt(repetitions);
      engine.registers.rip = CODE as Address;
      const before = engine.retired;
      const start = performance.now();
      const exit = engine.run(Number.MAX_SAFE_INTEGER);
      const seconds = (performance.now() - start) / 1000;
      if (exit.kind !== 'host') throw new Error(`the kernel ended with ${JSON.stringify(exit)}`);
      return { result: gpr[Register.RAX]!.toString(16), seconds, instructions: engine.retired - before };
    },
    close() {},
  };
}

/** A program that reads repetitions and writes results, line by line. */
class Process implements Runner {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly answers: ((line: string | undefined) => void)[] = [];

  constructor(program: string, args: readonly string[]) {
    this.child = spawn(program, args);
    this.child.stderr.pipe(process.stderr);
    createInterface(this.child.stdout).on('line', (line) => this.answers.shift()?.(line));
    this.child.on('exit', () => {
      for (const answer of this.answers.splice(0)) answer(undefined);
    });
  }

  async run(repetitions: number): Promise<Timed> {
    this.child.stdin.write(`${repetitions}\n`);
    const line = await new Promise<string | undefined>((resolve) => this.answers.push(resolve));
    if (!line) throw new Error(`${this.child.spawnfile} ended`);
    const [result, seconds] = line.split(' ');
    return { result: result!, seconds: Number(seconds) };
  }

  close(): void {
    this.child.stdin.end();
  }
}

/** Compiles the programs in C that are possible here; says why others are not. */
export class Programs {
  private readonly folder = mkdtempSync(join(tmpdir(), 'bench-'));
  readonly native: string | undefined;
  readonly unicorn: string | undefined;
  readonly missing: readonly string[];

  constructor() {
    const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
    const missing: string[] = [];
    const build = (name: string, ...libraries: string[]): string | undefined => {
      const program = join(this.folder, name);
      const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
      return spawnSync(compiler!, ['-O2', source, '-o', program, ...libraries]).status === 0 ? program : undefined;
    };
    if (!compiler) missing.push('native and Unicorn: there is no C compiler (cc, gcc or clang)');
    else {
      if (process.arch === 'x64') this.native = build('native');
      if (!this.native) missing.push('native: this is no x86-64 host, or native.c does not build');
      this.unicorn = build('unicorn', '-lunicorn');
      if (!this.unicorn) missing.push('Unicorn: libunicorn and its headers are not installed');
    }
    this.missing = missing;
  }

  nativeRunner(file: string): Runner | undefined {
    return this.native === undefined ? undefined : new Process(this.native, [file]);
  }
  unicornRunner(file: string, mode: 'none' | 'checked'): Runner | undefined {
    return this.unicorn === undefined ? undefined : new Process(this.unicorn, [file, mode]);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
