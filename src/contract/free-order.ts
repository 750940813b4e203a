/** Memory that goes at the end though nothing keeps others from using it any more: kernel/accesses.ts. */
import type { EventOf } from '../trace/events.ts';
import { type FoundResource, family, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

/** Routines after which nothing of the adapter or the driver may run: what they free must have come to rest. */
const LAST = /^Miniport(HaltEx|DriverUnload)$/;

/** Kinds of resources that are memory of the driver's own. */
const MEMORY = /memory|pool/;

/** Where the block came from; undefined for what is no allocation of the driver's. */
function blockOf(view: TraceView, { seq, detail }: EventOf<'fact'>): FoundResource | undefined {
  const holding = view.holdings.findLast(({ acquired }) => acquired.seq < seq && acquired.key === detail.address);
  if (holding === undefined || !MEMORY.test(holding.acquired.type)) return undefined;
  const { type, key, fn, callback, detail: about, stack } = holding.acquired;
  return { type, key, fn, ...(callback === undefined ? {} : { callback }), detail: about, acquired: stack };
}

/** Whether a MiniportInitializeEx was open then that failed. */
function failsInitialize(view: TraceView, { seq, callback }: EventOf<'fact'>): boolean {
  if (callback !== 'MiniportInitializeEx') return false;
  const span = view.during(seq, callback);
  return span?.leave !== undefined && span.leave.result !== '0x0';
}

export const freeOrder = family(
  [
    [
      'free-without-waiting',
      'error',
      'memory is freed that something beside may still use: nothing orders the two',
      'N:halt-handler',
      'I:miniport_halt',
    ],
  ],
  function* (view): Iterable<Violation & { rule: 'free-without-waiting' }> {
    const told = new Set<unknown>();
    for (const fact of view.facts('freed-without-order')) {
      // One block, one mistake, however many are in its way.
      if (told.has(fact.detail.address)) continue;
      if (!LAST.test(fact.callback ?? '') && !failsInitialize(view, fact)) continue;
      const resource = blockOf(view, fact);
      if (resource === undefined) continue;
      const { detail } = fact;
      told.add(detail.address);
      const bytes = detail.bytes === 1 ? '1 byte' : `${detail.bytes} bytes`;
      yield {
        rule: 'free-without-waiting',
        seq: fact.seq,
        message: `${fact.callback} frees ${detail.block} of ${detail.size} bytes, which ${detail.callback ?? detail.context} has ${detail.access === 'read' ? 'read' : 'written'} (${bytes} at offset ${detail.offset}); no lock, wait or flag makes that come first, so another time it comes after.`,
        resource,
        stack: fact.stack ?? [],
      };
    }
  },
);
