/** Applies every rule to a trace. Reads traces only. */
import type { TraceEvent } from '../trace/events.ts';
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
  return withoutConsequences(findings.sort((a, b) => a.seq - b.seq));
}

/** How many events before a stop an error still explains it: the fault or fact, and the returns it cuts off. */
const NEAR = 3;

/** What was left to run on its own: whatever it touches later follows from that. */
const LEFT_RUNNING =
  /^(halt|init-fail)-(leaks-(interrupt|wdm-interrupt|ktimer|ex-timer|dpc)|leaves-(timer-set|system-thread)|returns-with-)|^timer-freed-while-active$/;
const FOLLOWS = new Set([
  'memory-use-after-free',
  'unload-with-live-code',
  'io-access-after-unmap',
  'driver-access-violation',
  'driver-bugcheck',
  'halt-frees-memory-under-dma',
]);

/** Why memory that was given back is used, or something given back again; that it is, is said by the first name. */
const STALE = /^(halt-frees-driver-scope|halt-then-reinit-stale-state)$/;
const STALE_USES = new Set([
  'memory-use-after-free',
  'memory-double-free',
  'undo-without-acquire',
  'shared-memory-double-free',
  'timer-set-after-free',
]);

/** What MiniportHaltEx gives back of MiniportAddDevice' explains that MiniportRemoveDevice finds it gone. */
function isGone(other: Finding, { rule, resource, seq }: Finding): boolean {
  if (other.rule !== 'halt-frees-add-device-context' || seq <= other.seq) return false;
  return (STALE_USES.has(rule) || STALE.test(rule)) && resource?.key === other.resource?.key;
}

/**
 * Without what another finding already explains: a bug check right behind an error, and what a timer, interrupt or work item
 * that was left behind does after the routine that left it.
 */
function withoutConsequences(findings: Finding[]): Finding[] {
  const errors = findings.filter(({ severity }) => severity === 'error');
  return findings.filter((finding) => {
    const near = (other: Finding) => other !== finding && other.seq <= finding.seq && finding.seq - other.seq <= NEAR;
    if (finding.rule === 'driver-bugcheck' && errors.some(near)) return false;
    const stale = (other: Finding) => STALE.test(other.rule) && other.seq === finding.seq;
    if (STALE_USES.has(finding.rule) && errors.some(stale)) return false;
    if (errors.some((other) => isGone(other, finding))) return false;
    const left = (other: Finding) => LEFT_RUNNING.test(other.rule) && other.seq < finding.seq;
    return !(FOLLOWS.has(finding.rule) && errors.some(left));
  });
}
