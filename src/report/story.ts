/**
 * A race told as a story in two columns: the thread that halts, and whatever ran beside it; between them a line wherever
 * another went on, with the reason. It begins where NDIS calls MiniportPause or MiniportHaltEx, or where a call is made to fail,
 * and ends at the finding.
 */
import { opensWindow } from '../machine/director.ts';
import { happeningText, type Turn } from '../machine/schedule.ts';
import type { EventOf, TraceEvent } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { showValue } from './events.ts';
import { ownFrame, placeOf } from './place.ts';

export interface StoryRow {
  /** `turn`: another goes on, or something happens; `repeated`: what was left out; `finding`: where the rule is broken. */
  readonly kind: 'did' | 'turn' | 'repeated' | 'finding';
  /** For `did`: whether the halting thread did it, or what ran beside it. */
  readonly side: 'halt' | 'beside' | 'across';
  readonly text: string;
  /** The line of source, or the offset, of the call. */
  readonly place?: string;
  /** The event it tells; for a turn the next one. */
  readonly seq: number;
  /** Virtual time in milliseconds. */
  readonly at: number;
}

export interface Story {
  /** The thread that halts. */
  readonly halting: string;
  readonly rows: readonly StoryRow[];
}

export interface StoryOptions {
  /** What the rows of findings say, by the event they show at. The story ends with the last of them. */
  readonly findings: readonly { readonly seq: number; readonly text: string }[];
  /** Where in the driver a call was made. */
  readonly placeOf?: (event: EventOf<'call'>) => string | undefined;
}

/** Undefined where the window never opens, or nothing shows in it. */
export function storyOf(
  events: readonly TraceEvent[],
  turns: readonly Turn[],
  { findings, placeOf }: StoryOptions,
): Story | undefined {
  const opening = events.find(opensWindow);
  const last = Math.max(...findings.map(({ seq }) => seq));
  if (opening === undefined || last < opening.seq) return undefined;
  const stop = events.at(-1) as TraceEvent;
  // Of a system that has crashed, or a run that hangs, the end belongs to the story.
  const end = stop.kind === 'stop' && stop.reason !== 'finished' && stop.seq - last < 3 ? stop.seq : last;
  const teller = new Teller(opening.context);
  const ahead = turns.filter(({ seq }) => seq > opening.seq);
  const merged = new Set<number>();
  for (let seq = opening.seq; seq <= end; seq++) {
    const event = events[seq] as TraceEvent;
    while (ahead[0] !== undefined && ahead[0].seq <= seq) teller.turn(ahead.shift() as Turn, event);
    const back = event.kind === 'call' ? returnAtOnce(event, events) : undefined;
    if (back !== undefined) merged.add(back.seq);
    const text = merged.has(seq) ? undefined : textOf(event, back);
    if (text !== undefined) {
      teller.did(event, text, event.kind === 'call' ? (placeOf?.(event) ?? callPlace(event, events)) : undefined);
    }
    for (const finding of findings) if (finding.seq === seq) teller.finding(event, finding.text);
  }
  return { halting: opening.context, rows: folded(teller.rows) };
}

/** Writes the rows down; turns that led to nothing that is told are left out. */
class Teller {
  readonly rows: StoryRow[] = [];
  private readonly halting: string;
  /** Who did what was told last. */
  private current: string;
  /** Since then another went on: why, and who at last. */
  private pending: Turn | undefined;

  constructor(halting: string) {
    this.halting = halting;
    this.current = halting;
  }

  turn(turn: Turn, event: TraceEvent): void {
    const happens = happeningText(turn.run);
    if (happens !== undefined) this.across('turn', event, `${happens}${choiceText(turn)}`);
    else if (turn.run === 'time') {
      if (!this.rows.at(-1)?.text.startsWith(ALL_WAIT)) this.across('turn', event, `${ALL_WAIT}${choiceText(turn)}`);
    } else this.pending = { ...(this.pending ?? turn), run: turn.run };
  }

  did(event: TraceEvent, text: string, place: string | undefined): void {
    const { context, seq } = event;
    if (event.kind === 'stop') {
      this.across('did', event, text);
      return;
    }
    if (context !== this.current) this.across('turn', event, goesOn(event, this.pending));
    this.pending = undefined;
    this.current = context;
    const side = context === this.halting ? 'halt' : 'beside';
    const row = { kind: 'did', side, text, seq, at: millisecondsOf(event) } as const;
    this.rows.push(place === undefined ? row : { ...row, place });
  }

  finding(event: TraceEvent, text: string): void {
    this.across('finding', event, text);
  }

  private across(kind: StoryRow['kind'], event: TraceEvent, text: string): void {
    this.rows.push({ kind, side: 'across', text, seq: event.seq, at: millisecondsOf(event) });
  }
}

const ALL_WAIT = 'all wait: time passes';

/** The longest pattern of rows whose repetition is told once, and from how many on. */
const PATTERN = 8;
const REPEATED = 3;

