/** Drives one check in the worker: plays what exploration asks for, tells how far it is, and lets the page stop it. */
import { explore } from '../../../explore/explore.ts';
import { examine, type Outcome } from '../../../explore/outcome.ts';
import { type CheckResult, counts } from '../../../explore/result.ts';
import type { MachineConfig } from '../../../machine/machine.ts';
import { Workbench } from '../../../machine/workbench.ts';
import type { FoundSoFar, Progress } from '../messages.ts';

/** Milliseconds between two reports of progress; messages of the page are heard as often. */
const OFTEN = 80;

export interface CheckOptions {
  readonly budget: number;
  readonly stopped: () => boolean;
  readonly onProgress: (progress: Progress) => void;
}

export async function playAll(config: MachineConfig, options: CheckOptions): Promise<CheckResult> {
  const { budget, stopped } = options;
  const now = () => performance.now();
  const started = now();
  const workbench = new Workbench();
  const found = new Map<string, FoundSoFar>();
  const phases: string[] = [];
  let played = 0;
  let planned = 0;
  let told = 0;
  const tell = async () => {
    told = now();
    const phase = phases.at(-1) ?? '';
    options.onProgress({
      driver: config.driver.name,
      phase,
      played,
      planned,
      seconds: (told - started) / 1000,
      done: phases.slice(0, -1),
      findings: [...found.values()],
    });
    // The page's messages come in between.
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  const note = ({ findings }: Outcome) => {
    for (const { rule, message } of new Map(findings.filter(counts).map((one) => [one.rule, one])).values()) {
      const known = found.get(rule);
      found.set(rule, { rule, message: known?.message ?? message, count: (known?.count ?? 0) + 1 });
    }
  };
  const exploration = explore(config.driver, {
    budget,
    now,
    enough: () => (stopped() ? 'interrupted' : undefined),
  });
  let step = exploration.next();
  while (step.done !== true) {
    const { phase, scenarios, keepEvents } = step.value;
    if (phases.at(-1) !== phase) phases.push(phase);
    planned = played + scenarios.length;
    await tell();
    const outcomes: Outcome[] = [];
    for (const scenario of scenarios) {
      // Witnesses are played to the end: they are what there is to show.
      if (stopped() && !keepEvents) break;
      const outcome = examine(config, scenario, workbench, keepEvents);
      outcomes.push(outcome);
      played++;
      note(outcome);
      if (now() - told > OFTEN) await tell();
    }
    step = exploration.next(outcomes);
  }
  return step.value;
}
