/**
 * In which order locks are taken. Two lines that take two locks in opposite orders deadlock when they meet, whether or not this
 * run let them: an edge `a → b` is noted whenever someone who holds `a` asks for `b`, and a circle of edges by different lines
 * is a fact, unless one lock is held around all of them, or one line comes after the other in every schedule (ordering.ts).
 * The same for a spin lock that an ISR takes and someone else holds at a lower IRQL: the ISR may come on that processor.
 */
import type { Stack, Value } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { DISPATCH_LEVEL, hex, type Irql } from '../trace/units.ts';
import type { Seen } from './ordering.ts';
import type { Context, Scheduler } from './scheduler.ts';

/** How a lock is asked for. */
export interface LockUse {
  /** In words: `spin lock`. */
  readonly what: string;
  /** Sharers of it do not keep each other out. */
  readonly shared?: boolean;
}

interface Held extends LockUse {
  readonly lock: number;
}

/** Someone who had this and that done at that time, and where. */
interface Moment {
  readonly line: number;
  readonly seen: Seen;
  readonly context: string;
  readonly callback: string | undefined;
  readonly stack: Stack;
}

/** Someone who holds `from` asked for `to`. */
interface Edge extends Moment {
  readonly from: Held;
  readonly to: Held;
  /** The other locks it held alone. */
  readonly gates: readonly number[];
}

interface IsrUse {
  isr: (Moment & { readonly irql: Irql; readonly shared: boolean }) | undefined;
  readonly below: (Moment & { readonly irql: Irql; readonly shared: boolean })[];
  told: boolean;
}

/** Locks in the longest circle that is looked for. */
const LONGEST = 4;
/** Moments kept of one order, or of one lock: of more lines than that, the first. */
const MOST = 8;

export class LockOrder {
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly capture: () => Stack;
  private readonly held = new Map<Context, Held[]>();
  /** By the lock that is held, then by the one that is asked for. */
  private readonly edges = new Map<number, Map<number, Edge[]>>();
  private readonly told = new Set<string>();
  private readonly spinUses = new Map<number, IsrUse>();
  /** Whether any ISR has taken a spin lock of the driver's: few do, and only then it matters who else has it. */
  private isrsTakeLocks = false;

  constructor(parts: { scheduler: Scheduler; trace: Recorder; capture: () => Stack }) {
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.capture = parts.capture;
  }

  /** The current context is about to take the lock and will wait for it. */
  wants(lock: number, use: LockUse): void {
    const held = this.held.get(this.scheduler.current);
    if (held === undefined || held.length === 0 || held.some((other) => other.lock === lock)) return;
    const to: Held = { lock, ...use };
    for (const from of held) this.note(from, to, held);
  }

  /** It has it. `spins`: at or above DISPATCH_LEVEL. */
  has(lock: number, use: LockUse, spins: boolean): void {
    const { current } = this.scheduler;
    const held = this.held.get(current);
    if (held === undefined) this.held.set(current, [{ lock, ...use }]);
    else held.push({ lock, ...use });
    this.scheduler.ordering.lock(lock);
    if (spins) this.atLevel(lock, use);
  }

  /** Whoever holds it (a thread may release another's) gives it up once. */
  released(lock: number): void {
    this.scheduler.ordering.unlock(lock);
    if (this.drop(this.scheduler.current, lock)) return;
    for (const context of this.held.keys()) if (this.drop(context, lock)) return;
  }

  /** True when the context held it. */
  private drop(context: Context, lock: number): boolean {
    const held = this.held.get(context);
    const index = held?.findLastIndex((other) => other.lock === lock) ?? -1;
    if (held === undefined || index < 0) return false;
    if (held.length === 1) this.held.delete(context);
    else held.splice(index, 1);
    return true;
  }

  private note(from: Held, to: Held, held: readonly Held[]): void {
    const { ordering } = this.scheduler;
    const line = ordering.line as number;
    const byTo = this.edges.get(from.lock) ?? new Map<number, Edge[]>();
    this.edges.set(from.lock, byTo);
    const known = byTo.get(to.lock) ?? [];
    byTo.set(to.lock, known);
    const gates = held.filter((other) => other.lock !== from.lock && !other.shared).map(({ lock }) => lock);
    const same = (other: Edge) =>
      other.line === line &&
      other.seen[line] === ordering.must.of(line)[line] &&
      other.gates.length === gates.length &&
      other.gates.every((gate) => gates.includes(gate));
    if (known.some(same)) return;
    const edge: Edge = { from, to, gates, ...this.moment() };
    // The last moment of each line matters most: the others are more likely to be known to everyone.
    if (known.length >= MOST) known.shift();
    known.push(edge);
    this.search([edge]);
  }

