/** The library's check and replay: drivers by path, machines by options, results as data. */
import { check as checkHere, DEFAULT_BUDGET } from '../explore/check.ts';
import type { Outcome } from '../explore/outcome.ts';
import type { CheckResult } from '../explore/result.ts';
import { decodeToken } from '../explore/token.ts';
import { type MachineConfig, type Run, run } from '../machine/machine.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { loadDriverFile } from './load.ts';
import { type MachineOptions, machineFor } from './machine-options.ts';

/** The machine, as on the command line, and how much of the check is played. */
export interface LibraryCheckOptions extends MachineOptions {
  /** How many scenarios at most; 2,000 by default. */
  readonly budget?: number;
  /** Stop at the first finding. */
  readonly bail?: boolean;
  /** Told after each scenario. */
  readonly onScenario?: (outcome: Outcome) => void;
}

/**
 * Plays every planned scenario on a driver, given as the path of a `.sys` or of a miniport in TypeScript, or as a machine, and
 * gives what `haltex check` would report. Rejects with one sentence when the driver cannot be read. In this thread: a check of
 * a large driver takes seconds, during which nothing else runs.
 */
export async function check(driver: string | MachineConfig, options: LibraryCheckOptions = {}): Promise<CheckResult> {
  const { budget = DEFAULT_BUDGET, bail = false, onScenario, ...machine } = options;
  return checkHere(await configOf(driver, machine), {
    budget,
    now: () => performance.now(),
    enough: (findings) => (bail && findings > 0 ? 'bail' : undefined),
    ...(onScenario === undefined ? {} : { onScenario }),
  });
}

/** Plays one scenario, given by a finding's token or as a value; the plain one by default. */
export async function replay(
  driver: string | MachineConfig,
  scenario: string | Scenario = plainScenario,
  options: MachineOptions = {},
): Promise<Run> {
  const config = await configOf(driver, options);
  return run(config, typeof scenario === 'string' ? decodeToken(config.driver, scenario) : scenario);
}

async function configOf(driver: string | MachineConfig, options: MachineOptions): Promise<MachineConfig> {
  return typeof driver === 'string' ? machineFor(await loadDriverFile(driver), driver, options) : driver;
}
