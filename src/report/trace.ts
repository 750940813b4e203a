/**
 * The kept scenarios in the trace event format that Perfetto and chrome://tracing open. A process a scenario, a thread a
 * processor's context; callbacks and calls are spans, resources asynchronous spans from acquire to undo, facts instants.
 */
import type { KeptTrace } from '../explore/result.ts';
import type { Stack, TraceEvent, Value } from '../trace/events.ts';
import { type Handle, hex, irqlName } from '../trace/units.ts';
import { placeOf } from './place.ts';
import type { Reporter } from './reporter.ts';

/** An event of the format; `ts` and `dur` count microseconds. */
interface Entry {
  readonly name: string;
  readonly ph: 'X' | 'i' | 'M' | 'b' | 'e';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly s?: 't' | 'p';
  readonly args?: Readonly<Record<string, unknown>>;
}

/** Many events share an instant of virtual time; each gets at least this much of its own, or nothing could be seen. */
const LEAST = 0.01;

function timeline(events: readonly TraceEvent[]): number[] {
  let last = -LEAST;
  return events.map(({ time }) => {
    last = Math.max(last + LEAST, time / 10);
    return Math.round(last * 1000) / 1000;
  });
}

const frames = (stack: Stack) => stack.map((frame) => placeOf(frame).text);

class Tracks {
  private readonly pid: number;
  private readonly known = new Map<string, number>();
  readonly names: Entry[] = [];

  constructor(pid: number, title: string) {
    this.pid = pid;
    this.name('process_name', 0, title);
  }

  /** Each adapter's states have a track: those of two would not nest. */
  state(adapter: Handle): number {
    return this.track(`state ${adapter}`, this.known.size === 0 ? 'adapter state' : `adapter state (${hex(adapter)})`);
  }

  private name(what: string, tid: number, name: string): void {
    this.names.push({ name: what, ph: 'M', pid: this.pid, tid, args: { name } });
  }

  of({ processor, context }: TraceEvent): number {
    const title = `cpu${processor} ${context}`;
    return this.track(title, title);
  }

  private track(key: string, title: string): number {
    let tid = this.known.get(key);
    if (tid === undefined) {
      tid = this.known.size + 1;
      this.known.set(key, tid);
      this.name('thread_name', tid, title);
    }
    return tid;
  }
}

function entriesOf({ description, events }: KeptTrace, pid: number): Entry[] {
  const at = timeline(events);
  const end = (at.at(-1) ?? 0) + 1;
  const tracks = new Tracks(pid, description);
  const closes = closings(events);
  const entries: Entry[] = [];
  const states = new Map<Handle, { name: string; ts: number }>();
  // They come before the contexts.
  for (const event of events) if (event.kind === 'state') tracks.state(event.of);
  for (const event of events) {
    const { seq } = event;
    const ts = at[seq] as number;
    const where = { pid, tid: tracks.of(event), ts };
    const base = { seq, irql: irqlName(event.irql) };
    const until = closes.get(seq);
    const dur = Math.round(((until === undefined ? end : (at[until.seq] as number)) - ts) * 1000) / 1000;
    const span = (name: string, cat: string, args: Readonly<Record<string, unknown>>) =>
      entries.push({ name, cat, ph: 'X', ...where, dur, args: { ...base, ...args } });
    const instant = (name: string, cat: string, args: Readonly<Record<string, unknown>>, s: 't' | 'p' = 't') =>
      entries.push({ name, cat, ph: 'i', s, ...where, args: { ...base, ...args } });
    switch (event.kind) {
      case 'enter':
        span(event.callback, 'callback', { ...event.args, ...resultOf(until) });
        break;
      case 'call':
        span(event.fn, 'call', { ...event.args, ...resultOf(until) });
        break;
      case 'acquire': {
        const args = { ...base, key: event.key, fn: event.fn, ...event.detail, stack: frames(event.stack) };
        const common = { name: event.type, cat: 'resource', id: `${pid}.${event.resource}`, pid, tid: where.tid };
        entries.push({ ...common, ph: 'b', ts, args: until === undefined ? { ...args, owed: true } : args });
        entries.push({ ...common, ph: 'e', ts: ts + dur, args: until === undefined ? { owed: true } : {} });
        break;
      }
      case 'undo':
        if (event.outcome !== 'undone')
          instant(`${event.fn}: ${event.outcome}`, 'undo', { key: event.key, stack: frames(event.stack) });
        break;
      case 'state': {
        const before = states.get(event.of);
        if (before !== undefined)
          entries.push({ ...state(before, ts), pid, tid: tracks.state(event.of), args: { adapter: hex(event.of) } });
        states.set(event.of, { name: event.to, ts });
        break;
      }
      case 'fault':
        instant(
          `fault: ${event.why}`,
          'fault',
          { access: event.access, address: hex(event.address), stack: frames(event.stack) },
          'p',
        );
        break;
      case 'fact':
        instant(event.what, 'fact', event.detail);
        break;
      case 'stop':
        instant(`stop: ${event.reason}`, 'stop', { text: event.text }, 'p');
        break;
      case 'return':
      case 'leave':
        break;
    }
  }
  for (const [of, last] of states)
    entries.push({ ...state(last, end), pid, tid: tracks.state(of), args: { adapter: hex(of) } });
  return [...tracks.names, ...entries];
}

const state = ({ name, ts }: { name: string; ts: number }, until: number) =>
  ({ name, cat: 'state', ph: 'X', ts, dur: until - ts }) as const;

function resultOf(close: TraceEvent | undefined): { result?: Value; injected?: string } {
  if (close?.kind === 'leave') return { result: close.result };
  if (close?.kind !== 'return') return {};
  return { result: close.result, ...(close.injected === undefined ? {} : { injected: close.injected }) };
}

/** The event that ends each span, by the `seq` of the one that begins it. */
function closings(events: readonly TraceEvent[]): Map<number, TraceEvent> {
  const closes = new Map<number, TraceEvent>();
  const acquired = new Map<number, number>();
  for (const event of events) {
    if (event.kind === 'leave') closes.set(event.enter, event);
    else if (event.kind === 'return') closes.set(event.call, event);
    else if (event.kind === 'acquire') acquired.set(event.resource, event.seq);
    else if (event.kind === 'undo' && (event.outcome === 'undone' || event.outcome === 'mismatch')) {
      const begin = acquired.get(event.resource ?? -1);
      if (begin !== undefined) closes.set(begin, event);
    }
  }
  return closes;
}

export const trace: Reporter = (result, { version }) => {
  const traceEvents = result.traces.flatMap((kept, index) => entriesOf(kept, index + 1));
  const otherData = { haltex: version, driver: result.driver, verdict: result.verdict };
  return `{"displayTimeUnit":"ns","otherData":${JSON.stringify(otherData)},"traceEvents":[\n${traceEvents.map((entry) => JSON.stringify(entry)).join(',\n')}\n]}\n`;
};