/** Polling and spinning say the same again and again: once, and how often. */
export function folded(rows: readonly StoryRow[]): StoryRow[] {
  const out: StoryRow[] = [];
  const same = (a: StoryRow | undefined, b: StoryRow | undefined) =>
    a !== undefined && a.kind !== 'finding' && a.side === b?.side && a.text === b.text;
  for (let i = 0; i < rows.length; ) {
    const [length, times] = repetition(rows, i, same);
    out.push(...rows.slice(i, i + length));
    if (times > 1) {
      const { side, seq, at } = rows[i + length * times - 1] as StoryRow;
      const what = length === 1 ? 'the same' : `these ${length}`;
      out.push({
        kind: 'repeated',
        side: length === 1 ? side : 'across',
        text: `… ${what}, ${times - 1} times more`,
        seq,
        at,
      });
    }
    i += length * times;
  }
  return out;
}

/** The shortest pattern that begins here and is repeated often enough: its length, and how often it is there. */
function repetition(
  rows: readonly StoryRow[],
  from: number,
  same: (a: StoryRow | undefined, b: StoryRow | undefined) => boolean,
): readonly [length: number, times: number] {
  for (let length = 1; length <= PATTERN; length++) {
    let matching = 0;
    while (same(rows[from + matching], rows[from + matching + length])) matching++;
    const times = Math.floor(matching / length) + 1;
    if (times >= REPEATED) return [length, times];
  }
  return [1, 1];
}

const millisecondsOf = ({ time }: TraceEvent): number => time / 10_000;

/** An address by its last digits: within a story they tell objects apart. */
export const shortened = (text: string): string => text.replaceAll(/0x[0-9A-Fa-f]{9,}/g, (all) => `…${all.slice(-4)}`);

/** The return of a call, where nothing that is told came between. */
function returnAtOnce(call: EventOf<'call'>, events: readonly TraceEvent[]): EventOf<'return'> | undefined {
  for (let i = call.seq + 1; i < events.length; i++) {
    const event = events[i] as TraceEvent;
    if (event.kind === 'return' && event.call === call.seq) return event;
    if (event.context !== call.context || textOf(event, undefined) !== undefined) return undefined;
  }
  return undefined;
}

/** What an event says in a story; undefined for what goes without saying. `back`: the return that is told with the call. */
function textOf(event: TraceEvent, back: EventOf<'return'> | undefined): string | undefined {
  switch (event.kind) {
    case 'call': {
      const [first] = Object.values(event.args);
      const text = `${event.fn}(${first === undefined ? '' : shortened(showValue(first))})`;
      return back === undefined ? text : `${text}${resultText(back)}`;
    }
    case 'return':
      return `${event.fn} returns${resultText(event)}`;
    case 'enter':
      return `▸ ${event.callback}`;
    case 'leave':
      return `◂ ${event.callback}${resultText(event)}`;
    case 'fault':
      return `✗ ${event.by === 'driver' ? '' : `the ${event.by} `}${event.access}s ${event.size} bytes at ${shortened(hex(event.address))}: ${event.why}`;
    case 'undo':
      return event.outcome === 'undone'
        ? undefined
        : `✗ ${event.type} ${shortened(event.key)}: ${undoText[event.outcome]}`;
    case 'stop':
      return `■ ${shortened(event.text)}`;
    default:
      return undefined;
  }
}

const undoText: Readonly<Record<EventOf<'undo'>['outcome'], string>> = {
  undone: 'undone',
  mismatch: 'undone with other arguments',
  refused: 'refused, it is still there',
  again: 'it was undone before',
  never: 'there is none',
};

function resultText(event: EventOf<'return'> | EventOf<'leave'>): string {
  const injected = event.kind === 'return' && event.injected !== undefined ? `   made to fail (${event.injected})` : '';
  return `${event.result === null ? '' : ` → ${shortened(showValue(event.result))}`}${injected}`;
}

/** What a call acquires or undoes carries its stack. */
function callPlace({ seq }: EventOf<'call'>, events: readonly TraceEvent[]): string | undefined {
  for (let i = seq; i < seq + 3; i++) {
    const event = events[i];
    const stack =
      event?.kind === 'call' || event?.kind === 'acquire' || event?.kind === 'undo' ? event.stack : undefined;
    const frame = stack === undefined ? undefined : ownFrame(stack);
    if (frame !== undefined) return placeOf(frame).text;
    if (event?.kind === 'return') return undefined;
  }
  return undefined;
}

const choiceText = ({ choice }: Turn): string => (choice === undefined ? '' : ` (choice ${choice})`);

/** Who does what comes next, where, and why the one before does not. */
function goesOn({ context, processor }: TraceEvent, turn: Turn | undefined): string {
  const who = `${shortened(context)} goes on, on processor ${processor}`;
  return turn === undefined ? who : `${who}: ${because(turn.last, turn.why, turn.waitsFor)}${choiceText(turn)}`;
}

function because(last: string | undefined, why: Turn['why'], waitsFor: string | undefined): string {
  if (last === undefined) return 'it is the first';
  const who = shortened(last);
  switch (why) {
    case 'ended':
      return `${who} has ended`;
    case 'waits':
      return `${who} waits for ${shortened(waitsFor ?? 'something')}`;
    case 'spins':
      return waitsFor === undefined ? `${who} only spins` : `${who} spins for ${shortened(waitsFor)}`;
    case 'interrupted':
      return `it interrupts ${who}`;
    case 'held-up':
      return `${who} is held up`;
  }
}
