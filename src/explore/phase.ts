/** A phase of a check: a coroutine that asks for scenarios to be played and learns from how they went. */
import type { Scenario } from '../machine/scenario.ts';
import type { TraceEvent } from '../trace/events.ts';
import type { Outcome } from './outcome.ts';

/** What the check has seen so far. */
export interface Seen {
  /** The plain run and its trace. */
  readonly plain: Outcome & { readonly events: readonly TraceEvent[] };
  /** Every outcome so far, the plain run's first. */
  readonly outcomes: readonly Outcome[];
}

export type Play = Generator<readonly Scenario[], void, readonly Outcome[]>;

export interface Phase {
  /** For the report's line. */
  readonly name: string;
  /** The part of the budget it may use; all of what is left by default. */
  readonly share?: number;
  /** Whether it looks at the traces; its outcomes then keep them. */
  readonly keepsEvents?: boolean;
  /**
   * Yields batches of scenarios and is given their outcomes, in the same order. Batches may be large: their scenarios are
   * played side by side. When the budget ends, the last batch comes back shorter and the phase is not resumed.
   */
  play(seen: Seen): Play;
}

/** A phase whose scenarios follow from what was seen before it, all at once. */
export const listed = (name: string, list: (seen: Seen) => readonly Scenario[]): Phase => ({
  name,
  *play(seen) {
    yield list(seen);
  },
});
