import { expect, it } from 'vitest';
import type { Turn } from '../machine/schedule.ts';
import type { EventBody, Position, TraceEvent } from '../trace/events.ts';
import type { Address, Irql, VirtualTime } from '../trace/units.ts';
import { storyOf } from './story.ts';
import { storyText, wrapped } from './story-text.ts';

const call = (fn: string, args = {}) => ({ kind: 'call', fn, args, caller: 1 as Address }) as const;
const back = (fn: string, of: number, result: null | boolean = null) =>
  ({ kind: 'return', fn, call: of, result }) as const;
const dpc = { context: 'DPC of the timer 0xFFFFF80000007290', processor: 1, irql: 2 as Irql };

function traceOf(bodies: readonly (EventBody & Partial<Position>)[]): TraceEvent[] {
  const where = { time: 0 as VirtualTime, processor: 0, context: 'PnP manager', irql: 0 as Irql };
  return bodies.map((body, seq) => ({ seq, ...where, ...body }));
}

const events = traceOf([
  call('NdisBefore'),
  back('NdisBefore', 0),
  { kind: 'enter', callback: 'MiniportHaltEx', args: {}, address: 1 as Address },
  call('NdisCancelTimerObject', { TimerObject: '0xFFFFF80000007290' }),
  { kind: 'fact', what: 'hidden', detail: {} },
  back('NdisCancelTimerObject', 3, false),
  call('NdisWaitEvent', { Event: '0xFFFFF80000007000', MsToWait: 0 }),
  {
    kind: 'enter',
    callback: 'NetTimerCallback',
    args: {},
    address: 1 as Address,
    ...dpc,
    time: 500_000 as VirtualTime,
  },
  { ...call('NdisSetEvent'), ...dpc, time: 500_000 as VirtualTime },
  { ...back('NdisSetEvent', 8), ...dpc, time: 500_000 as VirtualTime },
  { ...back('NdisWaitEvent', 6, true), time: 500_000 as VirtualTime },
  { kind: 'leave', callback: 'MiniportHaltEx', enter: 2, result: null, time: 500_000 as VirtualTime },
  { kind: 'stop', reason: 'finished', text: 'played' },
]);
const turns: readonly Turn[] = [
  { seq: 4, run: 'a thread that does nothing', last: 'PnP manager', why: 'held-up' },
  { seq: 4, run: 'PnP manager', last: 'a thread that does nothing', why: 'ended' },
  { seq: 7, run: 'time@1', last: 'PnP manager', why: 'waits', choice: 3 },
  { seq: 7, run: dpc.context, last: 'PnP manager', why: 'waits', waitsFor: 'an event' },
  { seq: 10, run: 'PnP manager', last: dpc.context, why: 'held-up', choice: 5 },
];
const plain = { bold: (text: string) => text, dim: (text: string) => text, red: (text: string) => text };
const findings = [{ seq: 11, text: 'rule: too early' }];

it('tells who ran where from the window on, and why another went on', () => {
  const story = storyOf(events, turns, { findings });
  expect(`\n${storyText(story as NonNullable<typeof story>, { width: 80, ...plain })}`).toBe(`
PnP manager                            │ what runs beside it
───────────────────────────────────────┼────────────────────────────────────────
▸ MiniportHaltEx                       │
NdisCancelTimerObject(…7290) → false   │
NdisWaitEvent(…7000)                   │
── time passes until the next timer is due or wait is over, on processor 1
   (choice 3) ──────────────────────────────────────────────────────────────────
── DPC of the timer …7290 goes on, on processor 1: PnP manager waits for an
   event, at 50 ms ─────────────────────────────────────────────────────────────
                                       │ ▸ NetTimerCallback
                                       │ NdisSetEvent()
── PnP manager goes on, on processor 0: DPC of the timer …7290 is held up
   (choice 5) ──────────────────────────────────────────────────────────────────
NdisWaitEvent returns → true           │
◂ MiniportHaltEx                       │
✗ rule: too early
`);
});

it('says a repetition once', () => {
  const polls = Array.from({ length: 40 }, (_, i) => [
    call('NdisStallExecution'),
    back('NdisStallExecution', 1 + 2 * i),
  ]);
  const trace = traceOf([
    { kind: 'enter', callback: 'MiniportHaltEx', args: {}, address: 1 as Address },
    ...polls.flat(),
    { kind: 'leave', callback: 'MiniportHaltEx', enter: 0, result: null },
  ]);
  const story = storyOf(trace, [], { findings: [{ seq: 81, text: 'late' }] });
  expect(story?.rows.map(({ text }) => text)).toEqual([
    '▸ MiniportHaltEx',
    'NdisStallExecution()',
    '… the same, 39 times more',
    '◂ MiniportHaltEx',
    'late',
  ]);
});

it('is not there for what shows before the window', () => {
  expect(storyOf(events, turns, { findings: [{ seq: 1, text: 'early' }] })).toBeUndefined();
});

it('breaks long words and keeps indents', () => {
  expect(wrapped('a bc defghijklm\n  n', 5, 1)).toEqual(['a bc', ' defg', ' hijk', ' lm', '  n']);
});
