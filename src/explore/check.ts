/** A whole check in this thread: plays what exploration asks for on one workbench. */
import type { MachineConfig, Run } from '../machine/machine.ts';
import { run } from '../machine/machine.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { Workbench } from '../machine/workbench.ts';
import { type ExploreOptions, explore } from './explore.ts';
import { examine, type Outcome } from './outcome.ts';
import type { CheckResult } from './result.ts';

/** Enough for every single fault of a large driver, and the pairs of a small one. */
export const DEFAULT_BUDGET = 2000;

export interface CheckOptions extends Partial<Omit<ExploreOptions, 'now'>> {
  readonly now: () => number;
  /** Told after each scenario. */
  readonly onScenario?: (outcome: Outcome) => void;
}

export function check(config: MachineConfig, options: CheckOptions): CheckResult {
  const workbench = new Workbench();
  const exploration = explore(config.driver, { budget: DEFAULT_BUDGET, ...options });
  let step = exploration.next();
  while (step.done !== true) {
    const { scenarios, keepEvents } = step.value;
    step = exploration.next(
      scenarios.map((scenario) => {
        const outcome = examine(config, scenario, workbench, keepEvents);
        options.onScenario?.(outcome);
        return outcome;
      }),
    );
  }
  return step.value;
}

/** Plays one scenario again. */
export function replay(config: MachineConfig, scenario: Scenario = plainScenario): Run {
  return run(config, scenario);
}
