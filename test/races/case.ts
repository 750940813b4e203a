/** A seeded race: a miniport with one, and its twin that does the same right. */
import type { Miniport } from '../../src/index.ts';
import type { Scenario } from '../../src/machine/scenario.ts';

/** A miniport in TypeScript, or the name of one in C: its file in c/built, without the extension. */
export type RaceDriver = Miniport | string;

export interface RaceCase {
  readonly name: string;
  /** What can run beside halt, as contract.md B2 has it. */
  readonly beside: string;
  /** Rules that may be the first to tell of it. */
  readonly rules: readonly string[];
  readonly race: RaceDriver;
  readonly clean: RaceDriver;
  /** Plays on a machine with the sample NIC. */
  readonly hardware?: true;
  /** How the scenario in which what it needs is under way differs from the plain one. */
  readonly scenario?: Partial<Scenario>;
}
