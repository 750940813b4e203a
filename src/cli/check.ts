/** `haltex check`: one driver, every planned scenario, a report. */

import { catalogue } from '../contract/rules.ts';
import { DEFAULT_BUDGET } from '../explore/check.ts';
import { explore } from '../explore/explore.ts';
import { phases, phasesWithRaces } from '../explore/plan.ts';
import type { CheckResult } from '../explore/result.ts';
import type { MachineConfig } from '../machine/machine.ts';
import { type Symbols, symbolizeResult } from '../report/symbols.ts';
import { ExitCode, InputError } from './errors.ts';
import { type Output, writeReports } from './outputs.ts';
import { Players } from './players.ts';
import { Progress } from './progress.ts';
import { suggestion } from './suggest.ts';
import type { MachineSource } from './worker.ts';

/** Checks of fewer scenarios are not worth a worker. */
const WORTH_IT = 8;

export interface CheckSettings {
  readonly outputs: readonly Output[];
  readonly budget: Budget;
  /** Stops at the first finding. */
  readonly bail: boolean;
  /** Ids of rules, or names of phases. */
  readonly only: readonly string[];
  /** Whether races around halt are searched for at length. */
  readonly races: boolean;
  /** Threads that play beside this one. */
  readonly workers: number;
  /** Debug information of the driver, for the reports. */
  readonly symbols?: Symbols | undefined;
}

export interface Budget {
  readonly scenarios: number;
  readonly milliseconds: number;
}

/** `500` scenarios, or `30s`, `5m`. */
export function parseBudget(text: string): Budget {
  const match = /^([0-9]+)(s|m)?$/.exec(text);
  const number = Number(match?.[1]);
  if (match === null || number === 0 || !Number.isSafeInteger(number)) {
    throw new InputError(`--budget ${text}: give a number of scenarios, as in 500, or a time, as in 30s or 5m.`);
  }
  if (match[2] === undefined) return { scenarios: number, milliseconds: Number.POSITIVE_INFINITY };
  return { scenarios: Number.MAX_SAFE_INTEGER, milliseconds: number * (match[2] === 's' ? 1000 : 60_000) };
}

export const defaultBudget: Budget = { scenarios: DEFAULT_BUDGET, milliseconds: Number.POSITIVE_INFINITY };

/** What Ctrl-C gives, as shells know it. */
const INTERRUPTED = 130;

export async function runCheck(config: MachineConfig, source: MachineSource, settings: CheckSettings): Promise<number> {
  const only = wanted(settings.only);
  const started = performance.now();
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    process.once('SIGINT', () => process.exit(INTERRUPTED));
  };
  process.once('SIGINT', interrupt);
  const players = new Players(config, source, settings.workers);
  if (settings.budget.scenarios > WORTH_IT) players.hire();
  const progress = new Progress(process.stderr, settings.budget.scenarios);
  const late = () => performance.now() - started > settings.budget.milliseconds;
  try {
    const exploration = explore(config.driver, {
      budget: settings.budget.scenarios,
      now: () => performance.now(),
      enough: (findings) => {
        if (interrupted) return 'interrupted';
        if (settings.bail && findings > 0) return 'bail';
        return late() ? 'budget' : undefined;
      },
      ...(only.phases.length === 0
        ? { phases: settings.races ? phasesWithRaces : phases }
        : { phases: phasesWithRaces.filter(({ name }) => only.phases.includes(name)), shares: false }),
    });
    let step = exploration.next();
    while (step.done !== true) {
      const batch = step.value;
      progress.begin(batch);
      const outcomes = await players.play(batch, {
        stop: () => !batch.keepEvents && (interrupted || late()),
        onOutcome: (outcome) => progress.outcome(outcome),
      });
      step = exploration.next(outcomes);
    }
    progress.end();
    const result = only.rules.length === 0 ? step.value : onlyRules(step.value, only.rules);
    const { symbols, outputs } = settings;
    writeReports(symbols === undefined ? result : symbolizeResult(result, symbols), source.driver, outputs);
    return interrupted ? INTERRUPTED : ExitCode[result.verdict];
  } finally {
    process.removeListener('SIGINT', interrupt);
    progress.end();
    await players.close();
  }
}

/** Splits what --only names into rules and phases. */
function wanted(names: readonly string[]): { rules: string[]; phases: string[] } {
  const rules = catalogue().map(({ id }) => id);
  const known = phasesWithRaces.map(({ name }) => name);
  for (const name of names) {
    if (rules.includes(name) || known.includes(name)) continue;
    const text = suggestion(name, [...known, ...rules]);
    const end = text.startsWith('; did')
      ? text
      : `; phases are ${known.join(', ')}, and haltex explain lists the rules.`;
    throw new InputError(`--only ${name}: there is no such rule or phase${end}`);
  }
  return { rules: names.filter((name) => rules.includes(name)), phases: names.filter((name) => known.includes(name)) };
}

/** The result as if only these rules existed. */
function onlyRules(result: CheckResult, rules: readonly string[]): CheckResult {
  const kept = result.findings.filter(({ rule }) => rules.includes(rule));
  const counted = kept.some(({ severity }) => severity !== 'note');
  const verdict = counted ? 'findings' : result.reasons.length > 0 ? 'inconclusive' : 'clean';
  const traces = result.traces.map((trace) => ({
    ...trace,
    findings: trace.findings.flatMap((i) => {
      const at = kept.indexOf(result.findings[i] as (typeof kept)[number]);
      return at < 0 ? [] : [at];
    }),
  }));
  return { ...result, verdict, findings: kept, traces };
}
