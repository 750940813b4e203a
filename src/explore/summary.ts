/** What a result says beside its findings: what was owed, what could fail and did, why there is no verdict. */
import type { DriverFile } from '../machine/driver-file.ts';
import type { FaultPoint } from '../machine/machine.ts';
import type { TraceEvent } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { codeCoverage } from './code-coverage.ts';
import { placeOf } from './faults.ts';
import type { Outcome } from './outcome.ts';
import type { Balance, Coverage } from './result.ts';

export function balance(events: readonly TraceEvent[]): Balance[] {
  const rows = new Map<string, { acquired: number; undone: number }>();
  const row = (type: string) => {
    const known = rows.get(type) ?? { acquired: 0, undone: 0 };
    rows.set(type, known);
    return known;
  };
  for (const event of events) {
    if (event.kind === 'acquire') row(event.type).acquired++;
    else if (event.kind === 'undo' && (event.outcome === 'undone' || event.outcome === 'mismatch'))
      row(event.type).undone++;
  }
  return [...rows].map(([type, { acquired, undone }]) => ({ type, acquired, undone, owed: acquired - undone }));
}

export function coverage(
  driver: DriverFile,
  plain: Outcome & { readonly events: readonly TraceEvent[] },
  outcomes: readonly Outcome[],
): Coverage {
  const faultPoints = faultPointCoverage(outcomes);
  if (driver.kind !== 'image' || plain.imageBase === undefined) return { faultPoints };
  const routines = new Map<string, number>();
  for (const event of plain.events) {
    if (event.kind === 'enter' && COVERED_ROUTINES.includes(event.callback)) {
      routines.set(event.callback, event.address - plain.imageBase);
    }
  }
  const covered = outcomes.flatMap((outcome) => outcome.covered);
  return { faultPoints, code: codeCoverage(driver.image, routines, covered) };
}

/** The routines whose code a check is about. */
const COVERED_ROUTINES: readonly string[] = ['MiniportInitializeEx', 'MiniportHaltEx'];

function faultPointCoverage(outcomes: readonly Outcome[]): Coverage['faultPoints'] {
  const reached = new Map<string, FaultPoint>();
  const exercised = new Set<string>();
  for (const { faultPoints, struck } of outcomes) {
    for (const point of [...struck, ...faultPoints]) reached.set(placeOf(point), reached.get(placeOf(point)) ?? point);
    for (const point of struck) exercised.add(placeOf(point));
  }
  const missed = [...reached].filter(([place]) => !exercised.has(place)).map(([, point]) => inWords(point));
  return { reached: reached.size, exercised: exercised.size, missed };
}

const inWords = ({ fn, caller, callback }: FaultPoint) =>
  `${fn}${callback === undefined ? '' : ` in ${callback}`}${caller === 0 ? '' : `, returning to ${hex(caller)}`}`;

/** Why there is no verdict, a sentence each. */
export function reasons(
  plain: Outcome,
  missing: ReadonlyMap<string, { readonly text: string; readonly count: number }>,
  run: number,
): string[] {
  const sentences = [...missing.values()].map(({ text, count }) => `In ${count} of ${run} scenarios: ${text}.`);
  if (!plain.initialized && plain.stop.reason === 'finished') {
    sentences.push(
      plain.entryFailed
        ? 'DriverEntry fails even when nothing is made to fail, so nothing was initialized or halted.'
        : 'MiniportInitializeEx fails even when nothing is made to fail, so MiniportHaltEx never ran. If the driver needs its hardware, give a model of it with --device, and its settings with --inf.',
    );
  }
  return sentences;
}