  /** Follows the orders on from the last edge until they come back to the first one's lock. */
  private search(path: readonly Edge[]): boolean {
    const first = path[0] as Edge;
    const last = path.at(-1) as Edge;
    for (const [to, edges] of this.edges.get(last.to.lock) ?? []) {
      if (to !== first.from.lock && (path.length >= LONGEST - 1 || path.some(({ from }) => from.lock === to))) continue;
      for (const edge of edges) {
        if (!meets(last, edge) || !path.every((other) => apart(other, edge))) continue;
        const longer = [...path, edge];
        if (to !== first.from.lock) {
          if (this.search(longer)) return true;
        } else if (meets(edge, first) && longer.every(({ gates }, i) => !gated(longer, gates, i))) {
          this.tellCircle(longer);
          return true;
        }
      }
    }
    return false;
  }

  private tellCircle(circle: readonly Edge[]): void {
    const key = circle
      .map(({ from }) => from.lock)
      .toSorted((a, b) => a - b)
      .join();
    if (this.told.has(key)) return;
    this.told.add(key);
    const [here, ...others] = circle as [Edge, ...Edge[]];
    for (const other of others) this.tell('locks-in-order', other, orderOf(other));
    this.tell('locks-in-opposite-orders', here, { ...orderOf(here), others: others.length });
  }

  /** A spin lock is had at this level: by an ISR, or below one. */
  private atLevel(lock: number, { shared = false }: LockUse): void {
    const { current, irql, ordering } = this.scheduler;
    const isr = current.kind === 'interrupt' && irql > DISPATCH_LEVEL;
    this.isrsTakeLocks ||= isr;
    if (!this.isrsTakeLocks) return;
    const use = this.spinUses.get(lock) ?? { isr: undefined, below: [], told: false };
    this.spinUses.set(lock, use);
    if (use.told) return;
    const line = ordering.line as number;
    if (isr) {
      if (use.isr === undefined || use.isr.irql <= irql) use.isr = { ...this.moment(), irql, shared };
    } else {
      const at = use.below.findIndex((other) => other.line === line);
      const same = use.below[at];
      if (same !== undefined && same.seen[line] === ordering.must.of(line)[line] && same.irql <= irql) return;
      if (at >= 0) use.below.splice(at, 1);
      else if (use.below.length >= MOST) use.below.shift();
      use.below.push({ ...this.moment(), irql, shared });
    }
    const above = use.isr;
    if (above === undefined) return;
    const low = use.below.find(
      (other) => other.irql < above.irql && apart(other, above) && !(other.shared && above.shared),
    );
    if (low === undefined) return;
    use.told = true;
    const where = (moment: typeof above) => ({ lock: hex(lock), irql: moment.irql, ...whoOf(moment) });
    this.tell('lock-of-isr', above, where(above));
    this.tell('lock-held-below-isr', low, where(low));
  }

  private tell(what: string, { stack }: Moment, detail: Readonly<Record<string, Value>>): void {
    this.trace.emit({ kind: 'fact', what, detail, ...(stack.length === 0 ? {} : { stack }) });
  }

  private moment(): Moment {
    const { current, ordering } = this.scheduler;
    const line = ordering.line as number;
    return {
      line,
      seen: ordering.must.of(line).slice(),
      context: current.name,
      callback: current.callbacks.at(-1)?.name,
      stack: this.capture(),
    };
  }
}

/** Whether who holds the first edge's aim keeps out who asks for it: `edge` holds what `before` asks for. */
const meets = (before: Edge, edge: Edge): boolean => !(before.to.shared === true && edge.from.shared === true);

/** Whether two moments may come at once: on two lines, and neither after the other. */
function apart(a: Moment, b: Moment): boolean {
  if (a.line === b.line) return false;
  return (a.seen[b.line] ?? 0) < (b.seen[b.line] as number) && (b.seen[a.line] ?? 0) < (a.seen[a.line] as number);
}

/** Whether another edge is made under one of these locks too: then the two cannot be under way at once. */
const gated = (circle: readonly Edge[], gates: readonly number[], self: number): boolean =>
  circle.some((other, i) => i !== self && other.gates.some((gate) => gates.includes(gate)));

const whoOf = ({ context, callback }: Moment) => ({ context, callback: callback ?? null });

const orderOf = (edge: Edge): Record<string, Value> => ({
  first: hex(edge.from.lock),
  firstIs: edge.from.what,
  second: hex(edge.to.lock),
  secondIs: edge.to.what,
  ...whoOf(edge),
});
