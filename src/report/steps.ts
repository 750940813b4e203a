/**
 * The few events of a trace that tell a finding's story: callbacks of the adapter's life, changes of state, calls made to fail,
 * what happened to the resource, faults, and the place where it shows. For formats that draw nothing: SARIF's code flows.
 */
import type { MergedFinding } from '../explore/result.ts';
import type { Stack, TraceEvent } from '../trace/events.ts';
import { hex, irqlName } from '../trace/units.ts';

export interface Step {
  readonly event: TraceEvent;
  readonly text: string;
  readonly stack: Stack;
  /** Without it the finding would not be understood. */
  readonly essential: boolean;
}

const LIFE = new Set([
  'DriverEntry',
  'MiniportSetOptions',
  'MiniportAddDevice',
  'MiniportInitializeEx',
  'MiniportRestart',
  'MiniportPause',
  'MiniportResetEx',
  'MiniportShutdownEx',
  'MiniportDevicePnPEventNotify',
  'MiniportHaltEx',
  'MiniportRemoveDevice',
  'MiniportDriverUnload',
]);

/** More steps than these are no story. */
const MOST = 200;

export function stepsOf(finding: MergedFinding, events: readonly TraceEvent[]): Step[] {
  const steps: Step[] = [];
  const { resource } = finding;
  const about = (type: string, key: string) => resource !== undefined && type === resource.type && key === resource.key;
  for (const event of events) {
    // What comes after it shows nothing more; the callback it shows in still returns.
    if (event.seq > finding.seq + 2) break;
    const add = (text: string, stack: Stack = [], essential = false) => steps.push({ event, text, stack, essential });
    const here = event.seq === finding.seq;
    if (event.kind === 'enter' && LIFE.has(event.callback)) add(`NDIS calls ${event.callback}`, [], here);
    else if (event.kind === 'leave' && LIFE.has(event.callback)) {
      add(`${event.callback} returns${event.result === null ? '' : ` ${String(event.result)}`}`, [], here);
    } else if (event.kind === 'state') add(`the adapter goes from ${event.from} to ${event.to}`);
    else if (event.kind === 'return' && event.injected !== undefined) {
      add(`${event.fn} is made to fail (${event.injected})`, [], true);
    } else if (event.kind === 'acquire' && about(event.type, event.key)) {
      add(`${event.fn} acquires the ${event.type} ${event.key}`, event.stack, true);
    } else if (event.kind === 'undo' && about(event.type, event.key)) {
      add(`${event.fn} on the ${event.type} ${event.key}: ${event.outcome}`, event.stack, true);
    } else if (event.kind === 'fault') {
      add(`${event.by} ${event.access}s ${event.size} bytes at ${hex(event.address)}: ${event.why}`, event.stack, true);
    } else if (event.kind === 'stop') add(event.text, event.stack, true);
    else if (here)
      add(`${event.kind === 'fact' ? event.what : event.kind} at ${irqlName(event.irql)}`, finding.stack, true);
  }
  return steps.length <= MOST ? steps : [...steps.slice(0, MOST / 2), ...steps.slice(-MOST / 2)];
}
