/**
 * The courses of events that make sense for a driver, beside the plain one: which they are follows from what it told NDIS
 * about itself and from what it calls. docs/machine.md lists them with their pages.
 */
import type { FaultPoint } from '../machine/machine.ts';
import { type Disturbance, type Fault, type Flow, plainScenario, type Scenario } from '../machine/scenario.ts';
import type { EventOf, TraceEvent } from '../trace/events.ts';
import { listed, type Phase } from './phase.ts';

export const flowsPhase: Phase = listed('flows', ({ plain }) => flowScenarios(plain));

/** What the driver said of itself while it initialized (machine/flows/steps.ts). */
interface Said {
  readonly haltedForSleep: boolean;
  readonly askedToSleep: boolean;
  readonly pausedForSleep: boolean;
  readonly removable: boolean;
  readonly resets: boolean;
  readonly checksForHang: boolean;
  readonly calledAtBugCheck: boolean;
  readonly suspends: boolean;
}

export interface Plain {
  readonly events: readonly TraceEvent[];
  readonly faultPoints: readonly FaultPoint[];
}

/** None where MiniportInitializeEx fails in the plain run: there is nothing to halt. */
export function flowScenarios(plain: Plain): Scenario[] {
  const said = saidOf(plain.events);
  if (said === undefined) return [];
  const flows = (Object.keys(applies) as Flow[]).filter((flow) => applies[flow]?.(said) === true);
  const scenarios: Scenario[] = [
    ...flows.map((flow): Scenario => ({ ...plainScenario, flow })),
    { ...plainScenario, haltAction: 'DeviceFailed' },
  ];
  // In D3 without a pause, received frames are still out; the driver may not wait for them (page: oid-pnp-set-power).
  if (said.askedToSleep && !said.pausedForSleep) {
    scenarios.push({ ...plainScenario, flow: 'power-oid', returnReceives: 'late' });
  }
  const points = pointsOfInitialize(plain);
  const failing = (flow: Flow, fault: Fault): Scenario => ({ ...plainScenario, flow, faults: [fault] });
  scenarios.push(...points.map(({ fault }) => failing('init-retry', fault)));
  for (const { afterHalt, besideTheFirst } of [points[0], points.at(-1)].filter((point) => point !== undefined)) {
    scenarios.push(failing(said.haltedForSleep ? 'power-halt' : 'stop-start', afterHalt));
    scenarios.push(failing('first-of-two', besideTheFirst));
  }
  if (said.calledAtBugCheck) scenarios.push(...crashes(plain.events));
  return scenarios;
}

/** Flows left out are no variation of the plain one, or are another phase's. */
const applies: Partial<Readonly<Record<Flow, (said: Said) => boolean>>> = {
  'surprise-removal': ({ removable }) => removable,
  'stop-start': () => true,
  'power-halt': ({ haltedForSleep }) => haltedForSleep,
  'power-oid': ({ askedToSleep }) => askedToSleep,
  'power-fails': ({ askedToSleep }) => askedToSleep,
  'selective-suspend': ({ suspends }) => suspends,
  reset: ({ resets }) => resets,
  'reset-while-pausing': ({ resets }) => resets,
  'hang-checks': ({ checksForHang }) => checksForHang,
  'hang-when-gone': ({ checksForHang, removable }) => checksForHang && removable,
  burst: () => true,
  'first-of-two': () => true,
  'second-of-two': () => true,
};

const saidOf = (plain: readonly TraceEvent[]): Said | undefined =>
  plain.find((event): event is EventOf<'fact'> => event.kind === 'fact' && event.what === 'initialized')
    ?.detail as unknown as Said | undefined;

interface Point {
  readonly fault: Fault;
  /** The same failure met by the second MiniportInitializeEx of such a run. */
  readonly afterHalt: Fault;
  readonly besideTheFirst: Fault;
}

/** Of every function that MiniportInitializeEx calls and that can fail: its first call and its last, failing in the usual way. */
function pointsOfInitialize({ events, faultPoints }: Plain): Point[] {
  const enter = (callback: string) => events.find((event) => event.kind === 'enter' && event.callback === callback);
  const [begin, pause, halt] = ['MiniportInitializeEx', 'MiniportPause', 'MiniportHaltEx'].map(enter);
  const end = events.find((event) => event.kind === 'leave' && event.enter === halt?.seq);
  if (begin === undefined || halt === undefined || end === undefined) return [];
  const own = faultPoints.filter(({ callback }) => callback === 'MiniportInitializeEx');
  return [...new Set(own.map(({ fn }) => fn))].flatMap((fn) => {
    const upTo = (seq: number) => faultPoints.filter((point) => point.fn === fn && point.call < seq).length;
    const calls = own.filter((point) => point.fn === fn);
    const failure = calls[0]?.failures[0] as string;
    return [...new Set([1, calls.length])].map((k): Point => {
      const after = (seq: number): Fault => ({ fn, nth: upTo(seq) + k, failure });
      return { fault: after(begin.seq), afterHalt: after(end.seq), besideTheFirst: after((pause ?? halt).seq) };
    });
  });
}

/** The system crashes: while the adapter runs, and at every call of halt that comes from another place. */
function crashes(plain: readonly TraceEvent[]): Scenario[] {
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  const chosen: Disturbance[] = [];
  for (const event of plain) {
    if (event.kind !== 'call') continue;
    const nth = (counts.get(event.fn) ?? 0) + 1;
    counts.set(event.fn, nth);
    const callback = event.callback ?? '';
    // TypeScript has no addresses to tell places by.
    const place = callback === 'MiniportHaltEx' ? `${event.fn} ${event.caller}` : callback;
    if (!CRASHES_IN.includes(callback) || seen.has(place)) continue;
    seen.add(place);
    chosen.push({ fn: event.fn, nth, event: 'bug-check' });
  }
  return chosen.map((disturbance) => ({ ...plainScenario, disturbances: [disturbance] }));
}

/** In one of each: the states Paused, Restarting, Running, Pausing, and halt. */
const CRASHES_IN: readonly string[] = [
  'MiniportOidRequest',
  'MiniportRestart',
  'MiniportSendNetBufferLists',
  'MiniportPause',
  'MiniportHaltEx',
];
