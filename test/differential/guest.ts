/** The guest CPU's side of a batch. */
import { type Address, at } from '../../src/trace/units.ts';
import type { CpuHost, Exit } from '../../src/x64/cpu.ts';
import { Engine, type EngineOptions } from '../../src/x64/engine.ts';
import { GuestMemory, Shadow } from '../../src/x64/memory.ts';
import { ARENA, CODE, EXIT, GS_BASE, MEMORY_BASE, MEMORY_BITS, type Outcome, PAGE, READ_ONLY, SLOT } from './layout.ts';
import type { Batch } from './native.ts';

/** No form that asks the host is generated; a case that jumps into the middle of an instruction may find one. */
class Asked extends Error {}
const nothing = (): never => {
  throw new Asked();
};
const host: CpuHost = {
  cpuid: nothing,
  rdtsc: nothing,
  readPort: nothing,
  writePort: nothing,
  readCr8: nothing,
  writeCr8: nothing,
};

const BUDGET = 10_000_000;

/** One memory for all batches; an engine for each, since code differs. */
export class Guest {
  private readonly memory = new GuestMemory(MEMORY_BITS, MEMORY_BASE);

  constructor() {
    this.memory.setShadow(ARENA, PAGE, Shadow.ReadWrite);
    this.memory.setShadow(READ_ONLY, PAGE, Shadow.ReadOnly);
    this.memory.setShadow(EXIT, PAGE, Shadow.ReadOnly);
  }

  run(batch: Batch, options: EngineOptions): Outcome[] {
    const { memory } = this;
    memory.setShadow(CODE, EXIT - CODE, Shadow.Unmapped);
    memory.raw(CODE, batch.code.length).set(batch.code);
    // as much as the native process maps
    memory.setShadow(CODE, Math.ceil(batch.code.length / PAGE) * PAGE, Shadow.ReadOnly);
    memory.raw(READ_ONLY, PAGE).set(batch.pool.subarray(0, PAGE));
    const engine = new Engine(memory, host, options);
    engine.addCode(CODE, batch.code.length);
    engine.setHostRange(EXIT, 1);
    return batch.cases.map(({ program, state }) => {
      const arena = memory.raw(ARENA, PAGE);
      arena.set(batch.pool.subarray(state.pool, state.pool + PAGE));
      const { registers } = engine;
      registers.gpr.set(state.gpr);
      registers.xmm.set(state.xmm);
      registers.rflags = state.rflags;
      registers.mxcsr = state.mxcsr;
      registers.gsBase = GS_BASE;
      registers.rip = at(CODE, program * SLOT) as Address;
      const exit = run(engine);
      const fault = exit.kind === 'fault' ? exit : undefined;
      return {
        trap:
          exit.kind === 'asked' ? 'lost' :
          exit.kind === 'host' ? 'end' :
          exit.kind === 'budget' ? 'timeout' :
          exit.kind === 'fault' ? 14 :
          exit.kind === 'exception' ? exit.vector : 'unsupported', // biome-ignore format: a table
        address: fault?.address ?? 0,
        size: fault?.size ?? 0,
        write: fault ? fault.access === 'write' : undefined,
        rip: registers.rip,
        gpr: registers.gpr.slice(),
        xmm: registers.xmm.slice(),
        rflags: registers.rflags,
        mxcsr: registers.mxcsr,
        arena: arena.slice(),
      };
    });
  }
}

function run(engine: Engine): Exit | { readonly kind: 'asked' } {
  try {
    return engine.run(BUDGET);
  } catch (error) {
    if (error instanceof Asked) return { kind: 'asked' };
    throw error;
  }
}
