/**
 * The one owner of every interleaving. Whatever runs in the simulated machine (a kernel thread, a DPC, an interrupt) is a
 * coroutine; between two of its steps any other may run. Processors are virtual: exactly one context steps at a time, and a
 * strategy picks which. Nothing here knows the host's time or threads.
 */
import type { Stack } from '../trace/events.ts';
import { DISPATCH_LEVEL, type Handle, HIGH_LEVEL, type Irql, PASSIVE_LEVEL, type VirtualTime } from '../trace/units.ts';
import type { Clock } from './clock.ts';
import { Ordering, SYSTEM } from './ordering.ts';
import { Hang, InternalError } from './stops.ts';

/** What a coroutine yields to the scheduler. */
export type Step =
  /** Another context may run here. `spinning`: this one makes no progress by itself (stall, busy loop, budget end). */
  | { readonly kind: 'point'; readonly spinning?: boolean }
  /** Cannot go on until `ready()`, or until `deadline`. `spins`: keeps its processor (a spin lock), else gives it up. */
  | {
      readonly kind: 'wait';
      readonly what: string;
      ready(): boolean;
      readonly deadline?: VirtualTime;
      readonly spins?: boolean;
      /**
       * What its end comes after (ordering.ts). `own`: whoever waits says so itself; `system`: what NDIS has been told. Left out:
       * all that has happened, unless it spins or its time is up.
       */
      readonly follows?: 'own' | 'system';
    };

/** What a step's `yield` gives back: a wait is told whether it ended by its deadline. */
export type Resume = 'go' | 'timeout';
export type Coroutine<T> = Generator<Step, T, Resume>;

/** What a body gave: a result, or a coroutine that will give one. */
export function isCoroutine<T>(value: Coroutine<T> | T): value is Coroutine<T> {
  return typeof value === 'object' && value !== null && 'next' in value;
}

export const POINT: Step = { kind: 'point' };
export const SPINNING: Step = { kind: 'point', spinning: true };

/** One flow of control: its coroutine, and what a real processor would keep for it. */
export class Context {
  readonly id: number;
  readonly name: string;
  readonly kind: 'thread' | 'dpc' | 'interrupt';
  readonly coroutine: Coroutine<unknown>;
  /** What it is one after another with: see ordering.ts. */
  readonly line: number;
  /** IRQL it has while it does not run. */
  irql: Irql;
  processor: number | undefined;
  /** Processors a thread may run on, one bit each; undefined: all. */
  affinity: number | undefined;
  /** IRQL of the processor before this context was put on top of it. */
  interrupted: Irql = PASSIVE_LEVEL;
  wait: Extract<Step, { kind: 'wait' }> | undefined;
  done = false;
  /** Driver callbacks it is inside of, outermost first. */
  readonly callbacks: { readonly name: string; readonly adapter: Handle | undefined }[] = [];
  /** Who can tell the frames of the code it is inside of, outermost first (see stacks.ts). */
  readonly frames: (() => Stack)[] = [];
  /** Spin locks it holds, in order of taking. */
  readonly locks: number[] = [];
  /** Room for whoever runs code in this context to keep its state (registers, stack). */
  readonly keep = new Map<object, unknown>();

  constructor(parts: Pick<Context, 'id' | 'name' | 'kind' | 'irql' | 'coroutine' | 'line'>) {
    this.id = parts.id;
    this.name = parts.name;
    this.kind = parts.kind;
    this.irql = parts.irql;
    this.coroutine = parts.coroutine;
    this.line = parts.line;
  }
}

export interface Processor {
  readonly number: number;
  irql: Irql;
  /** What runs here: a thread at the bottom, DPCs and interrupts on top. Only the last one steps. */
  readonly contexts: Context[];
  /** DPCs waiting for the IRQL to drop below DISPATCH_LEVEL. */
  readonly dpcs: Pending[];
  /** Interrupts waiting for the IRQL to drop below theirs. */
  readonly interrupts: Pending[];
}

