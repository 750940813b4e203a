/**
 * A strategy searches the schedules of one scenario: it asks for some to be played, learns which choices those runs had, and
 * asks for the next. It knows nothing of drivers.
 */
import type { ChoicePoint, Schedule, Switch } from '../../machine/schedule.ts';

/** A run of a schedule, as a strategy sees it. */
export interface Played {
  readonly points: readonly ChoicePoint[];
  /** The deviations from the plain order that were made. */
  readonly taken: readonly Switch[];
}

/** Yields schedules and is given how they went, in the same order; ends when there is nothing more to play. */
export type Search = Generator<readonly Exclude<Schedule, 'plain'>[], void, readonly Played[]>;

export interface ScheduleStrategy {
  /** For the report: what is exhausted once the search has ended by itself. */
  readonly name: string;
  search(): Search;
}

/** Schedules asked for at once: they are played side by side. */
export const BATCH = 64;
