/** Applies every rule to a trace. Reads traces only. */
import type { TraceEvent } from '../trace/events.ts';
import { withoutConsequences } from './consequences.ts';
import type { Finding } from './rule.ts';
import { families } from './rules.ts';
import { TraceView } from './view.ts';

/** What the trace shows, in the order of the trace. */
export function judge(events: readonly TraceEvent[]): Finding[] {
  const view = new TraceView(events);
  const findings: Finding[] = [];
  for (const family of families) {
    for (const { rule, ...violation } of family.check(view)) {
      const severity = violation.severity ?? family.rules.find(({ id }) => id === rule)?.severity ?? 'error';
      findings.push({ ...violation, rule, severity, stack: violation.stack ?? [] });
    }
  }
  return withoutConsequences(notTooOften(findings.sort((a, b) => a.seq - b.seq)));
}

/** A driver that runs wild breaks a rule at every turn. So many of one rule say all that there is to say; each is compared with each. */
const MOST_OF_A_RULE = 200;

function notTooOften(findings: readonly Finding[]): Finding[] {
  const counts = new Map<string, number>();
  return findings.filter(({ rule }) => {
    const count = (counts.get(rule) ?? 0) + 1;
    counts.set(rule, count);
    return count <= MOST_OF_A_RULE;
  });
}
