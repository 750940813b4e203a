/** What a rule is, and what it finds. A rule is one row of a family; its id is contract.md's and never changes its meaning. */
import type { Stack, Value } from '../trace/events.ts';
import type { TraceView } from './view.ts';

/** Errors and warnings are findings; a note is told and leaves the verdict alone. */
export type Severity = 'error' | 'warning' | 'note';

/** The resource a finding is about. */
export interface FoundResource {
  readonly type: string;
  readonly key: string;
  /** The function that gave it, and the routine it was called in. */
  readonly fn: string;
  readonly callback?: string;
  readonly detail: Readonly<Record<string, Value>>;
  readonly acquired: Stack;
}

/** What a rule's check gives. */
export interface Violation {
  /** One plain sentence: what the driver did or left, and what it should do. */
  readonly message: string;
  /** Where in the trace it shows. */
  readonly seq: number;
  readonly resource?: FoundResource;
  /** Where the driver was when it went wrong; empty when something is missing rather than done. */
  readonly stack?: Stack;
  /** What makes it one with others of its rule, where one mistake shows at several places. Left out: the place and the resource. */
  readonly cause?: string;
  /** Overrides the rule's severity for this case, as contract.md says. */
  readonly severity?: Severity;
}

export interface Finding extends Violation {
  readonly rule: string;
  readonly severity: Severity;
  readonly stack: Stack;
}

/** A rule as lists, reports and references know it; what it finds is its family's pass. */
export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  /** One line for lists: what must not happen. */
  readonly title: string;
  /** Microsoft's pages, as contract.md cites them: `I:miniport_halt`. */
  readonly sources: readonly string[];
}

/** Rules that one pass over the trace judges: same table, many ids. */
export interface RuleFamily {
  readonly rules: readonly Rule[];
  check(view: TraceView): Iterable<Violation & { readonly rule: string }>;
}

/** A rule in a table: id, severity, title, then its sources. */
export type Row = readonly [id: string, severity: Severity, title: string, ...sources: string[]];

/** A family from its table and its one pass. */
export function family<const Rows extends readonly Row[]>(
  rows: Rows,
  check: (view: TraceView) => Iterable<Violation & { readonly rule: Rows[number][0] }>,
): RuleFamily {
  return { rules: rows.map(([id, severity, title, ...sources]) => ({ id, severity, title, sources })), check };
}
