/**
 * Races around halt: one scenario is played in many orders, from the call of MiniportPause or MiniportHaltEx (or the first
 * failure that the scenario has) to unload. What a strategy asks for becomes scenarios, what those show goes back to it.
 */
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import type { Switch } from '../machine/schedule.ts';
import type { Outcome } from './outcome.ts';
import type { Phase, Play, Seen } from './phase.ts';
import { counts } from './result.ts';
import { pct } from './strategies/pct.ts';
import type { Played, ScheduleStrategy } from './strategies/strategy.ts';
import { systematic } from './strategies/systematic.ts';

/** Plays a scenario in the orders a strategy asks for. */
export function* inOrders(strategy: ScheduleStrategy, base: Scenario): Play {
  const search = strategy.search();
  for (let step = search.next(); step.done !== true; ) {
    const outcomes = yield step.value.map((schedule) => ({ ...base, schedule }));
    step = search.next(outcomes.map(played));
  }
}

/** The schedule of an outcome is what was done, so it is the list of deviations. */
const played = ({ scenario, choices }: Outcome): Played => ({
  points: choices ?? [],
  taken: Array.isArray(scenario.schedule) ? (scenario.schedule as readonly Switch[]) : [],
});

/** The courses of events whose orders are worth searching: as usual, with receives that come late, straight after initialize. */
const bases: readonly Scenario[] = [
  plainScenario,
  { ...plainScenario, flow: 'prompt-halt' },
  { ...plainScenario, returnReceives: 'late' },
  { ...plainScenario, flow: 'init-halt' },
];

/** … and, where the driver has a reset, with one that is under way. */
function basesFor({ plain }: Seen): readonly Scenario[] {
  const resets = plain.events.some(
    (event) => event.kind === 'fact' && event.what === 'initialized' && event.detail.resets === true,
  );
  return resets ? [{ ...plainScenario, flow: 'reset-while-pausing' }, ...bases] : bases;
}

/** A phase that plays each base with the strategy; its line in the report says whether it was cut. */
export const racesBy = (strategy: ScheduleStrategy, scenarios = basesFor, share = 1): Phase => ({
  name: `races: ${strategy.name}`,
  share,
  *play(seen) {
    for (const base of scenarios(seen)) yield* inOrders(strategy, base);
  },
});

/** All orders with at most one preemption; every race of two contexts that one switch decides. */
export const races: Phase = racesBy(systematic(1), basesFor, 0.15);
/** What needs more switches, by chance. */
export const rareRaces: Phase = racesBy(pct({ seed: 1, depth: 3, runs: 200 }), basesFor, 0.05);
/**
 * The same for a driver that is clean up to here, and only as far as a tenth of the budget goes. A driver with findings has those
 * mended first: what is left over shows in other orders as faults of its own, and one mistake would be told many times.
 */
export const fewRaces: Phase = {
  ...races,
  share: 0.1,
  *play(seen) {
    if (!seen.outcomes.some(({ findings }) => findings.some(counts))) yield* races.play(seen);
  },
};
/** All of the plain course with two: exhaustive only for small drivers. */
export const deepRaces: Phase = racesBy(systematic(2), () => [plainScenario]);
