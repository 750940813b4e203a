/** A trace as rows of a sequence diagram: a call and its return are one row, a callback's entry and return two. */
import { placeOf } from '../../report/place.ts';
import type { Stack, TraceEvent, Value } from '../../trace/events.ts';
import { hex } from '../../trace/units.ts';

export type Party = 'NDIS' | 'miniport' | 'device';

/** What a row is, for the filter. */
export const kinds = {
  callback: 'Callbacks',
  interrupt: 'Interrupts, DPCs, timers',
  resource: 'Acquire and undo',
  call: 'Other calls',
  plumbing: 'Locks, levels, copies',
  state: 'Adapter states',
  fact: 'Facts',
  trouble: 'Faults and failures',
} as const;
export type Kind = keyof typeof kinds;

/** What one sees first: the halt-handler page's figure, without the noise. */
export const firstShown: readonly Kind[] = ['callback', 'resource', 'state', 'trouble'];

export interface Row {
  /** Of calls and callbacks, counted through the whole trace; undefined for notes. */
  readonly number: number | undefined;
  readonly kind: Kind;
  readonly event: TraceEvent;
  /** The event that ends it: a return, or the leave of a callback. */
  readonly close: TraceEvent | undefined;
  /** An arrow; a note when both are the same. */
  readonly from: Party;
  readonly to: Party;
  /** The way back of a callback. */
  readonly back: boolean;
  readonly label: string;
  /** Behind the label: a result, a change of state. */
  readonly outcome: string | undefined;
  /** Beside the miniport: what it acquired or undid. */
  readonly note: { readonly text: string; readonly tone: 'acquire' | 'owed' | 'undo' | 'bad' } | undefined;
  /** How many callbacks the context is inside of. */
  readonly depth: number;
  /** Everything the search looks at, in lower case. */
  readonly text: string;
}

const PLUMBING =
  /SpinLock|RaiseIrql|LowerIrql|GetCurrentIrql|^(mem(set|cpy|move|cmp)|Rtl(Zero|Copy|Move|Fill|Compare)Memory|Ndis(Zero|Move|Equal)Memory|Interlocked|Ke(Get|Query)\w+|Ndis(Set|Reset|Initialize)Event|DbgPrint\w*)/;

export const isBackground = (context: string): boolean => /^interrupt|DPC|timer/i.test(context);
const isService = (context: string) => /^interrupt (?!DPC)/.test(context);

export function show(value: Value): string {
  if (value === null) return '';
  if (Array.isArray(value)) return `[${value.map((element) => show(element as Value)).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([field, inner]) => `${field} ${show(inner as Value)}`)
      .join(', ')}}`;
  }
  return String(value);
}

export const stackOf = (event: TraceEvent): Stack => ('stack' in event ? (event.stack ?? []) : []);

/** Values and names of what is there; not the names of fields, which every call of a function shares. */
function textOf(event: TraceEvent, close: TraceEvent | undefined, label: string): string {
  const fields = 'args' in event ? event.args : 'detail' in event ? event.detail : {};
  const result = close !== undefined && 'result' in close ? show(close.result) : '';
  const places = stackOf(event).map((frame) => placeOf(frame).text);
  const key = 'key' in event ? `${event.type} ${event.key}` : '';
  return [label, ...Object.values(fields).map(show), result, key, event.context, ...places].join(' ').toLowerCase();
}

const outcomeOf = (close: TraceEvent | undefined): string | undefined => {
  if (close?.kind !== 'return' && close?.kind !== 'leave') return undefined;
  const result = show(close.result);
  const injected = close.kind === 'return' && close.injected !== undefined ? `made to fail (${close.injected})` : '';
  return [result, injected].filter((part) => part !== '').join(' ') || undefined;
};

