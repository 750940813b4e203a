/**
 * What happened before what: vector clocks over *lines*. A line is what runs one thing after another: a thread, the runs of one DPC,
 * the runs of one interrupt's ISR (that a DPC does not run beside itself is assumed; it keeps a driver from blame rather
 * than blaming it). Whoever signals publishes what its line has seen, whoever waits for the signal observes it. Two events
 * that neither has seen of the other might as well have come the other way round, or at once.
 *
 * `must` keeps only what comes in that order under every schedule: a start, a signal that was waited for, a queue that was
 * flushed. Who gets a lock first is chance and no part of it.
 */

/** What was seen of each line, by its number. */
export type Seen = readonly number[];

/** Under what NDIS and the I/O manager keep the order of their own calls: see `Invoker` and `Calls`. */
export const SYSTEM: object = { of: 'the system’s own order' };
/** Under what the driver's writes to device registers come before the interrupts they allow. */
export const DEVICE: object = { of: 'device registers' };

/** Vector clocks: one for each line, and stamps of them under whatever objects or addresses lines meet at. */
export class Clocks {
  private readonly lines: number[][] = [];
  private readonly stamps = new Map<object | number, number[]>();

  /** A new line that has seen what `parent` has. */
  begin(line: number, parent: number | undefined): void {
    const seen = parent === undefined ? [] : this.of(parent).slice();
    seen[line] = 1;
    this.lines[line] = seen;
    if (parent !== undefined) this.advance(parent);
  }

  /** What the line has seen now; its own count is the time of whatever it does until it publishes. */
  of(line: number): number[] {
    return this.lines[line] as number[];
  }

  publish(line: number, what: object | number): void {
    this.deposit(this.of(line), what);
    this.advance(line);
  }

  /** As `publish`, for what happens on no line: an alarm acts for whoever set it. */
  deposit(seen: Seen, what: object | number): void {
    const stamp = this.stamps.get(what);
    if (stamp === undefined) this.stamps.set(what, seen.slice());
    else join(stamp, seen);
  }

  observe(line: number, what: object | number): void {
    const stamp = this.stamps.get(what);
    if (stamp !== undefined) join(this.of(line), stamp);
  }

  /** The line comes after what another has seen. */
  follow(line: number, seen: Seen): void {
    join(this.of(line), seen);
  }

  stampOf(what: object | number): Seen | undefined {
    return this.stamps.get(what);
  }

  /** Comes after everything so far. */
  observeAll(line: number): void {
    for (const [other, seen] of this.lines.entries()) {
      if (other === line) continue;
      join(this.of(line), seen);
      this.advance(other);
    }
  }

  /** What comes next on the line is later than what it has published. */
  advance(line: number): void {
    const seen = this.of(line);
    seen[line] = (seen[line] as number) + 1;
  }
}

function join(into: number[], from: Seen): void {
  for (let i = 0; i < from.length; i++) {
    const there = from[i];
    if (there !== undefined && there > (into[i] ?? 0)) into[i] = there;
  }
}

/** The order of one run. The scheduler says whose line it is; whoever lets contexts meet says where. */
export class Ordering {
  readonly must = new Clocks();
  /** Also by locks and by what was read of others: kept where accesses to memory are watched. */
  seen: Clocks | undefined;
  /** The line that steps; undefined in no context. */
  line: number | undefined;
  private lines = 0;
  private readonly ofSource = new Map<object, number>();
  /** Whom an alarm acts for: what was published under it. */
  private actor: object | undefined;

  /** A line of its own for a context that starts now. */
  begin(): number {
    const line = this.lines++;
    this.must.begin(line, this.line);
    this.seen?.begin(line, this.line);
    return line;
  }

  /** The line of everything that one source starts: its DPCs, its ISRs. It begins with nothing seen. */
  lineOf(source: object): number {
    const known = this.ofSource.get(source);
    if (known !== undefined) return known;
    const line = this.lines++;
    this.ofSource.set(source, line);
    this.must.begin(line, undefined);
    this.seen?.begin(line, undefined);
    return line;
  }

  /** What the current line, or whom the alarm acts for, has done so far comes before whatever observes this. */
  publish(what: object | number): void {
    this.tell(this.must, what);
    if (this.seen !== undefined) this.tell(this.seen, what);
  }

  private tell(clocks: Clocks, what: object | number): void {
    if (this.line !== undefined) clocks.publish(this.line, what);
    else {
      const stamp = this.actor === undefined ? undefined : clocks.stampOf(this.actor);
      if (stamp !== undefined) clocks.deposit(stamp, what);
    }
  }

  /** The current line comes after what was published under this. */
  observe(what: object | number): void {
    if (this.line === undefined) return;
    this.must.observe(this.line, what);
    this.seen?.observe(this.line, what);
  }

  /** As `publish`, where it is chance who comes first: a lock is released. */
  unlock(lock: object | number): void {
    if (this.seen !== undefined) this.tell(this.seen, lock);
  }

  /** As `observe`: a lock is taken. */
  lock(lock: object | number): void {
    if (this.line !== undefined) this.seen?.observe(this.line, lock);
  }

  /** A wait has ended of which no more is known than that others ended it: what all have done so far comes before. */
  observeAll(): void {
    if (this.line === undefined) return;
    this.must.observeAll(this.line);
    this.seen?.observeAll(this.line);
  }

  /** Runs an alarm: it acts for whoever published under `actor`. */
  actingFor(actor: object, alarm: () => void): void {
    const outer = this.actor;
    this.actor = actor;
    alarm();
    this.actor = outer;
  }
}
