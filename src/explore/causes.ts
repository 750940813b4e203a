/** One finding per cause: what forty scenarios show is told once, with the shortest of them as its witness. */
import { RUNS_ON } from '../contract/consequences.ts';
import type { Finding } from '../contract/rule.ts';
import { describe, type Scenario } from '../machine/scenario.ts';
import type { Frame } from '../trace/events.ts';
import type { Outcome } from './outcome.ts';
import { deviations } from './shrink.ts';

export interface Cause {
  finding: Finding;
  scenario: Scenario;
  /** Length of the witness's trace. */
  length: number;
  count: number;
  /** Descriptions of scenarios in which one call alone fails. */
  readonly faultPoints: Set<string>;
}

const UNORDERED = 'free-without-waiting';

export class Causes {
  private readonly known = new Map<string, Cause>();

  add({ scenario, findings, length }: Outcome): void {
    const seen = new Set<string>();
    for (const finding of findings) {
      const key = causeOf(finding);
      if (seen.has(key)) continue;
      seen.add(key);
      const cause = this.known.get(key);
      if (cause === undefined) {
        this.known.set(key, { finding, scenario, length, count: 1, faultPoints: new Set(faultPoint(scenario)) });
        continue;
      }
      cause.count++;
      for (const point of faultPoint(scenario)) cause.faultPoints.add(point);
      if (better({ finding, scenario, length }, cause)) Object.assign(cause, { finding, scenario, length });
    }
  }

  /** In the order they were found. What runs on where it should not has a better name than that nothing made it stop. */
  list(): [key: string, cause: Cause][] {
    const all = [...this.known];
    const named = all.some(([, { finding }]) => RUNS_ON.test(finding.rule));
    return named ? all.filter(([, { finding }]) => finding.rule !== UNORDERED) : all;
  }

  /** A simpler scenario shows the same. */
  replaceWitness(key: string, { scenario, findings, length }: Outcome): boolean {
    const finding = findings.find((one) => causeOf(one) === key);
    const cause = this.known.get(key);
    if (finding === undefined || cause === undefined) return false;
    if (isTwin(finding.rule) && !isTwin(cause.finding.rule)) return false;
    Object.assign(cause, { finding, scenario, length });
    return true;
  }
}

const faultPoint = (scenario: Scenario): string[] =>
  scenario.faults.length === 1 && deviations(scenario) === 1
    ? [describe(scenario).split('; ').slice(1).join('; ')]
    : [];

/** The same missing undo where a routine fails; it is named after the moment at which it is missed when nothing fails. */
const TWIN = /^init-fail-|^driverentry-register-failed-leaks$/;
const isTwin = (rule: string) => TWIN.test(rule);

/** Rules of one kind: which of them a missing undo breaks depends on when the run ends. */
const LEAK = /^(halt|init-fail|unload)-(leaks|leaves|skips)-|^driverentry-register-failed-leaks$/;
/** What is undone though it is not there, never or not any more: which of the two depends on what went before. */
const UNDO_OF_NOTHING = /^(undo-without-acquire|halt-then-reinit-stale-state)$/;

type Witness = Pick<Cause, 'finding' | 'scenario' | 'length'>;

/** One missing undo that shows at halt as well as in a failing initialize is named after halt; then the simpler scenario. */
function better(a: Witness, b: Witness): boolean {
  if (isTwin(a.finding.rule) !== isTwin(b.finding.rule)) return isTwin(b.finding.rule);
  const [more, less] = [deviations(a.scenario), deviations(b.scenario)];
  return more === less ? a.length < b.length : more < less;
}

/** Findings with one cause share a key: the rule, what it is about and where that came from, and where it went wrong. */
function causeOf(finding: Finding): string {
  const site = (stack: readonly Frame[] | undefined, frames = 2) =>
    (stack ?? []).slice(0, frames).map((frame) => `${frame.module}+${frame.offset}`);
  const { rule, resource, stack, cause } = finding;
  if (cause !== undefined) return JSON.stringify([rule, cause]);
  if (UNDO_OF_NOTHING.test(rule) && stack.length > 0) return JSON.stringify(['undo of nothing', site(stack, 3)]);
  return JSON.stringify([
    LEAK.test(rule) && resource !== undefined ? `leak of ${resource.type}` : rule.replace(TWIN, 'halt-'),
    resource?.fn,
    resource?.callback,
    site(resource?.acquired),
    site(stack),
  ]);
}
