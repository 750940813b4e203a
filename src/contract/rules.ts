/** Every rule. A family is a table that one pass judges; a single rule is a record of its own. */
import { faults } from './faults.ts';
import { irql } from './irql.ts';
import { leaks } from './leaks.ts';
import { misuse } from './misuse.ts';
import type { Rule, RuleFamily } from './rule.ts';

export const families: readonly RuleFamily[] = [leaks, misuse, faults, irql];
export const rules: readonly Rule[] = [];

/** Every rule id with its severity and title, for `explain`, SARIF and the reference. */
export function catalogue(): readonly Omit<Rule, 'check'>[] {
  return [...families.flatMap((family) => family.rules), ...rules].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
