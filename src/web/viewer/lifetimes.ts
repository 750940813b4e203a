/** A trace as the lifetime chart draws it: bars from acquire to undo, bands of adapter states, marks of what ran beside. */
import type { EventOf, TraceEvent } from '../../trace/events.ts';
import { isBackground } from './rows.ts';

/** Everything on the chart stands between two events; `end` is undefined for what never ended. */
export interface Bar {
  readonly label: string;
  readonly begin: number;
  readonly end: number | undefined;
}

export interface ResourceBar extends Bar {
  /** It should have been undone by the end of the trace, and was not. */
  readonly owed: boolean;
  readonly type: string;
  readonly key: string;
  /** The acquiring call. */
  readonly fn: string;
}

export interface MarkLane {
  readonly label: string;
  /** Places in the trace. */
  readonly at: readonly number[];
}

export interface Lifetimes {
  readonly length: number;
  /** Virtual time of each event, in 100 ns. */
  readonly times: readonly number[];
  /** Adapter states, one list an adapter. */
  readonly states: readonly (readonly Bar[])[];
  /** The routines of the adapter's life that NDIS calls. */
  readonly callbacks: readonly Bar[];
  readonly marks: readonly MarkLane[];
  /** By type, in the order of the first acquisition; those with something owed first. */
  readonly resources: readonly {
    readonly type: string;
    readonly bars: readonly ResourceBar[];
    readonly owed: number;
  }[];
}

const lanes: readonly (readonly [label: string, context: RegExp])[] = [
  ['Interrupts', /^interrupt (?!DPC)/],
  ['Timers', /timer/i],
  ['DPCs', /DPC/],
  ['Work items, threads', /worker|thread/],
];

/**
 * Whether what is still held at the end is owed: the driver was halted or unloaded. A run that broke off, or a system that was
 * shut down, leaves things held that nobody asked for yet.
 */
export function settled(events: readonly TraceEvent[]): boolean {
  const last = events.at(-1);
  if (last?.kind !== 'stop' || last.reason !== 'finished') return false;
  return events.some((event) => event.kind === 'fact' && SETTLED.has(event.what));
}
const SETTLED = new Set(['unloaded', 'driver-entry-failed', 'halt-returned']);

/** `found`: what findings are about, as `type key`; owed however the run ended. */
export function lifetimesOf(events: readonly TraceEvent[], found: ReadonlySet<string> = new Set()): Lifetimes {
  return {
    length: events.length,
    times: events.map(({ time }) => time),
    states: statesOf(events),
    callbacks: callbacksOf(events),
    marks: marksOf(events),
    resources: resourcesOf(events, found),
  };
}

function statesOf(events: readonly TraceEvent[]): Bar[][] {
  const adapters = new Map<number, EventOf<'state'>[]>();
  for (const event of events) {
    if (event.kind === 'state') adapters.set(event.of, [...(adapters.get(event.of) ?? []), event]);
  }
  return [...adapters.values()].map((changes) =>
    changes.map(({ to, seq }, i) => ({ label: to, begin: seq, end: changes[i + 1]?.seq })),
  );
}

function callbacksOf(events: readonly TraceEvent[]): Bar[] {
  const open = new Map<number, number>();
  const bars: Bar[] = [];
  for (const event of events) {
    if (isBackground(event.context)) continue;
    if (event.kind === 'enter')
      open.set(event.seq, bars.push({ label: event.callback, begin: event.seq, end: undefined }) - 1);
    if (event.kind === 'leave') {
      const index = open.get(event.enter);
      if (index !== undefined) bars[index] = { ...(bars[index] as Bar), end: event.seq };
    }
  }
  return bars;
}

function marksOf(events: readonly TraceEvent[]): MarkLane[] {
  const found = new Map(lanes.map(([label]) => [label, [] as number[]]));
  for (const event of events) {
    if (event.kind !== 'enter') continue;
    const lane = lanes.find(([, context]) => context.test(event.context));
    if (lane !== undefined) found.get(lane[0])?.push(event.seq);
  }
  return [...found].filter(([, at]) => at.length > 0).map(([label, at]) => ({ label, at }));
}

function resourcesOf(events: readonly TraceEvent[], found: ReadonlySet<string>): Lifetimes['resources'] {
  const due = settled(events);
  const ends = new Map<number, number>();
  for (const event of events) {
    if (event.kind !== 'undo' || event.resource === undefined) continue;
    if (event.outcome === 'undone' || event.outcome === 'mismatch') ends.set(event.resource, event.seq);
  }
  const types = new Map<string, ResourceBar[]>();
  for (const event of events) {
    if (event.kind !== 'acquire') continue;
    const { type, key, fn, seq } = event;
    const end = ends.get(event.resource);
    const owed = end === undefined && (due || found.has(`${type} ${key}`));
    const bar = { label: key, type, key, fn, begin: seq, end, owed };
    types.set(type, [...(types.get(type) ?? []), bar]);
  }
  return [...types]
    .map(([type, bars]) => ({ type, bars, owed: bars.filter(({ owed }) => owed).length }))
    .sort((a, b) => Number(b.owed > 0) - Number(a.owed > 0));
}
