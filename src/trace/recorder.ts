/** Collects the events of one run. Whoever emits gives the body; the position is asked from where the run stands. */
import type { EventBody, Position, TraceEvent } from './events.ts';

export interface Where extends Omit<Position, 'seq' | 'callback' | 'adapter'> {
  readonly callback: Position['callback'] | undefined;
  readonly adapter: Position['adapter'] | undefined;
}

/** More than this in one run and the driver goes in circles (assumed; the longest run of a real driver seen has 60,000). */
export const MOST_EVENTS = 250_000;

export class Recorder {
  readonly events: TraceEvent[] = [];
  /** Told of every event. */
  watch: ((event: TraceEvent) => void) | undefined;
  private where: () => Where;

  constructor(where: () => Where) {
    this.where = where;
  }

  /** No run that gets anywhere has more. Whoever begins something that could go on for ever asks. */
  get full(): boolean {
    return this.events.length > MOST_EVENTS;
  }

  /** Appends and returns the event's `seq`. */
  emit(body: EventBody): number {
    const seq = this.events.length;
    const { time, processor, context, irql, callback, adapter } = this.where();
    const event: { -readonly [K in keyof Position]: Position[K] } = { seq, time, processor, context, irql };
    if (callback !== undefined) event.callback = callback;
    if (adapter !== undefined) event.adapter = adapter;
    // a quarter of what spreading two objects into a third takes
    this.events.push(Object.assign(event, body));
    this.watch?.(event as TraceEvent);
    return seq;
  }
}
