/** A kernel without guest code: what the tests of the function families run on. */
import { type Address, NULL } from '../trace/units.ts';
import type { Cpu, Registers } from '../x64/cpu.ts';
import { GuestMemory } from '../x64/memory.ts';
import { kernelFunctions } from './functions.ts';
import { Kernel, type KernelOptions } from './kernel.ts';
import { type Native, nativeFace } from './native.ts';
import type { Coroutine } from './scheduler.ts';
import { InternalError } from './stops.ts';

/** A CPU that has nothing to run. */
function noCpu(): Cpu & { addCode(start: Address, size: number): void } {
  const registers: Registers = {
    gpr: new BigUint64Array(16),
    xmm: new BigUint64Array(32),
    rip: NULL,
    rflags: 0x202,
    mxcsr: 0x1f80,
    gsBase: NULL,
  };
  return {
    registers,
    retired: 0,
    addCode() {},
    stop() {},
    run() {
      throw new InternalError('test-guest', 'a kernel for tests has no guest code to run');
    },
  };
}

export interface TestKernel {
  readonly kernel: Kernel;
  /** Every kernel function, as a TypeScript miniport calls it. */
  readonly wdk: Native<typeof kernelFunctions>;
  /** Runs a coroutine as a system thread until it ends, with whatever runs beside it, and gives its result. */
  run<T>(body: () => Coroutine<T>): T;
}

export function testKernel(options: Partial<KernelOptions> = {}): TestKernel {
  const kernel = new Kernel({ memory: new GuestMemory(23), cpu: noCpu, processors: 1, ...options });
  return {
    kernel,
    wdk: nativeFace(kernel, kernelFunctions),
    run<T>(body: () => Coroutine<T>): T {
      const results: T[] = [];
      const thread = kernel.scheduler.startThread(
        'test',
        (function* () {
          results.push(yield* body());
        })(),
      );
      kernel.scheduler.runUntilDone(thread);
      return results[0] as T;
    },
  };
}
