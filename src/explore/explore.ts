/**
 * A whole check as a coroutine: it asks for scenarios to be played and, at its end, gives the result. Who plays them (one
 * workbench here, workers there) is not its business; the result is the same.
 */

import type { Finding } from '../contract/rule.ts';
import type { DriverFile } from '../machine/driver-file.ts';
import { describe, type Scenario } from '../machine/scenario.ts';
import { Causes } from './causes.ts';
import type { Outcome } from './outcome.ts';
import type { Phase, Seen } from './phase.ts';
import { phases as everyPhase, plainPhase } from './plan.ts';
import { type CheckResult, counts, type KeptTrace, type PhaseResult } from './result.ts';
import { deviations, simpler } from './shrink.ts';
import { balance, coverage, reasons } from './summary.ts';
import { encodeToken } from './token.ts';

export interface ExploreOptions {
  /** How many scenarios may be played; those that shrink a witness or draw it do not count. */
  readonly budget: number;
  /** The host's milliseconds, for the phases' times only. */
  readonly now: () => number;
  /** Asked between batches: why to stop here, or undefined to go on. */
  readonly enough?: (findings: number) => 'interrupted' | 'bail' | 'budget' | undefined;
  /** The phases to play after the plain run; those of the plan by default. */
  readonly phases?: readonly Phase[];
  /** Whether a phase keeps to its share of the budget; it does by default. */
  readonly shares?: boolean;
}

/** Scenarios to be played side by side; their outcomes are wanted in the same order. */
export interface Batch {
  readonly phase: string;
  readonly scenarios: readonly Scenario[];
  readonly keepEvents: boolean;
}

export function* explore(
  driver: DriverFile,
  options: ExploreOptions,
): Generator<Batch, CheckResult, readonly Outcome[]> {
  const session = new Session(driver, options);
  const seen = yield* session.plain();
  for (const phase of options.phases ?? everyPhase) yield* session.phase(phase, seen, phase.keepsEvents);
  yield* session.shrink();
  return yield* session.result(seen);
}

/** How often a witness is made simpler at most: each step plays a handful of scenarios. */
const SHRINKS = 32;

class Session {
  private readonly driver: DriverFile;
  private readonly options: ExploreOptions;
  private readonly causes = new Causes();
  private readonly missing = new Map<string, { text: string; count: number }>();
  private readonly played: PhaseResult[] = [];
  private readonly outcomes: Outcome[] = [];
  private readonly totals = { run: 0, clean: 0, findings: 0, unsupported: 0 };
  private ended: CheckResult['ended'];

  constructor(driver: DriverFile, options: ExploreOptions) {
    this.driver = driver;
    this.options = options;
  }

  *plain(): Generator<Batch, Seen, readonly Outcome[]> {
    yield* this.phase(plainPhase, undefined, true);
    const plain = this.outcomes[0] as Seen['plain'];
    return { plain, outcomes: this.outcomes };
  }

  /** Plays a phase's batches until it ends or there is enough. */
  *phase(phase: Phase, seen: Seen | undefined, keepEvents = false): Generator<Batch, void, readonly Outcome[]> {
    const { now, budget, enough, shares = true } = this.options;
    const started = now();
    const before = { ...this.totals };
    const end = Math.min(budget, before.run + Math.ceil(budget * (shares ? (phase.share ?? 1) : 1)));
    let events = 0;
    let cut = false;
    const play = phase.play(seen as Seen);
    for (let step = play.next(); step.done !== true; ) {
      this.ended ??= this.totals.run >= budget ? 'budget' : enough?.(this.causes.list().filter(isError).length);
      cut = this.ended !== undefined && step.value.length > 0;
      if (this.ended !== undefined) break;
      const scenarios = step.value.slice(0, end - this.totals.run);
      const outcomes = scenarios.length === 0 ? [] : yield { phase: phase.name, scenarios, keepEvents };
      for (const outcome of outcomes) {
        this.add(outcome);
        events += outcome.length;
      }
      if (outcomes.length < step.value.length) {
        this.ended ??= enough?.(this.causes.list().filter(isError).length);
        if (this.totals.run >= budget) this.ended ??= 'budget';
        cut = true;
        break;
      }
      step = play.next(outcomes);
    }
    const scenarios = this.totals.run - before.run;
    if (scenarios === 0) return;
    this.played.push({
      name: phase.name,
      scenarios,
      events,
      findings: this.totals.findings - before.findings,
      unsupported: this.totals.unsupported - before.unsupported,
      milliseconds: now() - started,
      cut,
    });
  }

  private add(outcome: Outcome): void {
    const { findings, stop } = outcome;
    // Choice points are for the phase that asked for them; kept, they would fill the memory.
    const { choices: _, ...kept } = outcome;
    this.outcomes.push(kept);
    this.totals.run++;
    if (findings.some(counts)) this.totals.findings++;
    else if (stop.reason === 'unsupported') this.totals.unsupported++;
    else this.totals.clean++;
    if (stop.reason === 'unsupported') {
      const name = stop.name ?? stop.text;
      const known = this.missing.get(name) ?? { text: stop.text, count: 0 };
      this.missing.set(name, { ...known, count: known.count + 1 });
    }
    this.causes.add(outcome);
  }

  /** Drops from each witness what it does not need to show its finding. */
  *shrink(): Generator<Batch, void, readonly Outcome[]> {
    for (const [key, cause] of this.causes.list()) {
      for (let step = 0; step < SHRINKS && deviations(cause.scenario) > 1; step++) {
        const scenarios = simpler(cause.scenario);
        const outcomes = yield { phase: 'shrinking', scenarios, keepEvents: false };
        if (!outcomes.some((outcome) => this.causes.replaceWitness(key, outcome))) break;
      }
    }
  }

  *result({ plain }: Seen): Generator<Batch, CheckResult, readonly Outcome[]> {
    const causes = this.causes.list().map(([, cause]) => cause);
    const scenarios = distinct([plain.scenario, ...causes.map(({ scenario }) => scenario)]);
    const kept = yield { phase: 'witnesses', scenarios, keepEvents: true };
    const named = (scenario: Scenario) => ({
      token: encodeToken(this.driver, scenario),
      description: describe(scenario),
    });
    const findings = causes.map(({ finding, scenario, count, faultPoints }) => ({
      ...finding,
      count,
      scenario: named(scenario),
      faultPoints: [...faultPoints],
    }));
    const why = reasons(plain, this.missing, this.totals.run);
    return {
      driver: this.driver.name,
      verdict: findings.some(counts) ? 'findings' : why.length > 0 ? 'inconclusive' : 'clean',
      reasons: why,
      scenarios: { ...this.totals },
      ...(this.ended === undefined ? {} : { ended: this.ended }),
      phases: this.played,
      balance: balance(plain.events),
      coverage: coverage(this.driver, plain, this.outcomes),
      findings,
      unsupported: [...this.missing].map(([name, { text, count }]) => ({ function: name, text, count })),
      traces: kept.map(({ scenario, events = [], turns }): KeptTrace => {
        const { token, description } = named(scenario);
        const shown = findings.flatMap((finding, i) => (finding.scenario.token === token ? [i] : []));
        return { token, description, findings: shown, events, ...(turns === undefined ? {} : { turns }) };
      }),
    };
  }
}

const isError = ([, { finding }]: readonly [string, { finding: Finding }]) => counts(finding);

const distinct = (scenarios: readonly Scenario[]): Scenario[] => [
  ...new Map(scenarios.map((scenario) => [JSON.stringify(scenario), scenario])).values(),
];
