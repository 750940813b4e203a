/**
 * Which calls fail in which scenario. Every call that can fail and was reached is a fault point, the n-th call counted, not its
 * place; places only decide what comes first when the budget is short.
 */
import type { FaultPoint } from '../machine/machine.ts';
import type { Fault, Scenario } from '../machine/scenario.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { Outcome } from './outcome.ts';
import type { Phase, Seen } from './phase.ts';
import { deviations } from './shrink.ts';

/** How many scenarios of a phase are played before it looks at what they show. */
const BATCH = 64;

/** Where in the driver a call stands: calls of a loop share it. */
export const placeOf = ({ fn, caller, callback }: FaultPoint): string => `${fn} ${caller} ${callback ?? ''}`;

/** Each fault point of the courses of events so far fails once, in every way it can where it is new. */
export const singleFaults: Phase = singlesIn('single faults', 0.5);

/** The same for calls that only the flows reach. */
export const faultsOfFlows: Phase = singlesIn('single faults of flows', 0.1);

/** Single faults that were not played yet; of another course of events than the first only what the first does not reach. */
function singlesIn(name: string, share: number): Phase {
  return {
    name,
    share,
    *play(seen) {
      const tried = new Set(seen.outcomes.map(({ scenario }) => JSON.stringify(scenario)));
      const known = new Set<string>();
      const ranked: { rank: number; scenario: Scenario }[] = [];
      for (const base of bases(seen)) {
        const ranks = rank(base, known);
        for (const [i, point] of base.faultPoints.entries()) {
          for (const [j, failure] of point.failures.entries()) {
            const scenario = failing(base.scenario, { fn: point.fn, nth: point.nth, failure });
            const key = JSON.stringify(scenario);
            const order = (ranks[i] as number) + (j === 0 ? 0 : 1);
            if (order >= OLD || tried.has(key)) continue;
            tried.add(key);
            ranked.push({ rank: order, scenario });
          }
        }
      }
      ranked.sort((a, b) => a.rank - b.rank);
      yield* batches(ranked.map(({ scenario }) => scenario));
    },
  };
}

/** After a failure the driver survives, the next one: pairs of faults, new places first. */
export const pairsOfFaults: Phase = {
  name: 'pairs of faults',
  share: 0.25,
  *play(seen) {
    const known = new Set(seen.plain.faultPoints.map(placeOf));
    const tried = new Set<string>();
    const fresh: Scenario[] = [];
    const rest: Scenario[] = [];
    for (const { scenario, faultPoints } of seen.outcomes) {
      if (scenario.faults.length !== 1 || deviations(scenario) !== 1) continue;
      const first = scenario.faults[0] as Fault;
      for (const point of faultPoints) {
        const key = JSON.stringify([first.fn, first.failure, placeOf(point), scenario.flow]);
        const again = tried.has(key);
        tried.add(key);
        const pair = failing(scenario, { fn: point.fn, nth: point.nth, failure: point.failures[0] as string });
        if (!again) (known.has(placeOf(point)) ? rest : fresh).push(pair);
      }
    }
    yield* batches([...fresh, ...rest]);
  },
};

const failing = (scenario: Scenario, fault: Fault): Scenario => ({ ...scenario, faults: [...scenario.faults, fault] });

function* batches(scenarios: readonly Scenario[]): Generator<readonly Scenario[], void, readonly Outcome[]> {
  for (let i = 0; i < scenarios.length; i += BATCH) yield scenarios.slice(i, i + BATCH);
}

/** The courses of events without a fault, the plain one first. */
const bases = ({ outcomes }: Seen): Outcome[] => outcomes.filter(({ scenario }) => scenario.faults.length === 0);

/** From this rank on a scenario repeats what another course of events has shown. */
const OLD = 4;

/**
 * 0 for the first call of a place; 1 for the ends of a loop (nothing to undo yet, something, all but one); 2 for the rest of it;
 * in other courses of events than the plain one, only places that are new. A way of failing that is not the usual one comes one
 * rank later.
 */
function rank(base: Outcome, known: Set<string>): number[] {
  const places = stacksOf(base.events ?? []);
  const groups = new Map<string, number[]>();
  const old = new Set(known);
  for (const [i, point] of base.faultPoints.entries()) {
    const key = `${placeOf(point)} ${places.get(point.call) ?? ''}`;
    groups.set(key, [...(groups.get(key) ?? []), i]);
    known.add(placeOf(point));
  }
  // The middle of a loop is played in the plain course only: a burst of traffic has hundreds of calls from one place.
  const middle = old.size === 0 ? 2 : OLD;
  const ranks: number[] = base.faultPoints.map((point) => (old.has(placeOf(point)) ? OLD : middle));
  for (const indexes of groups.values()) {
    for (const i of [indexes.at(-1), indexes[1], indexes[0]]) {
      const fresh = i !== undefined && !old.has(placeOf(base.faultPoints[i] as FaultPoint));
      if (fresh) ranks[i] = i === indexes[0] ? 0 : 1;
    }
  }
  return ranks;
}

/** The stacks of calls that acquired something, by the call's place in the trace: they tell callers of a helper apart. */
function stacksOf(events: readonly TraceEvent[]): Map<number, string> {
  const stacks = new Map<number, string>();
  const acquired = new Map<string, string>();
  for (const event of events) {
    const key = 'fn' in event ? `${event.context} ${event.fn}` : '';
    if (event.kind === 'acquire') {
      acquired.set(key, event.stack.map(({ module, offset }) => `${module}+${offset}`).join(' '));
    } else if (event.kind === 'return') {
      const stack = acquired.get(key);
      acquired.delete(key);
      if (stack !== undefined) stacks.set(event.call, stack);
    }
  }
  return stacks;
}