/** `owed`: places of the acquisitions that were never undone and should have been. */
export function rowsOf(events: readonly TraceEvent[], owed: ReadonlySet<number> = new Set()): Row[] {
  const closes = new Map<number, TraceEvent>();
  for (const event of events) {
    if (event.kind === 'leave') closes.set(event.enter, event);
    else if (event.kind === 'return') closes.set(event.call, event);
  }
  const rows: Row[] = [];
  /** The row of the call each context is in, so that what it acquires is noted on it. */
  const calling = new Map<string, number[]>();
  const depths = new Map<string, number>();
  let number = 0;
  for (const event of events) {
    const { context } = event;
    const depth = depths.get(context) ?? 0;
    const add = (row: Pick<Row, 'kind' | 'label'> & Partial<Row>) => {
      const close = closes.get(event.seq);
      const full: Row = {
        number: undefined,
        event,
        close,
        from: 'miniport',
        to: 'miniport',
        back: false,
        outcome: undefined,
        note: undefined,
        depth,
        text: textOf(event, close, `${row.label} ${row.outcome ?? ''}`),
        ...row,
      };
      return rows.push(full) - 1;
    };
    /** Notes it on the call under way; its own row where there is none. */
    const noteOn = (text: string, tone: NonNullable<Row['note']>['tone']) => {
      const index = calling.get(context)?.at(-1);
      const row = index === undefined ? undefined : rows[index];
      const kind = tone === 'bad' ? 'trouble' : 'resource';
      if (index === undefined || row === undefined) {
        add({ kind, label: '', note: { text, tone } });
        return;
      }
      const both = row.note === undefined ? text : `${row.note.text}, ${text}`;
      const worse = row.note?.tone === 'bad' || row.note?.tone === 'owed' ? row.note.tone : tone;
      rows[index] = {
        ...row,
        event: row.event,
        kind,
        note: { text: both, tone: worse },
        text: `${row.text} ${textOf(event, undefined, text)}`,
      };
    };
    switch (event.kind) {
      case 'enter': {
        const from = isService(context) ? 'device' : 'NDIS';
        const kind = isBackground(context) ? 'interrupt' : 'callback';
        add({ kind, label: event.callback, number: ++number, from, to: 'miniport', depth: depth + 1 });
        depths.set(context, depth + 1);
        break;
      }
      case 'leave': {
        const to = isService(context) ? 'device' : 'NDIS';
        const kind = isBackground(context) ? 'interrupt' : 'callback';
        const outcome = show(event.result) || undefined;
        add({ kind, label: `${event.callback} returns`, outcome, from: 'miniport', to, back: true });
        depths.set(context, Math.max(0, depth - 1));
        break;
      }
      case 'call': {
        const close = closes.get(event.seq);
        const failed = close?.kind === 'return' && close.injected !== undefined;
        const kind = failed ? 'trouble' : PLUMBING.test(event.fn) ? 'plumbing' : 'call';
        const index = add({ kind, label: event.fn, number: ++number, to: 'NDIS', outcome: outcomeOf(close) });
        if (failed) rows[index] = { ...(rows[index] as Row), note: { text: 'made to fail', tone: 'bad' } };
        calling.set(context, [...(calling.get(context) ?? []), index]);
        break;
      }
      case 'return':
        calling.get(context)?.pop();
        break;
      case 'acquire':
        if (owed.has(event.seq)) noteOn(`+ ${event.type}, never undone`, 'owed');
        else noteOn(`+ ${event.type}`, 'acquire');
        break;
      case 'undo': {
        const right = event.outcome === 'undone';
        noteOn(right ? `− ${event.type}` : `${event.type}: ${event.outcome}`, right ? 'undo' : 'bad');
        break;
      }
      case 'state':
        add({
          kind: 'state',
          label: `${event.from} → ${event.to}`,
          from: 'NDIS',
          to: 'NDIS',
          outcome: `by ${event.event}`,
        });
        break;
      case 'fault': {
        const label = `${event.by} ${event.access}s ${event.size} bytes at ${hex(event.address)}`;
        const who = event.by === 'device' ? 'device' : event.by === 'kernel' ? 'NDIS' : 'miniport';
        add({ kind: 'trouble', label, from: who, to: who, note: { text: event.why, tone: 'bad' } });
        break;
      }
      case 'fact':
        add({ kind: 'fact', label: event.what, outcome: show(event.detail) });
        break;
      case 'stop': {
        const finished = event.reason === 'finished';
        const note = finished ? undefined : { text: event.reason, tone: 'bad' as const };
        add({ kind: finished ? 'state' : 'trouble', label: event.text, from: 'NDIS', to: 'NDIS', note });
        break;
      }
    }
  }
  return rows;
}

/** A stretch of rows that comes again and again, told once. */
export interface Fold {
  /** Index of its first row in the list that was folded. */
  readonly first: number;
  readonly period: number;
  /** How often it comes again after the first time. */
  readonly again: number;
}
export type Line = { readonly row: Row } | { readonly fold: Fold };

const LONGEST_PERIOD = 8;
const FEWEST_REPEATS = 2;

/** Repetitions of up to eight rows become their first time and a line that counts the others. */
export function fold(rows: readonly Row[], open: ReadonlySet<number>): Line[] {
  const names = rows.map(
    ({ kind, label, depth, note, from }) => `${kind} ${label} ${depth} ${note?.text ?? ''} ${from}`,
  );
  const lines: Line[] = [];
  for (let i = 0; i < rows.length; ) {
    const found = repetition(names, i);
    if (found === undefined) {
      lines.push({ row: rows[i++] as Row });
      continue;
    }
    const { period, again } = found;
    for (let k = 0; k < period; k++) lines.push({ row: rows[i + k] as Row });
    const first = i + period;
    lines.push({ fold: { first, period, again } });
    if (open.has((rows[first] as Row).event.seq)) {
      for (let k = 0; k < period * again; k++) lines.push({ row: rows[first + k] as Row });
    }
    i = first + period * again;
  }
  return lines;
}

function repetition(names: readonly string[], at: number): { period: number; again: number } | undefined {
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    let k = at;
    while (k + period < names.length && names[k] === names[k + period]) k++;
    const again = Math.floor((k - at) / period);
    if (again >= FEWEST_REPEATS) return { period, again };
  }
  return undefined;
}
