/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): random priorities, and depth - 1
 * random points at which what runs falls below all others. With n contexts and k choice points each run finds a bug that needs
 * `depth` ordered events with a probability of at least 1 / (n k^(depth - 1)), as far as the assumptions of the paper hold: what
 * spins also falls, and so does what the world has done, for it would otherwise run alone.
 */
import { randomNumbers } from '../../machine/schedule.ts';
import { BATCH, type ScheduleStrategy, type Search } from './strategy.ts';

export interface PctOptions {
  /** All runs follow from it. */
  readonly seed: number;
  /** How many ordered events the bugs looked for need. */
  readonly depth: number;
  readonly runs: number;
}

export function pct({ seed, depth, runs }: PctOptions): ScheduleStrategy {
  return {
    name: `random priorities, depth ${depth}, ${runs} runs`,
    *search(): Search {
      const random = randomNumbers(seed);
      const [first] = yield [[]];
      let length = Math.max(1, first?.points.length ?? 0);
      for (let left = runs - 1; left > 0; left -= BATCH) {
        const played = yield Array.from({ length: Math.min(left, BATCH) }, () => ({
          seed: Math.floor(random() * 2 ** 32),
          changes: Array.from({ length: depth - 1 }, () => Math.floor(random() * length)),
        }));
        length = Math.max(length, ...played.map(({ points }) => points.length));
      }
    },
  };
}

/** The known least probability that one run finds a bug of that depth. */
export const leastProbability = (contexts: number, points: number, depth: number): number =>
  1 / (contexts * points ** (depth - 1));
