/** Traces by hand: what the tests of rules judge. */
import type { AcquireEvent, EventBody, Position, TraceEvent, Value } from '../trace/events.ts';
import { type Address, type Handle, PASSIVE_LEVEL, type VirtualTime } from '../trace/units.ts';
import { judge } from './judge.ts';

export const ADAPTER = 0x1000 as Handle;

type Where = Partial<Pick<Position, 'time' | 'context' | 'irql' | 'callback' | 'adapter'>>;

/** Appends events in the order of its calls; each gives the event's `seq`. */
export class TraceByHand {
  readonly events: TraceEvent[] = [];
  private resources = 0;

  add(body: EventBody, where: Where = {}): number {
    const seq = this.events.length;
    const position: Position = {
      seq,
      time: 0 as VirtualTime,
      processor: 0,
      context: 'PnP manager',
      irql: PASSIVE_LEVEL,
      ...where,
    };
    this.events.push({ ...position, ...body });
    return seq;
  }

  /** A routine of the adapter from entry to return, with what `inside` adds between. */
  routine(callback: string, result: Value, inside: (where: Where) => void = () => {}, where: Where = {}): void {
    const all = { callback, adapter: ADAPTER, ...where };
    const enter = this.add({ kind: 'enter', callback, args: {}, address: 0 as Address }, all);
    inside(all);
    this.add({ kind: 'leave', callback, enter, result }, all);
  }

  call(fn: string, args: Readonly<Record<string, Value>> = {}, where: Where = {}): number {
    return this.add({ kind: 'call', fn, args, caller: 0 as Address }, where);
  }

  returned(fn: string, call: number, result: Value, where: Where = {}, injected?: string): void {
    this.add({ kind: 'return', fn, call, result, ...(injected === undefined ? {} : { injected }) }, where);
  }

  acquire(type: string, fn: string, where: Where = {}, more: Partial<AcquireEvent> = {}): number {
    const resource = ++this.resources;
    const key = `0x${(0x5000 + resource).toString(16).toUpperCase()}`;
    this.add({ kind: 'acquire', resource, type, key, fn, detail: {}, stack: [], ...more }, where);
    return resource;
  }

  undo(resource: number, fn: string, where: Where = {}): void {
    const acquired = this.events.find((event) => event.kind === 'acquire' && event.resource === resource);
    if (acquired?.kind !== 'acquire') throw new Error('nothing of that number was acquired');
    const { type, key } = acquired;
    this.add({ kind: 'undo', outcome: 'undone', type, key, fn, resource, detail: {}, stack: [] }, where);
  }

  fact(what: string, detail: Readonly<Record<string, Value>> = {}, where: Where = {}): void {
    this.add({ kind: 'fact', what, detail }, where);
  }

  end(): void {
    this.add({ kind: 'stop', reason: 'finished', text: 'The scenario was played.' });
  }

  /** The rules that are broken, each once, notes as well. */
  rules(): string[] {
    return [...new Set(judge(this.events).map(({ rule }) => rule))].toSorted();
  }
}
