/** Courses of events around halt that no fault is needed for. */
import { type Disturbance, plainScenario, type Scenario } from '../machine/scenario.ts';
import type { EventOf, TraceEvent } from '../trace/events.ts';
import { listed, type Phase } from './phase.ts';

/** What the rest of the system does otherwise than in the plain run. */
export const waysToHalt: Phase = listed('ways to halt', ({ plain }) => [
  { ...plainScenario, flow: 'init-halt' },
  { ...plainScenario, flow: 'prompt-halt' },
  { ...plainScenario, returnReceives: 'late' },
  ...(indicates(plain.events) ? [{ ...plainScenario, returnReceives: 'at-once' } as const] : []),
  { ...plainScenario, workers: 'late' },
  { ...plainScenario, flow: 'shutdown' },
]);

/** Whether a pause may find frames out, or none. */
const indicates = (plain: readonly TraceEvent[]): boolean =>
  plain.some((event) => event.kind === 'call' && event.fn === 'NdisMIndicateReceiveNetBufferLists');

/**
 * Interrupts at bad moments: by line instead of messages; one more of them just as the driver deregisters; one as it begins to
 * halt whose DPC runs late.
 */
export const lateInterrupts: Phase = listed('late interrupts', ({ plain }) => {
  const calls = numbered(plain.events);
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
});

interface NumberedCall {
  readonly event: EventOf<'call'>;
  /** How many calls of the same function came up to here, from 1. */
  readonly nth: number;
}

function numbered(events: readonly TraceEvent[]): NumberedCall[] {
  const counts = new Map<string, number>();
  return events
    .filter((event): event is EventOf<'call'> => event.kind === 'call')
    .map((event) => {
      const nth = (counts.get(event.fn) ?? 0) + 1;
      counts.set(event.fn, nth);
      return { event, nth };
    });
}
