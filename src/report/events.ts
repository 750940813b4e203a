/** One event of a trace as one line of text. */
import type { TraceEvent, Value } from '../trace/events.ts';
import { hex, irqlName } from '../trace/units.ts';

export function showValue(value: Value): string {
  if (value === null) return '';
  if (Array.isArray(value)) return `[${value.map((element) => showValue(element as Value)).join(' ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([field, inner]) => `${field}=${showValue(inner as Value)}`)
      .join(' ')}}`;
  }
  return String(value);
}

const named = (values: Readonly<Record<string, Value>>) =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${showValue(value)}`)
    .join(', ');

function body(event: TraceEvent): string {
  switch (event.kind) {
    case 'call':
      return `${event.fn}(${named(event.args)})`;
    case 'return':
      return `  ${event.fn} → ${showValue(event.result)}${event.injected === undefined ? '' : `   [${event.injected}]`}`;
    case 'acquire':
      return `  + ${event.type} ${event.key} ${showValue(event.detail)}`;
    case 'undo':
      return `  ${event.outcome === 'undone' ? '-' : '!'} ${event.type} ${event.key} ${event.outcome}`;
    case 'enter':
      return `→ ${event.callback}(${named(event.args)})`;
    case 'leave':
      return `← ${event.callback} ${showValue(event.result)}`;
    case 'state':
      return `${event.from} ⇒ ${event.to} (${event.event})`;
    case 'fault':
      return `! ${event.access} of ${event.size} at ${hex(event.address)}: ${event.why}`;
    case 'fact':
      return `  · ${event.what} ${showValue(event.detail)}`;
    case 'stop':
      return `■ ${event.reason}: ${event.text}`;
  }
}

/** `   12  0.0031 ms  cpu0 PASSIVE_LEVEL  PnP manager  NdisMSleep(…)`. */
export function printEvent(event: TraceEvent): string {
  const time = `${(event.time / 10_000).toFixed(4)} ms`;
  return `${String(event.seq).padStart(6)} ${time.padStart(14)}  cpu${event.processor} ${irqlName(event.irql).padEnd(14)} ${event.context.padEnd(16)} ${body(event)}`;
}
