/** NDIS ports that are activated, deactivated and used: contract.md A1. Freeing them wrongly is misuse.ts, keeping them leaks.ts. */
import type { Value } from '../trace/events.ts';
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Id = 'port-activation-misuse' | 'port-deactivate-with-traffic';
type Found = Violation & { readonly rule: Id };

/** NET_PNP_EVENT_CODE of the two events about ports. */
const EVENTS: Readonly<Record<number, string>> = { 10: 'NetEventPortActivation', 11: 'NetEventPortDeactivation' };

/** Refusals that the arguments earn; others (resources, a closing stack) are not the driver's doing. */
const REFUSALS: Readonly<Record<string, string>> = {
  '0xC023002D': 'NDIS_STATUS_INVALID_PORT',
  '0xC023002E': 'NDIS_STATUS_INVALID_PORT_STATE',
  '0xC000000D': 'NDIS_STATUS_INVALID_PARAMETER',
};

function* refused(view: TraceView): Iterable<Found> {
  const calls = new Map(view.calls('NdisMNetPnPEvent').map((call) => [call.seq, call]));
  for (const { call: seq, result, injected, callback } of view.returns('NdisMNetPnPEvent')) {
    const status = REFUSALS[String(statusOf(result))];
    const call = calls.get(seq);
    const given = call?.args.NetPnPEventNotification as { readonly NetEvent?: number } | null | undefined;
    const event = EVENTS[given?.NetEvent ?? 0];
    if (status === undefined || event === undefined || injected !== undefined) continue;
    yield {
      rule: 'port-activation-misuse',
      seq,
      message: `${callback ?? 'The driver'} calls NdisMNetPnPEvent with ${event} for ports that are not there or not in the right state: ${status}.`,
    };
  }
}

const statusOf = (result: Value): Value =>
  typeof result === 'object' && result !== null && 'result' in result ? (result.result as Value) : result;

/** Frames indicated on a port after the driver has deactivated it. */
function* afterwards(view: TraceView): Iterable<Found> {
  const active = view.holdings.filter(
    ({ acquired }) => acquired.type === 'active-port' || acquired.type === 'default-port-active',
  );
  if (active.length === 0) return;
  for (const fact of view.facts('receive-indicated')) {
    const mine = active.filter(({ acquired }) => acquired.key === `port ${fact.detail.port} of ${fact.detail.adapter}`);
    const live = mine.some(
      ({ acquired, undone }) => acquired.seq < fact.seq && (undone === undefined || undone.seq > fact.seq),
    );
    if (live || !mine.some(({ undone }) => undone !== undefined && undone.seq < fact.seq)) continue;
    yield {
      rule: 'port-deactivate-with-traffic',
      seq: fact.seq,
      message: `Frames are indicated on port ${fact.detail.port}, which the driver has deactivated.`,
      stack: fact.stack ?? [],
    };
  }
}

/** Frames that are still out on the port the driver deactivates. */
function* before(view: TraceView): Iterable<Found> {
  for (const { seq, stack, callback, detail } of view.facts('port-deactivated')) {
    if (Number(detail.receivesOut) === 0) continue;
    yield {
      rule: 'port-deactivate-with-traffic',
      seq,
      message: `${callback ?? 'The driver'} deactivates port ${detail.port} while ${detail.receivesOut} received NET_BUFFER_LISTs of it have not come back.`,
      stack: stack ?? [],
    };
  }
}

export const ports = family(
  [
    [
      'port-activation-misuse',
      'warning',
      'a port is activated or deactivated that is not in the state for it',
      'N:activating-an-ndis-port',
      'N:deactivating-an-ndis-port',
    ],
    [
      'port-deactivate-with-traffic',
      'error',
      'a port is deactivated while frames of it are out, or used afterwards',
      'N:deactivating-an-ndis-port',
    ],
  ],
  function* (view): Iterable<Found> {
    yield* refused(view);
    yield* before(view);
    yield* afterwards(view);
  },
);
