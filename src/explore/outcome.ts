/** One scenario played and judged: what exploration learns from a run. Plain data, so that a worker can send it. */
import { judge } from '../contract/judge.ts';
import type { Finding } from '../contract/rule.ts';
import { type FaultPoint, type MachineConfig, run } from '../machine/machine.ts';
import type { Scenario } from '../machine/scenario.ts';
import type { ChoicePoint, Turn } from '../machine/schedule.ts';
import type { Workbench } from '../machine/workbench.ts';
import type { EventOf, TraceEvent } from '../trace/events.ts';
import type { Address } from '../trace/units.ts';
import type { CodeBlock } from '../x64/block-coverage.ts';

/** What one scenario has shown. */
export interface Outcome {
  /** As it was played: a schedule by priorities has become the list of what it did. */
  readonly scenario: Scenario;
  readonly findings: readonly Finding[];
  readonly stop: Pick<EventOf<'stop'>, 'reason' | 'text' | 'name'>;
  /** Length of the trace. */
  readonly length: number;
  /** Whether MiniportInitializeEx succeeded at least once, and whether DriverEntry failed. */
  readonly initialized: boolean;
  readonly entryFailed: boolean;
  /** Calls that could fail, in the order they were reached; those after the last fault where the scenario has any. */
  readonly faultPoints: readonly FaultPoint[];
  /** Those that were made to fail. */
  readonly struck: readonly FaultPoint[];
  /** Blocks of the driver that ran for the first time where this was played: offsets in its image. */
  readonly covered: readonly CodeBlock[];
  /** Where the driver's image lay; undefined for one in TypeScript. */
  readonly imageBase: Address | undefined;
  /** The choice points it passed; undefined where the schedule is `plain`. */
  readonly choices?: readonly ChoicePoint[];
  /** The whole trace, where it was asked for. */
  readonly events?: readonly TraceEvent[];
  /** With it, unless the schedule is `plain`: who went on when. */
  readonly turns?: readonly Turn[];
}

/** Plays and judges one scenario. */
export function examine(config: MachineConfig, scenario: Scenario, workbench: Workbench, keepEvents = false): Outcome {
  const { events, stop, faultPoints, covered, imageBase, choices } = run(config, scenario, workbench);
  const marked = (what: string) => events.some((event) => event.kind === 'fact' && event.what === what);
  return {
    scenario: choices === undefined ? scenario : { ...scenario, schedule: choices.taken },
    findings: judge(events),
    stop: { reason: stop.reason, text: stop.text, ...(stop.name === undefined ? {} : { name: stop.name }) },
    length: events.length,
    initialized: marked('initialized'),
    entryFailed: marked('driver-entry-failed'),
    ...split(faultPoints, scenario),
    covered,
    imageBase,
    ...(choices === undefined ? {} : { choices: choices.points }),
    ...(keepEvents ? { events } : {}),
    ...(keepEvents && choices !== undefined ? { turns: choices.turns } : {}),
  };
}

function split(points: readonly FaultPoint[], { faults }: Scenario): Pick<Outcome, 'faultPoints' | 'struck'> {
  const struck = points.filter(({ fn, nth }) => faults.some((fault) => fault.fn === fn && fault.nth === nth));
  const last = struck.at(-1);
  return { faultPoints: last === undefined ? points : points.slice(points.indexOf(last) + 1), struck };
}
