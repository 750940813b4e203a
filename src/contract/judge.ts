/** Applies every rule to a trace. Reads traces only. */
import type { TraceEvent } from '../trace/events.ts';
import type { Finding } from './rule.ts';
import { families, rules } from './rules.ts';
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
  for (const rule of rules) {
    for (const violation of rule.check(view)) {
      findings.push({
        ...violation,
        rule: rule.id,
        severity: violation.severity ?? rule.severity,
        stack: violation.stack ?? [],
      });
    }
  }
  return withoutConsequences(findings.sort((a, b) => a.seq - b.seq));
}

/** How many events before a stop an error still explains it: the fault or fact, and the returns it cuts off. */
const NEAR = 3;

/** A bug check that another error just before it explains is that error's consequence, not a finding of its own. */
function withoutConsequences(findings: Finding[]): Finding[] {
  return findings.filter(
    (finding) =>
      finding.rule !== 'driver-bugcheck' ||
      !findings.some((other) => other !== finding && other.severity === 'error' && finding.seq - other.seq <= NEAR),
  );
}
