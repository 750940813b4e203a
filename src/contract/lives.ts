/**
 * Adapters that live more than once, or beside another, and a crash in the midst of halt: contract.md G3 and B3, for the flows
 * that machine/flows plays. What one of these rules explains is not told as a use after free or a leak as well (judge.ts).
 */
import type { EventOf } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { heldOverSleep, owed, resourceOf } from './leaks.ts';
import { family, type Violation } from './rule.ts';
import type { Holding, Span, TraceView } from './view.ts';

type Id =
  | 'halt-frees-driver-scope'
  | 'halt-then-reinit-stale-state'
  | 'powered-down-halt-keeps-resources'
  | 'shutdown-nested-in-halt';
type Found = Violation & { readonly rule: Id };

/** What was given back inside a routine that this undo or fault uses again. */
interface Reuse {
  readonly event: EventOf<'fault'> | EventOf<'undo'>;
  readonly before: Holding & { readonly undone: NonNullable<Holding['undone']> };
}

/** Accesses to memory that was freed, and second undos, with the first. */
function* reuses(view: TraceView): Iterable<Reuse> {
  const undone = view.holdings.filter((holding): holding is Reuse['before'] => holding.undone !== undefined);
  for (const event of view.of('fault')) {
    const { block } = event;
    if (event.why !== 'freed' || block === undefined) continue;
    const before = undone.findLast(
      ({ acquired, undone: { seq } }) => seq < event.seq && acquired.key === hex(block.address),
    );
    if (before !== undefined) yield { event, before };
  }
  for (const event of view.of('undo')) {
    if (event.outcome !== 'again') continue;
    const before = undone.findLast(({ acquired }) => acquired.resource === event.resource);
    if (before !== undefined && before.undone.seq < event.seq) yield { event, before };
  }
}

/** One adapter's halt gives something back that another adapter, or the driver, uses afterwards. */
function* driverScope({ event, before }: Reuse): Iterable<Found> {
  const { undone } = before;
  const own = event.adapter === undefined || event.adapter === undone.adapter;
  if (undone.callback !== 'MiniportHaltEx' || (own && event.callback !== 'MiniportDriverUnload')) return;
  const user =
    event.callback === 'MiniportDriverUnload' ? 'MiniportDriverUnload' : `${event.callback} of another adapter`;
  yield {
    rule: 'halt-frees-driver-scope',
    seq: event.seq,
    message: `MiniportHaltEx of one adapter gives back what ${before.acquired.fn} gave, and ${user} still uses it.`,
    resource: resourceOf(before),
    stack: event.stack,
  };
}

/** Kinds that the driver has for itself: others find them by name or are called through them, and no use shows in the trace. */
const OF_THE_DRIVER = new Set(owed.filter(({ scope }) => scope === 'driver').map(({ type }) => type));

/** One adapter's halt gives back what another, which lives on, has made for the driver. */
function* takenFromOthers(view: TraceView): Iterable<Found> {
  for (const holding of view.holdings) {
    const { acquired, undone } = holding;
    if (!OF_THE_DRIVER.has(acquired.type) || undone?.callback !== 'MiniportHaltEx') continue;
    if (acquired.adapter === undefined || acquired.adapter === undone.adapter) continue;
    const over = view
      .ends()
      .some(({ adapter, enter }) => adapter === acquired.adapter && enter.seq > acquired.seq && enter.seq < undone.seq);
    if (over) continue;
    yield {
      rule: 'halt-frees-driver-scope',
      seq: undone.seq,
      message: `MiniportHaltEx of one adapter gives back what ${acquired.fn} gave another, which lives on and has it no more.`,
      resource: resourceOf(holding),
      stack: undone.stack,
    };
  }
}

/** The next life of an adapter uses what its last one gave back. */
function* staleUse(view: TraceView, { event, before }: Reuse): Iterable<Found> {
  const { undone } = before;
  const life = view.ends().findLast(({ adapter, enter }) => adapter === undone.adapter && enter.seq < undone.seq);
  if (life === undefined || undone.adapter === undefined || event.adapter !== undone.adapter) return;
  if ((life.leave?.seq ?? 0) < undone.seq || event.seq < view.nextLife(life)) return;
  yield {
    rule: 'halt-then-reinit-stale-state',
    seq: event.seq,
    message: `${event.callback ?? 'The driver'} uses what ${before.acquired.fn} gave and ${life.callback} gave back before the adapter was initialized again: a stale pointer in static or MiniportAddDevice memory.`,
    resource: resourceOf(before),
    stack: event.stack,
  };
}

