/** A trace as the rules read it: callbacks as spans, resources with the call that ended them. Built once a run. */
import type { AcquireEvent, EventBody, EventOf, Position, TraceEvent, UndoEvent } from '../trace/events.ts';
import type { Handle } from '../trace/units.ts';

/** One call of a driver routine, from entry to return. */
export interface Span {
  readonly callback: string;
  readonly adapter: Handle | undefined;
  readonly enter: EventOf<'enter'>;
  /** Undefined when the run stopped inside. */
  readonly leave: EventOf<'leave'> | undefined;
}

/** One thing the driver acquired, and what became of it. */
export interface Holding {
  readonly acquired: Position & AcquireEvent;
  /** The call that ended its life. */
  readonly undone: (Position & UndoEvent) | undefined;
}

export class TraceView {
  readonly events: readonly TraceEvent[];
  readonly spans: readonly Span[];
  readonly holdings: readonly Holding[];
  private readonly byKind: ReadonlyMap<string, readonly TraceEvent[]>;
  private readonly factsByName: ReadonlyMap<string, readonly EventOf<'fact'>[]>;
  private readonly callsByFunction: ReadonlyMap<string, readonly EventOf<'call'>[]>;
  private readonly returnsByFunction: ReadonlyMap<string, readonly EventOf<'return'>[]>;
  private readonly spansByCallback: ReadonlyMap<string, readonly Span[]>;

  constructor(events: readonly TraceEvent[]) {
    this.events = events;
    this.byKind = grouped(events, ({ kind }) => kind);
    this.factsByName = grouped(this.of('fact'), ({ what }) => what);
    this.callsByFunction = grouped(this.of('call'), ({ fn }) => fn);
    this.returnsByFunction = grouped(this.of('return'), ({ fn }) => fn);
    this.spans = spansOf(this.of('enter'), this.of('leave'));
    this.spansByCallback = grouped(this.spans, ({ callback }) => callback);
    this.holdings = holdingsOf(this.of('acquire'), this.of('undo'));
  }

  of<K extends EventBody['kind']>(kind: K): readonly EventOf<K>[] {
    return (this.byKind.get(kind) ?? []) as readonly EventOf<K>[];
  }

  facts(what: string): readonly EventOf<'fact'>[] {
    return this.factsByName.get(what) ?? [];
  }

  calls(...fns: readonly string[]): readonly EventOf<'call'>[] {
    return inOrder(this.callsByFunction, fns, ({ seq }) => seq);
  }

  /** Every return from calls of these functions. */
  returns(...fns: readonly string[]): readonly EventOf<'return'>[] {
    return inOrder(this.returnsByFunction, fns, ({ seq }) => seq);
  }

  /** The spans of a routine, in order. */
  runs(...callbacks: readonly string[]): readonly Span[] {
    return inOrder(this.spansByCallback, callbacks, ({ enter }) => enter.seq);
  }

  /** Live at that point of the trace. */
  heldAt(seq: number): Holding[] {
    return this.holdings.filter(
      ({ acquired, undone }) => acquired.seq < seq && (undone === undefined || undone.seq > seq),
    );
  }

  /** The span of one of the routines that was open at that point, in any context. */
  during(seq: number, ...callbacks: readonly string[]): Span | undefined {
    return this.runs(...callbacks).find(
      ({ enter, leave }) => enter.seq <= seq && (leave === undefined || leave.seq >= seq),
    );
  }

  /** The moments at which nothing of an adapter may be left: MiniportHaltEx returned, or a failing MiniportInitializeEx did. */
  ends(): Span[] {
    return this.runs('MiniportHaltEx', 'MiniportInitializeEx').filter(
      ({ callback, leave }) => leave !== undefined && (callback === 'MiniportHaltEx' || leave.result !== '0x0'),
    );
  }

  /** When the adapter's life before the one this routine belongs to came to its end; before any event without one. */
  earlierEnd({ adapter, enter }: Span): number {
    const earlier = this.ends().findLast((end) => end.adapter === adapter && end.enter.seq < enter.seq);
    return earlier?.leave?.seq ?? Number.NEGATIVE_INFINITY;
  }

  /** When the adapter was initialized again after this routine; after any event if it never was. */
  nextLife({ adapter, enter }: Span): number {
    const again = this.runs('MiniportInitializeEx').find(
      (init) => init.adapter === adapter && init.enter.seq > enter.seq,
    );
    return again?.enter.seq ?? Number.POSITIVE_INFINITY;
  }

  /** Names of the things that facts said had begun, for the adapter where they tell, and had not ended at that point. */
  underWay(seq: number, begin: string, ends: readonly string[], key: string, adapter?: Handle): string[] {
    const live = new Set<string>();
    for (const event of this.of('fact')) {
      if (event.seq >= seq) break;
      const name = String(event.detail[key]);
      const others = adapter !== undefined && event.adapter !== undefined && event.adapter !== adapter;
      if (event.what === begin && !others) live.add(name);
      else if (ends.includes(event.what)) live.delete(name);
    }
    return [...live];
  }

  get stop(): EventOf<'stop'> | undefined {
    return this.of('stop')[0];
  }
}

/** Things under their names, in the order they come in. */
function grouped<T>(things: readonly T[], nameOf: (thing: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const thing of things) {
    const name = nameOf(thing);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [thing]);
    else group.push(thing);
  }
  return groups;
}

/** The groups of several names as one list, in the order of the trace. */
function inOrder<T>(
  groups: ReadonlyMap<string, readonly T[]>,
  names: readonly string[],
  seqOf: (thing: T) => number,
): readonly T[] {
  const found = [...new Set(names)].map((name) => groups.get(name) ?? []).filter(({ length }) => length > 0);
  if (found.length <= 1) return found[0] ?? [];
  return found.flat().sort((a, b) => seqOf(a) - seqOf(b));
}

function spansOf(enters: readonly EventOf<'enter'>[], leaves: readonly EventOf<'leave'>[]): Span[] {
  const left = new Map<number, EventOf<'leave'>>();
  for (const event of leaves) left.set(event.enter, event);
  return enters.map((enter) => ({
    callback: enter.callback,
    adapter: enter.adapter,
    enter,
    leave: left.get(enter.seq),
  }));
}

function holdingsOf(acquires: readonly EventOf<'acquire'>[], undos: readonly EventOf<'undo'>[]): Holding[] {
  const ends = new Map<number, Position & UndoEvent>();
  for (const event of undos) {
    if (event.resource !== undefined && (event.outcome === 'undone' || event.outcome === 'mismatch')) {
      ends.set(event.resource, event);
    }
  }
  return acquires.map((acquired) => ({ acquired, undone: ends.get(acquired.resource) }));
}