/** Work that starts as soon as the processor's IRQL allows. */
export interface Pending {
  readonly name: string;
  readonly irql: Irql;
  /** What queued it, for taking it back. */
  readonly source: object;
  start(): Coroutine<unknown>;
}

/**
 * Picks who steps next. `last` stepped before and yielded `step`; it may or may not be among the options. Where everyone
 * waits there are none. `time`: nobody steps, time passes to the next alarm or deadline; `again`: the strategy has let
 * something happen to the machine, and wants to be asked about what it is like now.
 */
export type Strategy = (
  options: readonly Context[],
  last: Context | undefined,
  step: Step | undefined,
) => Context | 'time' | 'again';

/**
 * The plain order: whoever runs goes on until it blocks or ends; only what interrupts its own processor comes between.
 * A context that spins lets the other processors have a turn, as they would on real hardware.
 */
export const plainOrder = (
  options: readonly Context[],
  last: Context | undefined,
  step: Step | undefined,
): Context | 'time' => {
  const same = options.find((context) => context.processor === last?.processor);
  if (same !== undefined && !(step?.kind === 'point' && step.spinning)) return same;
  const waiting = options.find((context) => context.processor === undefined);
  const other = waiting ?? options.find((context) => (context.processor ?? 0) > (last?.processor ?? 0));
  return other ?? options[0] ?? 'time';
};

export interface Limits {
  /** Virtual time the run may reach. */
  time: VirtualTime;
  /** Guest instructions the run may reach. */
  instructions: number;
}

export class Scheduler {
  readonly processors: readonly Processor[];
  /** What comes before what, whoever runs when. */
  readonly ordering = new Ordering();
  readonly limits: Limits = { time: Number.MAX_SAFE_INTEGER as VirtualTime, instructions: Number.MAX_SAFE_INTEGER };
  /** Guest instructions retired; whoever runs guest code adds to it. */
  instructions = 0;
  /** The most of them that ran without a look at the rest of the machine. */
  longestStretch = 0;
  /** Whether the strategy wants to be asked at every point, also where nothing waits to come in. */
  attentive: boolean;
  /** Counts what may let another context go on: objects signalled, locks released, threads started. */
  stirs = 0;
  /** The processor on which timers expire: what an alarm queues goes there. */
  timerProcessor = 0;
  private readonly clock: Clock;
  private readonly strategy: Strategy;
  private contexts = 0;
  /** Threads that are not on a processor: ready or waiting. */
  private readonly off: Context[] = [];
  private running: Context | undefined;

  constructor(clock: Clock, processors: number, strategy: Strategy = plainOrder) {
    this.clock = clock;
    this.strategy = strategy;
    this.attentive = strategy !== plainOrder;
    this.processors = Array.from({ length: processors }, (_, number) => ({
      number,
      irql: PASSIVE_LEVEL,
      contexts: [],
      dpcs: [],
      interrupts: [],
    }));
  }

  /** The context that is stepping. Only coroutines may ask. */
  get current(): Context {
    if (this.running === undefined) throw new InternalError('scheduler-idle', 'no context is running');
    return this.running;
  }

  get active(): Context | undefined {
    return this.running;
  }

  /** The processor the current context runs on. */
  get processor(): Processor {
    return this.processors[this.current.processor as number] as Processor;
  }

  get irql(): Irql {
    return this.running === undefined ? PASSIVE_LEVEL : this.processor.irql;
  }

  /** Sets the current processor's IRQL and gives the old one. Lowering it lets what waits in at the next point. */
  setIrql(irql: Irql): Irql {
    const old = this.processor.irql;
    this.processor.irql = irql;
    return old;
  }

  /** Keeps a processor busy at that level until then, as a long routine of another driver would. */
  occupy(processor: Processor, until: VirtualTime, irql: Irql = HIGH_LEVEL): void {
    const wait: Step = { kind: 'wait', what: 'another driver', ready: () => false, deadline: until, spins: true };
    const queue = irql > DISPATCH_LEVEL ? processor.interrupts : processor.dpcs;
    queue.push({
      name: 'another driver',
      irql,
      source: processor,
      *start() {
        yield wait;
      },
    });
  }

