/** How long sends take, and what a reset does to them: contract.md B3, G3. Only what was never or late completed shows here. */
import type { EventOf } from '../trace/events.ts';
import { hex, SECOND } from '../trace/units.ts';
import { family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Id = 'send-timeout' | 'nbl-stuck' | 'reset-holds-requests';
type Found = Violation & { readonly rule: Id };

const LIMIT = 30 * SECOND;
const seconds = (time: number) => (time / SECOND).toFixed(1);

/** One NET_BUFFER_LIST on its way. */
interface Sent {
  readonly list: string;
  readonly adapter: string;
  readonly started: EventOf<'fact'>;
  readonly completed: EventOf<'fact'> | undefined;
}

function sentLists(view: TraceView): Sent[] {
  const completions = view.facts('send-completed');
  return view.facts('send-started').flatMap((started) =>
    ((started.detail.lists as readonly string[] | undefined) ?? []).map((list) => ({
      list,
      adapter: String(started.detail.adapter),
      started,
      completed: completions.find(({ seq, detail }) => seq > started.seq && detail.list === list),
    })),
  );
}

/** The first of each adapter that takes too long; the others wait for the same. */
function* slow(view: TraceView, sent: readonly Sent[]): Iterable<Found> {
  const told = new Set<string>();
  // A run that hangs or stops says so by itself, and the sends that were out follow from it.
  const last = view.stop?.reason === 'finished' ? view.events.at(-1) : undefined;
  for (const { adapter, started, completed } of sent) {
    const end = completed ?? last;
    if (end === undefined || end.time - started.time <= LIMIT || told.has(adapter)) continue;
    // Paused with the send still out: that is the pause's finding.
    const paused = view
      .facts('pause-completed')
      .some(({ seq, detail }) => seq > started.seq && seq < end.seq && detail.adapter === adapter);
    if (completed === undefined && paused) continue;
    told.add(adapter);
    yield completed === undefined
      ? {
          rule: 'nbl-stuck',
          seq: end.seq,
          message: `A send is never completed: the driver has had its NET_BUFFER_LIST for ${seconds(end.time - started.time)} s.`,
        }
      : {
          rule: 'send-timeout',
          seq: completed.seq,
          message: `A send takes ${seconds(completed.time - started.time)} s; 30 s are allowed.`,
        };
  }
}

/** NDIS 6.30: from here on a reset may not hold requests back. */
const MUST_COMPLETE_SINCE = 30;

function minorVersion(view: TraceView): number {
  const given = view.calls('NdisMRegisterMiniportDriver').at(-1)?.args.MiniportDriverCharacteristics as
    | { readonly MinorNdisVersion?: number }
    | null
    | undefined;
  return given?.MinorNdisVersion ?? 0;
}

function* heldOverReset(view: TraceView, sent: readonly Sent[]): Iterable<Found> {
  if (minorVersion(view) < MUST_COMPLETE_SINCE) return;
  const oids = view.facts('oid-request');
  const results = view.facts('oid-result');
  for (const done of view.facts('reset-completed')) {
    const { adapter } = done.detail;
    const begun = view
      .facts('reset-started')
      .findLast(({ seq, detail }) => seq < done.seq && detail.adapter === adapter);
    if (begun === undefined) continue;
    const before = ({ seq }: EventOf<'fact'>) => seq < begun.seq;
    const out = (end: EventOf<'fact'> | undefined) => end === undefined || end.seq > done.seq;
    const sends = sent.filter((list) => list.adapter === adapter && before(list.started) && out(list.completed)).length;
    const requests = oids.filter(
      (asked) =>
        before(asked) &&
        hex(Number(asked.detail.adapter)) === adapter &&
        out(results.find(({ seq, detail }) => seq > asked.seq && detail.request === asked.detail.request)),
    ).length;
    if (sends + requests === 0) continue;
    const what = [
      ...(sends > 0 ? [`${sends} send${sends > 1 ? 's' : ''}`] : []),
      ...(requests > 0 ? [`${requests} OID request${requests > 1 ? 's' : ''}`] : []),
    ];
    yield {
      rule: 'reset-holds-requests',
      seq: done.seq,
      message: `The reset completes while ${what.join(' and ')} from before it are still out; since NDIS 6.30 a driver completes them first.`,
      stack: done.stack ?? [],
    };
  }
}

export const sends = family(
  [
    [
      'send-timeout',
      'warning',
      'a send takes longer than 30 s',
      'D:ndis-ndistimeddatasend',
      'D:ndis-ndistimeddatahang',
    ],
    ['nbl-stuck', 'warning', 'a send is never completed', 'G:bug-check-0x15e'],
    ['reset-holds-requests', 'error', 'sends or OID requests are held over a reset', 'I:miniport_reset'],
  ],
  function* (view): Iterable<Found> {
    const sent = sentLists(view);
    yield* slow(view, sent);
    yield* heldOverReset(view, sent);
  },
);
