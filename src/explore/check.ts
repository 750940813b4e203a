/** A whole check of one driver: plays the planned scenarios, judges each trace, and merges what they show. */

import { judge } from '../contract/judge.ts';
import type { Finding } from '../contract/rule.ts';
import { type MachineConfig, type Run, run } from '../machine/machine.ts';
import { describe, plainScenario, type Scenario } from '../machine/scenario.ts';
import { Workbench } from '../machine/workbench.ts';
import type { Frame } from '../trace/events.ts';
import { type Phase, plainPhase, plan } from './plan.ts';
import { encodeToken } from './token.ts';

export type Verdict = 'clean' | 'findings' | 'inconclusive';

export interface MergedFinding extends Finding {
  /** The shortest scenario that shows it. */
  readonly scenario: { readonly token: string; readonly description: string };
  /** How many scenarios show it. */
  readonly count: number;
}

export interface PhaseResult {
  readonly name: string;
  readonly scenarios: number;
  readonly events: number;
  readonly findings: number;
  readonly unsupported: number;
  readonly milliseconds: number;
}

/** A row of "acquired / undone / owed" in the plain run. */
export interface Balance {
  readonly type: string;
  readonly acquired: number;
  readonly undone: number;
  readonly owed: number;
}

export interface CheckResult {
  readonly driver: string;
  readonly verdict: Verdict;
  /** Why the verdict is inconclusive, in a sentence each. */
  readonly reasons: readonly string[];
  readonly scenarios: {
    readonly run: number;
    readonly clean: number;
    readonly findings: number;
    readonly unsupported: number;
  };
  readonly phases: readonly PhaseResult[];
  readonly balance: readonly Balance[];
  readonly findings: readonly MergedFinding[];
  readonly unsupported: readonly { readonly function: string; readonly text: string; readonly count: number }[];
}

export interface CheckOptions {
  /** The host's milliseconds, for the phases' times only. */
  readonly now: () => number;
  /** Told after each scenario. */
  readonly onScenario?: (run: Run) => void;
}

export function check(config: MachineConfig, options: CheckOptions): CheckResult {
  const tally = new Tally(config);
  const plain = tally.phase(plainPhase, options)[0] as Run;
  for (const phase of plan(plain.events)) tally.phase(phase, options);
  return tally.result(plain);
}

/** Whether a finding counts for the verdict; notes do not. */
export const counts = (finding: Finding): boolean => finding.severity !== 'note';

class Tally {
  private readonly config: MachineConfig;
  private readonly workbench = new Workbench();
  private readonly merged = new Map<string, { finding: Finding; scenario: Scenario; count: number }>();
  private readonly missing = new Map<string, { text: string; count: number }>();
  private readonly phases: PhaseResult[] = [];
  private readonly totals = { run: 0, clean: 0, findings: 0, unsupported: 0 };

  constructor(config: MachineConfig) {
    this.config = config;
  }

  phase(phase: Phase, { now, onScenario }: CheckOptions): Run[] {
    const started = now();
    const before = { ...this.totals };
    const runs = phase.scenarios.map((scenario) => {
      const one = run(this.config, scenario, this.workbench);
      this.add(one);
      onScenario?.(one);
      return one;
    });
    this.phases.push({
      name: phase.name,
      scenarios: runs.length,
      events: runs.reduce((sum, { events }) => sum + events.length, 0),
      findings: this.totals.findings - before.findings,
      unsupported: this.totals.unsupported - before.unsupported,
      milliseconds: now() - started,
    });
    return runs;
  }

  private add({ scenario, events, stop }: Run): void {
    const findings = judge(events);
    this.totals.run++;
    if (findings.some(counts)) this.totals.findings++;
    else if (stop.reason === 'unsupported') this.totals.unsupported++;
    else this.totals.clean++;
    if (stop.reason === 'unsupported') {
      const name = stop.name ?? stop.text;
      const known = this.missing.get(name) ?? { text: stop.text, count: 0 };
      this.missing.set(name, { ...known, count: known.count + 1 });
    }
    const seen = new Set<string>();
    for (const finding of findings) {
      const key = cause(finding);
      if (seen.has(key)) continue;
      seen.add(key);
      const known = this.merged.get(key);
      if (known === undefined) this.merged.set(key, { finding, scenario, count: 1 });
      else {
        known.count++;
        // One missing undo that shows at halt as well as in a failing initialize is named after halt.
        if (isTwin(known.finding.rule) && !isTwin(finding.rule)) Object.assign(known, { finding, scenario });
      }
    }
  }

  result(plain: Run): CheckResult {
    const findings = [...this.merged.values()].map(({ finding, scenario, count }) => ({
      ...finding,
      count,
      scenario: { token: encodeToken(this.config.driver, scenario), description: describe(scenario) },
    }));
    const reasons = this.reasons(plain);
    const verdict = findings.some(counts) ? 'findings' : reasons.length > 0 ? 'inconclusive' : 'clean';
    return {
      driver: this.config.driver.name,
      verdict,
      reasons,
      scenarios: { ...this.totals },
      phases: this.phases,
      balance: balance(plain),
      findings,
      unsupported: [...this.missing].map(([name, { text, count }]) => ({ function: name, text, count })),
    };
  }

  private reasons(plain: Run): string[] {
    const reasons = [...this.missing.values()].map(
      ({ text, count }) => `In ${count} of ${this.totals.run} scenarios: ${text}.`,
    );
    const initialized = plain.events.some((event) => event.kind === 'fact' && event.what === 'initialized');
    if (!initialized && plain.stop.reason === 'finished') {
      const entry = plain.events.some((event) => event.kind === 'fact' && event.what === 'driver-entry-failed');
      reasons.push(
        entry
          ? 'DriverEntry fails even when nothing is made to fail, so nothing was initialized or halted.'
          : 'MiniportInitializeEx fails even when nothing is made to fail, so MiniportHaltEx never ran. If the driver needs its hardware, give a model of it with --device, and its settings with --inf.',
      );
    }
    return reasons;
  }
}

const TWIN = /^init-fail-/;
const isTwin = (rule: string) => TWIN.test(rule);

/** Findings with one cause share a key: the rule, what it is about and where that came from, and where it went wrong. */
function cause(finding: Finding): string {
  const site = (stack: readonly Frame[] | undefined) =>
    (stack ?? []).slice(0, 2).map((frame) => `${frame.module}+${frame.offset}`);
  const { resource } = finding;
  return JSON.stringify([
    finding.rule.replace(TWIN, 'halt-'),
    resource?.fn,
    resource?.callback,
    site(resource?.acquired),
    site(finding.stack),
  ]);
}

function balance({ events }: Run): Balance[] {
  const rows = new Map<string, { acquired: number; undone: number }>();
  for (const event of events) {
    if (event.kind === 'acquire') {
      const row = rows.get(event.type) ?? { acquired: 0, undone: 0 };
      rows.set(event.type, { ...row, acquired: row.acquired + 1 });
    } else if (event.kind === 'undo' && (event.outcome === 'undone' || event.outcome === 'mismatch')) {
      const row = rows.get(event.type) ?? { acquired: 0, undone: 0 };
      rows.set(event.type, { ...row, undone: row.undone + 1 });
    }
  }
  return [...rows].map(([type, { acquired, undone }]) => ({ type, acquired, undone, owed: acquired - undone }));
}

/** Plays one scenario again. */
export function replay(config: MachineConfig, scenario: Scenario = plainScenario): Run {
  return run(config, scenario);
}
