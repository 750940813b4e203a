/** What a check gives: the one shape every reporter reads. */
import type { Finding } from '../contract/rule.ts';
import type { Turn } from '../machine/schedule.ts';
import type { TraceEvent } from '../trace/events.ts';

/** `inconclusive`: nothing was found, and something that haltex lacks kept it from looking everywhere. */
export type Verdict = 'clean' | 'findings' | 'inconclusive';

export interface NamedScenario {
  readonly token: string;
  readonly description: string;
}

/** Everything that has one cause, told once. */
export interface MergedFinding extends Finding {
  /** The shortest scenario that shows it; `seq` counts in its trace. */
  readonly scenario: NamedScenario;
  /** How many scenarios show it. */
  readonly count: number;
  /** The calls that show it when they alone fail, in the order they were tried. */
  readonly faultPoints: readonly string[];
}

export interface PhaseResult {
  readonly name: string;
  readonly scenarios: number;
  readonly events: number;
  readonly findings: number;
  readonly unsupported: number;
  readonly milliseconds: number;
  /** The budget ended before the phase did. */
  readonly cut: boolean;
}

/** A row of "acquired / undone / owed" in the plain run. */
export interface Balance {
  readonly type: string;
  readonly acquired: number;
  readonly undone: number;
  readonly owed: number;
}

/** How much of what could fail was made to fail, and how much of the driver's code ran. */
export interface Coverage {
  readonly faultPoints: {
    /** Places (function, caller, routine) where a call that can fail was reached in any scenario. */
    readonly reached: number;
    /** … and made to fail in some scenario. */
    readonly exercised: number;
    /** The places that were not, in words. */
    readonly missed: readonly string[];
  };
  /** The driver's own code; undefined where there is none to count (TypeScript). */
  readonly code?: CodeCoverage;
}

export interface CodeCoverage {
  /** Blocks of the routines MiniportInitializeEx and MiniportHaltEx consist of, with what they call. */
  readonly routines: readonly { readonly routine: string; readonly blocks: number; readonly ran: number }[];
  /** Blocks of those that never ran: offsets in the image. */
  readonly never: readonly number[];
}

/** A run kept whole, for reports that draw it. */
export interface KeptTrace extends NamedScenario {
  /** Indexes of the findings it is the witness of. */
  readonly findings: readonly number[];
  readonly events: readonly TraceEvent[];
  /** Where its schedule is not the plain one: who went on when. */
  readonly turns?: readonly Turn[];
}

/** A whole check; every reporter reads this and nothing else. */
export interface CheckResult {
  readonly driver: string;
  readonly verdict: Verdict;
  /** Why the verdict is inconclusive, in a sentence each. */
  readonly reasons: readonly string[];
  readonly scenarios: {
    readonly run: number;
    readonly clean: number;
    readonly findings: number;
    readonly unsupported: number;
  };
  /** Why the check ended before its plan did; undefined when everything was played. */
  readonly ended?: 'budget' | 'interrupted' | 'bail';
  readonly phases: readonly PhaseResult[];
  readonly balance: readonly Balance[];
  readonly coverage: Coverage;
  readonly findings: readonly MergedFinding[];
  readonly unsupported: readonly { readonly function: string; readonly text: string; readonly count: number }[];
  /** The plain run first, then the findings' witnesses. */
  readonly traces: readonly KeptTrace[];
}

/** Whether a finding counts for the verdict; notes do not. */
export const counts = (finding: Pick<Finding, 'severity'>): boolean => finding.severity !== 'note';
