/**
 * Memory and CPU that serve one run after another. Making them anew costs more than most runs; what is kept between runs is
 * only the translation of the driver's code. A run on a used workbench gives the same trace as on a new one: translations
 * differ in where a long stretch of guest code looks up, so a run with a long stretch is played again on a new workbench.
 */

import type { Address } from '../trace/units.ts';
import type { CodeBlock } from '../x64/block-coverage.ts';
import type { Cpu, CpuHost } from '../x64/cpu.ts';
import { Engine } from '../x64/engine.ts';
import { GuestMemory } from '../x64/memory.ts';
import { WatchedMemory } from '../x64/watched-memory.ts';

export class Workbench {
  readonly memory: GuestMemory;
  /** True once a run has been played here. */
  used = false;
  private host: CpuHost | undefined;
  private readonly engine: Engine;

  /** @param watches every access is told: for scenarios with watched memory */
  constructor(watches = false) {
    this.memory = watches ? new WatchedMemory() : new GuestMemory();
    const host = (): CpuHost => this.host as CpuHost;
    this.engine = new Engine(
      this.memory,
      {
        cpuid: (leaf, subleaf) => host().cpuid(leaf, subleaf),
        rdtsc: () => host().rdtsc(),
        readPort: (port, size) => host().readPort(port, size),
        writePort: (port, size, value) => host().writePort(port, size, value),
        readCr8: () => host().readCr8(),
        writeCr8: (value) => host().writeCr8(value),
      },
      { coverage: true, everyAccess: watches },
    );
  }

  private watchedOne: Workbench | undefined;

  /** A workbench beside this one that watches accesses: its translations are slow ones. */
  get watching(): Workbench {
    this.watchedOne ??= new Workbench(true);
    return this.watchedOne;
  }

  /** Everything as new, except that known code need not be translated again. */
  clear(): void {
    if (!this.used) return;
    this.memory.reset();
    this.engine.reset();
  }

  /** Regions of guest code translated so far. */
  get translated(): number {
    return this.engine.translated;
  }

  /** Code that has run here for the first time since this was asked last. */
  newlyCovered(): CodeBlock[] {
    return this.engine.coverage?.takeNew() ?? [];
  }

  /** The CPU, working for this kernel from now on. */
  cpu(host: CpuHost, hostCode: { start: Address; size: number }): Cpu & Pick<Engine, 'addCode' | 'removeCode'> {
    this.host = host;
    this.used = true;
    this.engine.setHostRange(hostCode.start, hostCode.size);
    return this.engine;
  }
}
