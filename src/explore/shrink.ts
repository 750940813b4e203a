/** Simpler scenarios: what a finding's witness is reduced to. */
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import type { Schedule, Switch } from '../machine/schedule.ts';

const different = (scenario: Scenario, key: keyof Scenario) =>
  JSON.stringify(scenario[key]) !== JSON.stringify(plainScenario[key]);

/** Parts a part consists of: a list's elements, an object's fields; a plain value is one. */
function parts(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 1;
}

/** In how many things a scenario differs from the plain one. */
export function deviations(scenario: Scenario): number {
  return (Object.keys(scenario) as (keyof Scenario)[])
    .filter((key) => different(scenario, key))
    .reduce((sum, key) => sum + Math.max(1, parts(scenario[key])), 0);
}

/** The scenarios with one deviation less. */
export function simpler(scenario: Scenario): Scenario[] {
  return (Object.keys(scenario) as (keyof Scenario)[])
    .filter((key) => different(scenario, key))
    .flatMap((key) => {
      const values = key === 'schedule' ? simplerSchedules(scenario.schedule) : without(scenario[key]);
      return values.map((value) => ({ ...scenario, [key]: value ?? plainScenario[key] }));
    });
}

/** How far the choice points after a deviation may move up when it is dropped: what it made happen had points of its own. */
const SHIFTS = [0, 1, 2, 3, 4];
/** Deviations of a list that are tried one by one; of a longer one only its ends are dropped. */
const ONE_BY_ONE = 16;

/**
 * Schedules with fewer switches. What comes first of a list is what it was, whatever is dropped behind it, so beginnings come
 * first, the shortest before all; then the list without one switch, with what follows it moved up.
 */
function simplerSchedules(schedule: Schedule): (Schedule | undefined)[] {
  if (schedule === 'plain' || 'seed' in schedule) return [undefined];
  const switches = schedule as readonly Switch[];
  const beginnings = Array.from({ length: Math.max(0, switches.length - 1) }, (_, i) => switches.slice(0, i + 1));
  const without =
    switches.length > ONE_BY_ONE
      ? []
      : switches
          .slice(0, -1)
          .flatMap((_, i) =>
            SHIFTS.map((shift) => [
              ...switches.slice(0, i),
              ...switches.slice(i + 1).map(({ at, run }) => ({ at: Math.max(0, at - shift), run })),
            ]),
          );
  return [undefined, ...beginnings, ...without];
}

/** The value with one part less; undefined stands for the plain value. */
function without(value: unknown): unknown[] {
  if (Array.isArray(value) && value.length > 1) return value.map((_, i) => value.toSpliced(i, 1));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value);
    if (entries.length > 1) return entries.map((_, i) => Object.fromEntries(entries.toSpliced(i, 1)));
  }
  return [undefined];
}