  startThread(name: string, body: Coroutine<unknown>): Context {
    const line = this.ordering.begin();
    const context = new Context({
      id: this.contexts++,
      name,
      kind: 'thread',
      irql: PASSIVE_LEVEL,
      coroutine: body,
      line,
    });
    this.off.push(context);
    this.stirs++;
    return context;
  }

  /** As `startThread`, for a body that begins with a wait: it comes there at once, in no context, so that nobody has to choose that step. */
  startWaiting(name: string, body: Coroutine<unknown>): Context {
    const context = this.startThread(name, body);
    const { value, done } = body.next('go');
    if (done === true || value.kind !== 'wait') throw new InternalError('starts-without-wait', name);
    context.wait = value;
    return context;
  }

  /** Steps contexts until `root` has ended. */
  runUntilDone(root: Context): void {
    let step: Step | undefined;
    let last: Context | undefined;
    while (!root.done) {
      this.clock.ringDue();
      this.deliver();
      const options = this.runnable();
      if (options.length > 0) this.checkLimits(root);
      const next = this.strategy(options, last, step);
      if (next === 'again') continue;
      if (next === 'time') this.passTime(root);
      else {
        last = next;
        step = this.step(next);
      }
    }
  }

  /** Puts pending interrupts and DPCs on top of the processors whose IRQL lets them in. */
  private deliver(): void {
    for (const processor of this.processors) {
      const interrupt = processor.interrupts.findIndex((pending) => pending.irql > processor.irql);
      if (interrupt >= 0) this.push(processor, 'interrupt', processor.interrupts.splice(interrupt, 1)[0] as Pending);
      else if (processor.irql < DISPATCH_LEVEL && processor.dpcs.length > 0) {
        this.push(processor, 'dpc', processor.dpcs.shift() as Pending);
      }
    }
  }

  private push(processor: Processor, kind: 'dpc' | 'interrupt', pending: Pending): void {
    const { name, irql, source } = pending;
    const line = this.ordering.lineOf(source);
    const context = new Context({ id: this.contexts++, name, kind, irql, coroutine: pending.start(), line });
    context.processor = processor.number;
    context.interrupted = processor.irql;
    processor.irql = pending.irql;
    processor.contexts.push(context);
  }

  private runnable(): Context[] {
    const options: Context[] = [];
    const idle: Processor[] = [];
    for (const processor of this.processors) {
      const top = processor.contexts.at(-1);
      if (top === undefined) idle.push(processor);
      else if (this.canStep(top)) options.push(top);
    }
    for (const thread of this.off) {
      if (idle.some((processor) => mayRunOn(thread, processor)) && this.canStep(thread)) options.push(thread);
    }
    return options;
  }

  private canStep(context: Context): boolean {
    const wait = context.wait;
    return wait === undefined || wait.ready() || (wait.deadline !== undefined && wait.deadline <= this.clock.now);
  }

  private step(context: Context): Step | undefined {
    if (context.processor === undefined) this.place(context);
    let resume: Resume = 'go';
    this.ordering.line = context.line;
    if (context.wait !== undefined) {
      if (context.wait.ready()) this.follow(context.wait);
      else resume = 'timeout';
      context.wait = undefined;
    }
    this.running = context;
    const { done, value } = context.coroutine.next(resume);
    this.running = undefined;
    const waits = done !== true && value.kind === 'wait' && !value.ready();
    if (done !== true && value.kind === 'wait' && !waits) this.follow(value);
    this.ordering.line = undefined;
    if (done) {
      this.end(context);
      return undefined;
    }
    if (waits) {
      context.wait = value;
      if (!value.spins && context.kind === 'thread') this.takeOff(context);
    } else if (context.kind === 'thread' && this.mustMakeRoom(context, value)) this.takeOff(context);
    return value;
  }

