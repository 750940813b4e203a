/** For tests: a kernel with the real CPU and a driver compiled on the spot, whose exports can be called like callbacks. */
import { readImage } from '../../image/read.ts';
import { type CompiledDriver, compileDriver } from '../../image/testing/toolchain.ts';
import type { EventOf } from '../../trace/events.ts';
import { type Address, at } from '../../trace/units.ts';
import { Engine } from '../../x64/engine.ts';
import { GuestMemory } from '../../x64/memory.ts';
import { Kernel, type KernelOptions } from '../kernel.ts';
import type { Module } from '../modules.ts';
import { ANY, callback, functionsOf, POINTER, ULONG64 } from '../record.ts';
import type { Context, Coroutine } from '../scheduler.ts';

const f = functionsOf<Kernel>();

/** A routine of the test driver: one argument, one number back. */
export const TestRoutine = callback({
  name: 'TestRoutine',
  page: 'test',
  params: { Argument: ULONG64 },
  returns: 'i32',
  irql: ANY,
});

/** Functions only test drivers import. */
const testFunctions = {
  /** Calls the driver back, as KeSynchronizeExecution does. */
  TestCall: f({
    module: 'ntoskrnl.exe',
    page: 'test',
    params: { Routine: POINTER, Argument: ULONG64 },
    returns: 'i32',
    irql: ANY,
    *body(kernel, { Routine, Argument }) {
      return yield* kernel.invoker.invoke(TestRoutine, Routine, { Argument });
    },
  }),
  /** Puts the call stack into the trace. */
  TestStack: f({
    module: 'ntoskrnl.exe',
    page: 'test',
    params: {},
    returns: 'void',
    irql: ANY,
    body(kernel) {
      kernel.trace.emit({ kind: 'fact', what: 'stack', detail: {}, stack: kernel.stack() });
      return undefined;
    },
  }),
};

export interface GuestDriver {
  readonly kernel: Kernel;
  readonly module: Module;
  readonly driver: CompiledDriver;
  /** The address of an export. */
  export(name: string): Address;
  /** Calls an export in a system thread and gives its result. */
  call(name: string, argument?: number | bigint): number;
  /** Runs a coroutine in a system thread. */
  run<T>(body: (context: Context) => Coroutine<T>): T;
  facts(what: string): EventOf<'fact'>[];
}

/** Compiles and loads a driver. `imports` lists what it takes from ntoskrnl.exe. */
export function guestDriver(
  source: string,
  imports: readonly string[],
  clangOptions: readonly string[] = [],
): { driver: CompiledDriver; start(options?: Partial<KernelOptions>): GuestDriver } {
  const driver = compileDriver(source, { 'ntoskrnl.exe': imports }, clangOptions);
  return { driver, start: (options = {}) => load(driver, options) };
}

function load(driver: CompiledDriver, options: Partial<KernelOptions>): GuestDriver {
  const memory = new GuestMemory(23);
  const kernel = new Kernel({
    memory,
    processors: 1,
    cpu: (host, hostCode) => {
      const engine = new Engine(memory, host);
      engine.setHostRange(hostCode.start, hostCode.size);
      return engine;
    },
    ...options,
  });
  kernel.scheduler.limits.instructions = 20_000_000;
  for (const [name, record] of Object.entries(testFunctions)) kernel.code.provide(name, record, kernel);
  const module = kernel.modules.load(readImage(driver.bytes), 'test.sys');
  const addressOf = (name: string): Address => {
    const symbol = module.image.exports?.symbols.find((candidate) => candidate.name === name);
    if (symbol?.rva === undefined) throw new Error(`the test driver does not export ${name}`);
    return at(module.base, symbol.rva);
  };
  const run = <T>(body: (context: Context) => Coroutine<T>): T => {
    const results: T[] = [];
    const thread = kernel.scheduler.startThread(
      'test',
      (function* () {
        results.push(yield* body(kernel.scheduler.current));
      })(),
    );
    kernel.scheduler.runUntilDone(thread);
    return results[0] as T;
  };
  return {
    kernel,
    module,
    driver,
    export: addressOf,
    call: (name, argument = 0) =>
      run(() => kernel.invoker.invoke(TestRoutine, addressOf(name), { Argument: BigInt(argument) })),
    run,
    facts: (what) =>
      kernel.trace.events.filter((event) => event.kind === 'fact').filter((event) => event.what === what),
  };
}
