/** Every rule. A family is a table that one pass judges. */
import { asleep } from './asleep.ts';
import { facts } from './facts.ts';
import { faults } from './faults.ts';
import { freeOrder } from './free-order.ts';
import { halt } from './halt.ts';
import { initialize } from './initialize.ts';
import { initializeEnd } from './initialize-end.ts';
import { irql } from './irql.ts';
import { leaks } from './leaks.ts';
import { lives } from './lives.ts';
import { lockOrder } from './lock-order.ts';
import { misuse } from './misuse.ts';
import { oids } from './oids.ts';
import { pausing } from './pausing.ts';
import { ports } from './ports.ts';
import { registration } from './registration.ts';
import type { Rule, RuleFamily } from './rule.ts';
import { sends } from './sends.ts';
import { shutdown } from './shutdown.ts';
import { waiting } from './waiting.ts';

export const families: readonly RuleFamily[] = [
  registration,
  initialize,
  initializeEnd,
  leaks,
  misuse,
  faults,
  irql,
  halt,
  waiting,
  lockOrder,
  freeOrder,
  pausing,
  sends,
  ports,
  oids,
  shutdown,
  lives,
  asleep,
  facts,
];

/** Every rule id with its severity and title, for `explain`, SARIF and the reference. */
export function catalogue(): readonly Rule[] {
  const byId = new Map(families.flatMap((family) => family.rules).map((rule) => [rule.id, rule]));
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
