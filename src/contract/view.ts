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

  constructor(events: readonly TraceEvent[]) {
    this.events = events;
    this.spans = spansOf(events);
    this.holdings = holdingsOf(events);
  }

  of<K extends EventBody['kind']>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.kind === kind);
  }

  facts(what: string): EventOf<'fact'>[] {
    return this.of('fact').filter((event) => event.what === what);
  }

  calls(...fns: readonly string[]): EventOf<'call'>[] {
    return this.of('call').filter((event) => fns.includes(event.fn));
  }

  /** Every return from calls of these functions. */
  returns(...fns: readonly string[]): EventOf<'return'>[] {
    return this.of('return').filter((event) => fns.includes(event.fn));
  }

  /** The spans of a routine, in order. */
  runs(...callbacks: readonly string[]): Span[] {
    return this.spans.filter((span) => callbacks.includes(span.callback));
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

  /** Names of the things that facts said had begun and had not ended at that point. */
  underWay(seq: number, begin: string, ends: readonly string[], key: string): string[] {
    const live = new Set<string>();
    for (const event of this.events) {
      if (event.seq >= seq) break;
      if (event.kind !== 'fact') continue;
      const name = String(event.detail[key]);
      if (event.what === begin) live.add(name);
      else if (ends.includes(event.what)) live.delete(name);
    }
    return [...live];
  }

  get stop(): EventOf<'stop'> | undefined {
    return this.of('stop')[0];
  }
}

function spansOf(events: readonly TraceEvent[]): Span[] {
  const leaves = new Map<number, EventOf<'leave'>>();
  for (const event of events) if (event.kind === 'leave') leaves.set(event.enter, event);
  return events
    .filter((event): event is EventOf<'enter'> => event.kind === 'enter')
    .map((enter) => ({ callback: enter.callback, adapter: enter.adapter, enter, leave: leaves.get(enter.seq) }));
}

function holdingsOf(events: readonly TraceEvent[]): Holding[] {
  const ends = new Map<number, Position & UndoEvent>();
  for (const event of events) {
    if (
      event.kind === 'undo' &&
      event.resource !== undefined &&
      (event.outcome === 'undone' || event.outcome === 'mismatch')
    ) {
      ends.set(event.resource, event);
    }
  }
  return events
    .filter((event): event is Position & AcquireEvent => event.kind === 'acquire')
    .map((acquired) => ({ acquired, undone: ends.get(acquired.resource) }));
}