  /** The wait has ended by itself. */
  private follow({ follows, spins, deadline }: NonNullable<Context['wait']>): void {
    if (follows === 'system') this.ordering.observe(SYSTEM);
    else if (follows === undefined && spins !== true && (deadline === undefined || deadline > this.clock.now)) {
      this.ordering.observeAll();
    }
  }

  /** Below DISPATCH_LEVEL a thread leaves a processor it may not be on, and at the end of its quantum, if others want it. */
  private mustMakeRoom(thread: Context, step: Step): boolean {
    const processor = this.processors[thread.processor as number] as Processor;
    if (processor.irql >= DISPATCH_LEVEL) return false;
    if (!mayRunOn(thread, processor)) return true;
    if (step.kind !== 'point' || !step.spinning) return false;
    return this.off.some((other) => mayRunOn(other, processor) && this.canStep(other));
  }

  private place(thread: Context): void {
    const processor = this.processors.find(
      (candidate) => candidate.contexts.length === 0 && mayRunOn(thread, candidate),
    ) as Processor;
    this.off.splice(this.off.indexOf(thread), 1);
    thread.processor = processor.number;
    processor.contexts.push(thread);
    processor.irql = thread.irql;
  }

  /** A thread that waits gives its processor up, unless something runs on top of it (then it is not stepping anyway). */
  private takeOff(thread: Context): void {
    const processor = this.processors[thread.processor as number] as Processor;
    processor.contexts.pop();
    thread.irql = processor.irql;
    thread.processor = undefined;
    processor.irql = PASSIVE_LEVEL;
    this.off.push(thread);
  }

  private end(context: Context): void {
    const processor = this.processors[context.processor as number] as Processor;
    processor.contexts.pop();
    processor.irql = context.interrupted;
    context.processor = undefined;
    context.done = true;
  }

  /** The next alarm or deadline: when something happens even if everyone waits. */
  get nextDue(): VirtualTime | undefined {
    // Whose deadline has passed and who does not step has no processor: those are all kept by what spins.
    const deadlines = this.waiting().flatMap(({ wait }) => {
      const { deadline } = wait ?? {};
      return deadline === undefined || deadline <= this.clock.now ? [] : [deadline];
    });
    const due = this.clock.nextDue === undefined ? deadlines : [this.clock.nextDue, ...deadlines];
    return due.length === 0 ? undefined : (Math.min(...due) as VirtualTime);
  }

  /** Everyone waits: time passes to the next alarm or deadline. Without one, nothing will ever happen again. */
  private passTime(root: Context): void {
    const due = this.nextDue;
    if (due === undefined) throw new Hang(`${describeWait(root)}, and nothing that could end the wait will ever run`);
    this.clock.skipTo(due);
    if (this.clock.now > this.limits.time) throw new Hang(`${describeWait(root)}, beyond the virtual-time budget`);
  }

  private checkLimits(root: Context): void {
    if (this.clock.now > this.limits.time) throw new Hang(`${describeWait(root)}, beyond the virtual-time budget`);
    if (this.instructions > this.limits.instructions) {
      throw new Hang(`${root.name} runs on without end, beyond the instruction budget`);
    }
  }

  /** Every context that waits, on a processor or off. */
  waiting(): Context[] {
    const all = [...this.processors.flatMap((processor) => processor.contexts), ...this.off];
    return all.filter((context) => context.wait !== undefined);
  }

  /** Every context that has not ended. */
  alive(): Context[] {
    return [...this.processors.flatMap((processor) => processor.contexts), ...this.off];
  }
}

function mayRunOn(thread: Context, processor: Processor): boolean {
  return thread.affinity === undefined || (thread.affinity & (1 << processor.number)) !== 0;
}

function describeWait(context: Context): string {
  return context.wait === undefined ? `${context.name} does not end` : `${context.name} waits for ${context.wait.what}`;
}
