/** Collects the events of one run. Whoever emits gives the body; the position is asked from where the run stands. */
import type { EventBody, Position, TraceEvent } from './events.ts';

export type Where = () => Omit<Position, 'seq'>;

export class Recorder {
  readonly events: TraceEvent[] = [];
  private where: Where;

  constructor(where: Where) {
    this.where = where;
  }

  /** Appends and returns the event's `seq`. */
  emit(body: EventBody): number {
    const seq = this.events.length;
    this.events.push({ seq, ...this.where(), ...body });
    return seq;
  }
}
