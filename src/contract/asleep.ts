/**
 * An adapter in D3, and one whose device has gone: contract.md B3. Flows: machine/flows/sleep.ts and removal.ts. A hang of
 * MiniportHaltEx over hardware that has gone is told in faults.ts.
 */
import type { EventOf } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Id =
  | 'hw-access-in-d3'
  | 'lowpower-timers-not-cancelled'
  | 'halt-leaves-idle-notification'
  | 'surprise-removal-requests-not-rejected';
type Found = Violation & { readonly rule: Id };

function* touched(view: TraceView): Iterable<Found> {
  for (const fact of view.facts('device-access-without-power')) {
    yield {
      rule: 'hw-access-in-d3',
      seq: fact.seq,
      message: `${fact.callback ?? fact.detail.routine} reaches for the registers of ${fact.detail.device} in D3, where nothing answers.`,
      stack: fact.stack ?? [],
    };
  }
}

/** NDIS' timers: the page names no others. */
const TIMER = 'timer-set';

/** What goes on when the bus driver takes the power. */
function* goesOn(view: TraceView): Iterable<Found> {
  for (const fact of view.facts('power-state')) {
    // An adapter that was halted for sleep was judged when MiniportHaltEx returned; so was one whose request failed.
    if (fact.detail.power !== 'D3' || fact.detail.state === 'Halted' || !accepted(view, fact)) continue;
    const timers = view
      .heldAt(fact.seq)
      .filter(({ acquired }) => acquired.type === TIMER && isOf(acquired, String(fact.detail.adapter))).length;
    // What wakes the system has to be left on.
    const activity = (fact.detail.activity as readonly string[]).filter((what) => !what.includes('wake'));
    const left = [...(timers > 0 ? [`${timers} NDIS timer${timers > 1 ? 's' : ''} set`] : []), ...activity];
    if (left.length === 0) continue;
    yield {
      rule: 'lowpower-timers-not-cancelled',
      seq: fact.seq,
      message: `OID_PNP_SET_POWER to D3 ends and the adapter is not at rest: ${left.join(', ')}.`,
    };
  }
}

const isOf = ({ owner, adapter }: { readonly owner?: number; readonly adapter?: number }, handle: string) =>
  (owner !== undefined && hex(owner) === handle) || (adapter !== undefined && hex(adapter) === handle);

function accepted(view: TraceView, fact: EventOf<'fact'>): boolean {
  const result = view.facts('oid-result').findLast(({ seq }) => seq < fact.seq);
  return result?.detail.oid === 'OID_PNP_SET_POWER' && result.detail.status === 0;
}

/** NDIS sends nothing, and halts nothing, before the notification that it has cancelled is complete. */
function* idle(view: TraceView): Iterable<Found> {
  for (const fact of view.facts('idle-never-completed')) {
    yield {
      rule: 'halt-leaves-idle-notification',
      seq: fact.seq,
      message: `NDIS has cancelled the idle notification that MiniportIdleNotification left pending, and ${fact.detail.seconds} s later NdisMIdleNotificationComplete has not been called.`,
    };
  }
}

const NOT_ACCEPTED = 0x0001_0003;
/** Once the data path pauses, a send ends as paused whatever else is wrong. */
const REJECTED = ['NDIS_STATUS_NOT_ACCEPTED', 'NDIS_STATUS_PAUSED'];

/** Requests that come between the event and MiniportHaltEx: `should`, so a warning, and one for all of them. */
function* notRejected(view: TraceView): Iterable<Found> {
  for (const told of view.facts('surprise-removal-told')) {
    const adapter = told.detail.adapter;
    const halt = view.runs('MiniportHaltEx').find(({ enter }) => enter.seq > told.seq);
    const end = halt?.enter.seq ?? Number.POSITIVE_INFINITY;
    const between = (fact: EventOf<'fact'>, since: number) => since > told.seq && fact.seq < end;
    const asked = view.facts('oid-request');
    const oid = view.facts('oid-result').find((fact) => {
      const request = asked.findLast(({ seq, detail }) => seq < fact.seq && detail.request === fact.detail.request);
      const own = request === undefined || hex(Number(request.detail.adapter)) === adapter;
      return own && between(fact, request?.seq ?? 0) && fact.detail.status !== NOT_ACCEPTED;
    });
    const started = view.facts('send-started');
    const send = view.facts('send-completed').find((fact) => {
      const begun = started.findLast(
        ({ seq, detail }) =>
          seq < fact.seq && (detail.lists as readonly string[] | undefined)?.includes(String(fact.detail.list)),
      );
      return (
        fact.detail.adapter === adapter &&
        between(fact, begun?.seq ?? 0) &&
        !REJECTED.includes(String(fact.detail.status))
      );
    });
    const first = [oid, send].filter((fact) => fact !== undefined).toSorted((a, b) => a.seq - b.seq)[0];
    if (first === undefined) continue;
    const what =
      first === oid
        ? `${first.detail.oid} with ${hex(Number(first.detail.status))}`
        : `a send with ${first.detail.status}`;
    // Where the adapter is software, no hardware is missing that the request would need.
    const software = view.facts('device-plugged-in').length === 0;
    yield {
      rule: 'surprise-removal-requests-not-rejected',
      seq: first.seq,
      ...(software ? { severity: 'note' as const } : {}),
      message: `Told that its device has gone, the driver still ends ${what}; until MiniportHaltEx everything should end with NDIS_STATUS_NOT_ACCEPTED.`,
    };
  }
}

export const asleep = family(
  [
    [
      'hw-access-in-d3',
      'error',
      'registers are touched while the device is in D3',
      'N:transitioning-to-a-sleeping-state',
      'N:oid-pnp-set-power',
    ],
    [
      'lowpower-timers-not-cancelled',
      'warning',
      'timers, interrupts or DMA go on when the device goes to D3',
      'N:oid-pnp-set-power',
      'N:device-power-states-for-network-adapters',
    ],
    [
      'halt-leaves-idle-notification',
      'warning',
      'an idle notification that NDIS has cancelled is never completed',
      'I:ndismidlenotificationcomplete',
      'N:completing-the-ndis-selective-suspend-idle-notification',
    ],
    [
      'surprise-removal-requests-not-rejected',
      'warning',
      'requests after a surprise removal do not end with NDIS_STATUS_NOT_ACCEPTED',
      'I:miniport_device_pnp_event_notify',
      'I:miniport_oid_request',
    ],
  ],
  function* (view): Iterable<Found> {
    yield* touched(view);
    yield* goesOn(view);
    yield* idle(view);
    yield* notRejected(view);
  },
);
