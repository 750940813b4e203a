/** Plays a seeded race by one strategy until something is found. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { bundledDevices } from '../../src/devices/registry.ts';
import { examine, type Outcome } from '../../src/explore/outcome.ts';
import { inOrders } from '../../src/explore/races.ts';
import { counts } from '../../src/explore/result.ts';
import { pct } from '../../src/explore/strategies/pct.ts';
import type { ScheduleStrategy } from '../../src/explore/strategies/strategy.ts';
import { systematic } from '../../src/explore/strategies/systematic.ts';
import { readImage } from '../../src/image/read.ts';
import type { DriverFile } from '../../src/machine/driver-file.ts';
import type { MachineConfig } from '../../src/machine/machine.ts';
import { plainScenario } from '../../src/machine/scenario.ts';
import type { Workbench } from '../../src/machine/workbench.ts';
import type { RaceCase, RaceDriver } from './case.ts';

/** Those the benchmark compares. */
export const strategies: Readonly<Record<string, ScheduleStrategy>> = {
  systematic: systematic(2),
  pct: pct({ seed: 1, depth: 3, runs: 10_000 }),
};

export function machineFor({ name, hardware }: RaceCase, of: RaceDriver): MachineConfig {
  const driver = fileOf(name, of);
  return hardware === undefined ? { driver } : { driver, device: bundledDevices['sample-nic'] as never };
}

function fileOf(name: string, driver: RaceDriver): DriverFile {
  if (typeof driver !== 'string') return { kind: 'typescript', name: `${basename(name)}.ts`, miniport: driver };
  const bytes = readFileSync(new URL(`c/built/${driver}.sys`, import.meta.url));
  return { kind: 'image', name: `${driver}.sys`, image: readImage(bytes) };
}

export interface Found {
  /** Scenarios played, the one that found it among them. */
  readonly scenarios: number;
  /** Rules of the first scenario with findings; none where nothing was found. */
  readonly rules: readonly string[];
  readonly outcome?: Outcome;
}

/** Plays one of the case's drivers in at most `budget` scenarios; stops at the first with a finding that counts. */
export function find(
  one: RaceCase,
  driver: RaceDriver,
  strategy: ScheduleStrategy,
  workbench: Workbench,
  budget: number,
): Found {
  const config = machineFor(one, driver);
  const play = inOrders(strategy, { ...plainScenario, ...one.scenario });
  let scenarios = 0;
  for (let step = play.next(); step.done !== true; ) {
    const outcomes: Outcome[] = [];
    for (const scenario of step.value) {
      if (scenarios === budget) return { scenarios, rules: [] };
      scenarios++;
      const outcome = examine(config, scenario, workbench);
      const rules = outcome.findings.filter(counts).map(({ rule }) => rule);
      if (outcome.stop.reason === 'unsupported') rules.push(`unsupported: ${outcome.stop.text}`);
      if (rules.length > 0) return { scenarios, rules, outcome };
      outcomes.push(outcome);
    }
    step = play.next(outcomes);
  }
  return { scenarios, rules: [] };
}
