/** Which scenarios a check plays. The plain run comes first; the others follow from what it shows the driver does. */
import { kernelFunctions } from '../kernel/functions.ts';
import type { AnyFunction } from '../kernel/record.ts';
import { type Disturbance, plainScenario, type Scenario } from '../machine/scenario.ts';
import { ndisFunctions } from '../ndis/functions.ts';
import type { EventOf, TraceEvent } from '../trace/events.ts';

export interface Phase {
  /** For the report's line. */
  readonly name: string;
  readonly scenarios: readonly Scenario[];
}

export const plainPhase: Phase = { name: 'plain run', scenarios: [plainScenario] };

/** The phases after the plain run, from its trace. */
export function plan(plain: readonly TraceEvent[]): Phase[] {
  const calls = numbered(plain);
  const phases: Phase[] = [
    {
      name: 'ways to halt',
      scenarios: [
        { ...plainScenario, flow: 'init-halt' },
        { ...plainScenario, returnReceives: 'late' },
        { ...plainScenario, workers: 'late' },
        { ...plainScenario, flow: 'shutdown' },
      ],
    },
    { name: 'timers that fire at cancel', scenarios: calls.flatMap((call) => lateTimer(call)) },
    { name: 'late interrupts', scenarios: lateInterrupts(calls) },
    { name: 'initialize fails', scenarios: endsOfLoops(calls).flatMap((call) => failingInitialize(call)) },
  ];
  return phases.filter(({ scenarios }) => scenarios.length > 0);
}

interface NumberedCall {
  readonly event: EventOf<'call'>;
  /** How many calls of the same function came up to here, from 1. */
  readonly nth: number;
  /** Where in the driver it stands: calls of a loop share it. */
  readonly place: string;
}

function numbered(events: readonly TraceEvent[]): NumberedCall[] {
  const counts = new Map<string, number>();
  const places = placesOf(events);
  return events
    .filter((event): event is EventOf<'call'> => event.kind === 'call')
    .map((event) => {
      const nth = (counts.get(event.fn) ?? 0) + 1;
      counts.set(event.fn, nth);
      // Only what acquires has its stack in the trace; other calls are told apart by what they ask.
      return { event, nth, place: places.get(event.seq) ?? `${event.caller} ${JSON.stringify(event.args)}` };
    });
}

/** The stacks of calls that acquired something, by the call's place in the trace. */
function placesOf(events: readonly TraceEvent[]): Map<number, string> {
  const places = new Map<number, string>();
  const acquired = new Map<string, EventOf<'acquire'>>();
  for (const event of events) {
    if (event.kind === 'acquire') acquired.set(`${event.context} ${event.fn}`, event);
    if (event.kind !== 'return') continue;
    const stack = acquired.get(`${event.context} ${event.fn}`)?.stack;
    acquired.delete(`${event.context} ${event.fn}`);
    if (stack !== undefined) places.set(event.call, stack.map(({ module, offset }) => `${module}+${offset}`).join(' '));
  }
  return places;
}

/**
 * Of the calls of a loop, its first two and its last: nothing to undo yet, something, all but one. A loop over hundreds of
 * buffers would otherwise be most of a check and find the same again and again.
 */
function endsOfLoops(calls: readonly NumberedCall[]): NumberedCall[] {
  const groups = new Map<string, NumberedCall[]>();
  for (const call of calls) {
    const key = `${call.event.fn} ${call.place}`;
    groups.set(key, [...(groups.get(key) ?? []), call]);
  }
  const kept = new Set([...groups.values()].flatMap((group) => [...group.slice(0, 2), ...group.slice(-1)]));
  return calls.filter((call) => kept.has(call));
}

const functions: Readonly<Record<string, AnyFunction>> = { ...kernelFunctions, ...ndisFunctions };

/** The timer expires on another processor just as MiniportHaltEx (or a failing initialize) cancels it. */
function lateTimer({ event, nth }: NumberedCall): Scenario[] {
  if (event.fn !== 'NdisCancelTimerObject' || event.callback !== 'MiniportHaltEx') return [];
  return [{ ...plainScenario, faults: [{ fn: event.fn, nth, failure: 'lost' }] }];
}

/**
 * Interrupts at bad moments: by line instead of messages; one more of them just as the driver deregisters; one as it begins to
 * halt whose DPC runs late.
 */
function lateInterrupts(calls: readonly NumberedCall[]): Scenario[] {
  const register = calls.filter(({ event }) => event.fn === 'NdisMRegisterInterruptEx');
  if (register.length === 0) return [];
  const faults = register.map(({ event, nth }) => ({ fn: event.fn, nth, failure: 'line-based' }));
  const deregister = calls.filter(({ event }) => event.fn === 'NdisMDeregisterInterruptEx');
  const first = calls.find(({ event }) => event.callback === 'MiniportHaltEx');
  const at = ({ event, nth }: NumberedCall, what: Disturbance['event']): Disturbance => ({
    fn: event.fn,
    nth,
    event: what,
  });
  return [
    { ...plainScenario, faults },
    ...deregister.map((call): Scenario => ({ ...plainScenario, faults, disturbances: [at(call, 'interrupt')] })),
    ...(first === undefined ? [] : [{ ...plainScenario, disturbances: [at(first, 'late-dpc')] }]),
  ];
}

/** Every call MiniportInitializeEx makes that can fail, failing once, the way it usually does. */
function failingInitialize({ event, nth }: NumberedCall): Scenario[] {
  if (event.callback !== 'MiniportInitializeEx') return [];
  const failure = functions[event.fn]?.failures?.[0];
  return failure === undefined ? [] : [{ ...plainScenario, faults: [{ fn: event.fn, nth, failure: failure.id }] }];
}
