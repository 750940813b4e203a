/**
 * Every schedule with at most so many preemptions (Musuvathi and Qadeer, PLDI 2007): first all with none, then with one, and so
 * on. A preemption is another context running although the last one could go on, or something the world does; whom to run
 * once the last one has blocked or ended, or while it only spins, costs nothing.
 *
 * A schedule is named by its deviations from the plain order, and each set of deviations is one run, so no run is played twice.
 * What is left out, because another run shows the same: an interrupt of another processor right after an inert step, which
 * could as well have come before that step (see `repeats`).
 */
import { type ChoicePoint, isHappening, processorOf, type Switch } from '../../machine/schedule.ts';
import { BATCH, type Played, type ScheduleStrategy, type Search } from './strategy.ts';

interface Options {
  /** False plays the runs that only repeat others as well. */
  readonly prune?: boolean;
}

/** Runs whose deviations are kept for the next bound: at most so many, or memory would go with them. */
const KEPT = 4000;

export function systematic(bound: number, { prune = true }: Options = {}): ScheduleStrategy {
  return {
    name:
      bound === 0
        ? 'all orders without preemption'
        : `all orders with up to ${bound} preemption${bound === 1 ? '' : 's'}`,
    *search(): Search {
      let level: Iterator<readonly Switch[]> = [[]][Symbol.iterator]();
      for (let cost = 0; cost <= bound; cost++) {
        const parents: Played[] = [];
        const free: (readonly Switch[])[] = [];
        for (let batch = next(level, free); batch.length > 0; batch = next(level, free)) {
          for (const played of yield batch) {
            free.push(...children(played, prune, 0));
            if (cost < bound && parents.length < KEPT) parents.push(played);
          }
        }
        level = dearer(parents, prune);
      }
    },
  };
}

/** The next schedules of a level: those that follow from free choices first, they are closest to what was just played. */
function next(level: Iterator<readonly Switch[]>, free: (readonly Switch[])[]): (readonly Switch[])[] {
  const batch = free.splice(0, BATCH);
  while (batch.length < BATCH) {
    const step = level.next();
    if (step.done === true) break;
    batch.push(step.value);
  }
  return batch;
}

function* dearer(parents: readonly Played[], prune: boolean): Generator<readonly Switch[]> {
  for (const played of parents) yield* children(played, prune, 1);
}

/** The schedules with one deviation more, later than all of this run's, at that cost. */
function* children({ points, taken }: Played, prune: boolean, cost: 0 | 1): Generator<readonly Switch[]> {
  const from = (taken.at(-1)?.at ?? -1) + 1;
  for (let at = from; at < points.length; at++) {
    const point = points[at] as ChoicePoint;
    for (const run of point.options.slice(1)) {
      if (costOf(point, run) !== cost || (prune && at > from && repeats(points[at - 1] as ChoicePoint, run))) continue;
      yield [...taken, { at, run }];
    }
  }
}

const costOf = ({ free }: ChoicePoint, run: string): 0 | 1 => (isHappening(run) || !free ? 1 : 0);

/**
 * Whether an interrupt of another processor could as well have come before the step at `before`. It only puts its ISR on top of
 * that processor, where it waits until it is chosen; a step that is inert neither sees nor changes what that touches (the
 * sources, the device, that processor's queues), so both orders lead to the same state, at the same cost.
 */
function repeats(before: ChoicePoint, run: string): boolean {
  const commutes = /^(interrupt|line)@/.test(run) && before.processor !== processorOf(run);
  return commutes && before.inert && before.chosen === 0 && before.options.includes(run);
}
