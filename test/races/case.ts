/** A seeded race: a miniport with one, and its twin that does the same right. */
import type { Miniport } from '../../src/index.ts';

export interface RaceCase {
  readonly name: string;
  /** What can run beside halt, as contract.md B2 has it. */
  readonly beside: string;
  /** Rules that may be the first to tell of it. */
  readonly rules: readonly string[];
  readonly race: Miniport;
  readonly clean: Miniport;
  /** Plays on a machine with the sample NIC. */
  readonly hardware?: true;
}
