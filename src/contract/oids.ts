/** OID requests: completed once, with what fits, and in time: contract.md D6, G3. */
import type { EventOf } from '../trace/events.ts';
import { SECOND } from '../trace/units.ts';
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

/** Requests that take something down may not fail: they would leak what they should free. */
const MUST_SUCCEED = /^OID_(PNP_SET_POWER|.*_(CLEAR|FREE|DELETE|REMOVE)_.*|802_3_DELETE_MULTICAST_ADDRESS)/;
const NOT_ACCEPTED = 0x0001_0003;
const REQUEST_ABORTED = 0xc001_000c;
const PENDING = 0x103;
const LIMIT = 12 * SECOND;

type Id =
  | 'oid-double-complete'
  | 'oid-bytes-written-overrun'
  | 'oid-must-succeed-failed'
  | 'oid-timeout'
  | 'pnp-event-in-oid'
  | 'oid-completed-pending';

function* judgeResult(view: TraceView, fact: EventOf<'fact'>): Iterable<Violation & { rule: Id }> {
  const { oid, status, bytes, room, set } = fact.detail as {
    oid: string;
    status: number;
    bytes: number;
    room: number;
    set: boolean;
  };
  if (!set && bytes > room) {
    yield {
      rule: 'oid-bytes-written-overrun',
      seq: fact.seq,
      message: `${oid} ends with ${bytes} bytes written into a buffer of ${room}.`,
    };
  }
  if (status === PENDING)
    yield { rule: 'oid-completed-pending', seq: fact.seq, message: `${oid} is completed with NDIS_STATUS_PENDING.` };
  const allowed =
    status === 0 || status === NOT_ACCEPTED || (status === REQUEST_ABORTED && oid !== 'OID_PNP_SET_POWER');
  if (MUST_SUCCEED.test(oid) && !allowed) {
    yield {
      rule: 'oid-must-succeed-failed',
      seq: fact.seq,
      message: `${oid} fails with 0x${status.toString(16).toUpperCase()}; it takes something down and may not fail.`,
    };
  }
  const asked = view
    .facts('oid-request')
    .findLast((request) => request.detail.request === fact.detail.request && request.seq < fact.seq);
  if (asked !== undefined && fact.time - asked.time > LIMIT) {
    yield {
      rule: 'oid-timeout',
      seq: fact.seq,
      message: `${oid} takes ${((fact.time - asked.time) / SECOND).toFixed(1)} s; 12 s are allowed, one is advised.`,
    };
  }
}

export const oids = family(
  [
    [
      'oid-double-complete',
      'error',
      'an OID request is completed that is not pending, or twice',
      'G:bug-check-0x7c',
      'D:ndis-ndisoiddoublecomplete',
      'D:ndis-doublecomplete',
    ],
    [
      'oid-bytes-written-overrun',
      'error',
      'an OID request ends with more bytes than its buffer has',
      'G:bug-check-0x7c',
    ],
    [
      'oid-must-succeed-failed',
      'error',
      'an OID request that takes something down fails',
      'D:ndis-ndisoidcomplete',
      'G:bug-check-0x7c',
    ],
    ['oid-timeout', 'warning', 'an OID request takes longer than 12 s', 'D:ndis-ndistimedoidcomplete'],
    [
      'pnp-event-in-oid',
      'error',
      'NdisMNetPnPEvent is called inside MiniportOidRequest',
      'I:ndismnetpnpevent',
      'D:ndis-ndismnetpnpeventinoidrequest',
    ],
    [
      'oid-completed-pending',
      'error',
      'an OID request is completed with NDIS_STATUS_PENDING',
      'D:ndis-ndisoidcomplete',
    ],
  ],
  function* (view): Iterable<Violation & { rule: Id }> {
    for (const fact of view.facts('oid-not-pending')) {
      yield {
        rule: 'oid-double-complete',
        seq: fact.seq,
        message:
          fact.detail.returned === undefined
            ? `${fact.callback ?? 'The driver'} calls ${fact.detail.fn ?? 'NdisMOidRequestComplete'} for a request that is not pending.`
            : `A request is completed with ${fact.detail.fn} and a second time by its routine, which returns ${fact.detail.returned} instead of NDIS_STATUS_PENDING.`,
        stack: fact.stack ?? [],
      };
    }
    for (const fact of view.facts('oid-result')) yield* judgeResult(view, fact);
    for (const fact of view.facts('oid-never-completed')) {
      yield {
        rule: 'oid-timeout',
        severity: 'error',
        seq: fact.seq,
        message: `${fact.detail.oid} is not completed in ${fact.detail.seconds} s, nor is there anything left that could complete it soon; 12 s are allowed.`,
      };
    }
    for (const call of view.calls('NdisMNetPnPEvent')) {
      if (call.callback === 'MiniportOidRequest') {
        yield {
          rule: 'pnp-event-in-oid',
          seq: call.seq,
          message: 'MiniportOidRequest calls NdisMNetPnPEvent; the request it serves keeps the event from passing.',
        };
      }
    }
  },
);