/** MiniportInitializeEx fails the second time though nothing fails in it that did not the first time. */
function* failsAgain(view: TraceView): Iterable<Found> {
  const plugged = view.facts('device-plugged-in');
  if (plugged.some(({ detail }) => detail.hardware !== 'works')) return;
  const inits = view.runs('MiniportInitializeEx');
  for (const again of inits) {
    const first = inits.find(({ adapter, enter }) => adapter === again.adapter && enter.seq < again.enter.seq);
    if (first === undefined || again.leave === undefined || again.leave.result === '0x0') continue;
    if (injectedIn(view, again) || (first.leave?.result !== '0x0' && !injectedIn(view, first))) continue;
    yield {
      rule: 'halt-then-reinit-stale-state',
      seq: again.leave.seq,
      message: `MiniportInitializeEx of an adapter that was ${first.leave?.result === '0x0' ? 'halted' : 'not initialized'} before returns ${again.leave.result}, though no call fails in it: something of its first life is left in static or MiniportAddDevice memory.`,
    };
  }
}

const injectedIn = (view: TraceView, { enter, leave }: Span) =>
  view.of('return').some(({ seq, injected }) => injected !== undefined && seq > enter.seq && seq < (leave?.seq ?? seq));

/** What a halt for sleep or for a rebalance kept, and a later halt gave back. */
function* keptForSleep(view: TraceView): Iterable<Found> {
  for (const span of view.runs('MiniportHaltEx')) {
    const kept = view.holdings.filter((holding) => heldOverSleep(view, span, holding));
    const [first] = kept;
    if (first === undefined || span.leave === undefined) continue;
    const more = kept.length > 1 ? ` and ${kept.length - 1} more` : '';
    yield {
      rule: 'powered-down-halt-keeps-resources',
      seq: span.leave.seq,
      message: `MiniportHaltEx for sleep or for a rebalance returns without having given back what ${first.acquired.fn} gave${more}; it is a halt like any other, and the adapter may not come back.`,
      resource: resourceOf(first),
    };
  }
}

/** MiniportShutdownEx inside MiniportHaltEx has to return at once. */
function* nested(view: TraceView): Iterable<Found> {
  for (const crash of view.facts('bug-check')) {
    if (crash.detail.halting !== true) continue;
    const work = view.events.find(
      (event) =>
        event.seq > crash.seq &&
        event.callback === 'MiniportShutdownEx' &&
        (event.kind === 'call' || (event.kind === 'fact' && event.what === 'device-first-access')),
    );
    if (work === undefined) continue;
    const what = work.kind === 'call' ? `calls ${work.fn}` : 'touches the device';
    yield {
      rule: 'shutdown-nested-in-halt',
      seq: work.seq,
      message: `MiniportShutdownEx ${what} when the system crashes inside MiniportHaltEx; it should return at once.`,
    };
  }
}

export const lives = family(
  [
    [
      'halt-frees-driver-scope',
      'error',
      'one adapter’s MiniportHaltEx gives back what other adapters or the driver still use',
      'I:miniport_unload',
      'N:intermediate-driver-driverentry-function',
    ],
    [
      'halt-then-reinit-stale-state',
      'error',
      'an adapter that is initialized again meets what its earlier life left',
      'I:miniport_remove_device',
    ],
    [
      'powered-down-halt-keeps-resources',
      'error',
      'MiniportHaltEx for sleep or for a rebalance keeps resources',
      'N:power-management-for-old-miniport-drivers',
    ],
    [
      'shutdown-nested-in-halt',
      'error',
      'MiniportShutdownEx does work when the system crashes inside MiniportHaltEx',
      'I:miniport_shutdown',
    ],
  ],
  function* (view): Iterable<Found> {
    for (const reuse of reuses(view)) {
      yield* driverScope(reuse);
      yield* staleUse(view, reuse);
    }
    yield* takenFromOthers(view);
    yield* failsAgain(view);
    yield* keptForSleep(view);
    yield* nested(view);
  },
);
