/**
 * Plays a scenario's schedule: the scheduler's strategy in the window around halt. It counts the choice points, offers what the
 * world might do beside what could run, lets the schedule choose, and notes how it went. docs/concurrency.md.
 */
import type { InterruptSource } from '../kernel/hardware.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { type Context, plainOrder, type Step, type Strategy } from '../kernel/scheduler.ts';
import type { TraceEvent } from '../trace/events.ts';
import { DISPATCH_LEVEL, MILLISECOND, SECOND, type VirtualTime } from '../trace/units.ts';
import { type ChoicePoint, type Chooser, happening, type Switch, type Turn } from './schedule.ts';

/** Calls of the driver that are the begin of its end. */
const BEGINS: readonly string[] = ['MiniportPause', 'MiniportHaltEx'];

/**
 * How long a thread, and a routine at DISPATCH_LEVEL or above, may be held up at one point (assumed). No page bounds it; longer
 * makes for runs that nobody would believe.
 */
const HELD_UP = 5 * SECOND;
const HELD_UP_AT_DISPATCH = 100 * MILLISECOND;

/** How often the device interrupts, or somebody else on its line, at most in one run beside what the plain order has. */
const MOST_INTERRUPTS = 2;

/** Choice points after which a run goes on in the plain order: it polls. */
export const MOST_POINTS = 3000;

/**
 * Calls whose work neither sees nor changes anything an interrupt touches before its ISR runs: they only manage memory of
 * the driver's own. Freeing what a device may write to is not among them, for `interrupt` lets the device work.
 */
const INERT =
  /^(Ndis(Allocate|Free)NetBuffer|NdisAllocateMemory|NdisMFreePort$|NdisCloseConfiguration$|ExAllocatePool|Rtl|DbgPrint|Ndis(Dpr)?(Acquire|Release)SpinLock|Ke(Acquire|Release)SpinLock|NdisFreeSpinLock$|NdisFreeRWLock$|NdisFreeTimerObject$)/;

interface Happening {
  readonly id: string;
  happen(): void;
}

export class Director {
  readonly points: ChoicePoint[] = [];
  /** The deviations from the plain order that were made. */
  readonly taken: Switch[] = [];
  /** Who went on when, and why another did not: for telling the story of a run. */
  readonly turns: Turn[] = [];
  private readonly kernel: Kernel;
  private readonly devices: () => readonly PciDevice[];
  private readonly choose: Chooser;
  private open = false;
  private happened = false;
  private interrupts = 0;
  /** The trace's length and the device's accesses when the last point was passed. */
  private before = { events: 0, accesses: 0 };

  constructor(kernel: Kernel, devices: () => readonly PciDevice[], choose: Chooser) {
    this.kernel = kernel;
    this.devices = devices;
    this.choose = choose;
    kernel.scheduler.attentive = false;
    kernel.trace.watch = (event) => {
      if (opensWindow(event)) this.begin();
    };
  }

  private begin(): void {
    this.kernel.trace.watch = undefined;
    this.open = true;
    this.kernel.scheduler.attentive = true;
  }

  readonly strategy: Strategy = (contexts, last, step) => {
    const plain = plainOrder(contexts, last, step);
    if (!this.open) {
      // Behind the last choice point of a run that polls, the story goes on.
      if (this.points.length > 0 && plain !== last) this.turn(plain, last, step);
      return plain;
    }
    this.settle();
    const happenings = this.happenings(contexts, last);
    if (contexts.length + happenings.length <= (plain === 'time' ? 0 : 1)) {
      this.happened = false;
      if (plain !== last) this.turn(plain, last, step);
      return plain;
    }
    const ids = named(contexts);
    const first = plain === 'time' ? 'time' : (ids.get(plain) as string);
    const others = contexts.filter((context) => context !== plain).map((context) => ids.get(context) as string);
    const options = [first, ...others, ...happenings.map(({ id }) => id)];
    const at = this.points.length;
    const spins = step?.kind === 'point' && step.spinning && last !== undefined ? ids.get(last) : undefined;
    const chosen = this.choose(at, options, spins);
    const id = options[chosen] as string;
    const context = [...ids].find(([, name]) => name === id)?.[0];
    const processor = context === undefined ? -1 : this.placeOf(context);
    const yields = step?.kind === 'point' && step.spinning === true;
    this.points.push({ options, chosen, free: this.happened || yields || !canGoOn(last), processor, inert: false });
    if (chosen !== 0) this.taken.push({ at, run: id });
    this.before = { events: this.kernel.trace.events.length, accesses: this.kernel.hardware.accesses };
    if (this.points.length >= MOST_POINTS) {
      this.open = false;
      this.kernel.scheduler.attentive = false;
    }
    this.happened = context === undefined && id !== 'time';
    if (context !== last || context === undefined) this.turn(context ?? id, last, step, chosen === 0 ? undefined : at);
    if (context !== undefined) return context;
    if (id === 'time') return 'time';
    happenings.find((one) => one.id === id)?.happen();
    return 'again';
  };

  private turn(next: Context | string, last: Context | undefined, step: Step | undefined, choice?: number): void {
    this.turns.push({
      seq: this.kernel.trace.events.length,
      run: typeof next === 'string' ? next : next.name,
      ...(last === undefined ? {} : { last: last.name }),
      why: whyNot(last, next, step),
      ...(last?.wait === undefined ? {} : { waitsFor: last.wait.what }),
      ...(choice === undefined ? {} : { choice }),
    });
  }

  /** Now that the step of the last point is over, says what kind it was. */
  private settle(): void {
    const point = this.points.at(-1);
    const { events } = this.kernel.trace;
    if (point === undefined || this.before.accesses !== this.kernel.hardware.accesses) return;
    for (let i = this.before.events; i < events.length; i++) if (!inert(events[i] as TraceEvent)) return;
    point.inert = point.processor >= 0;
  }

  private placeOf(context: Context): number {
    return (
      context.processor ?? this.kernel.scheduler.processors.find(({ contexts }) => contexts.length === 0)?.number ?? 0
    );
  }

  /** What the world might do now. */
  private happenings(contexts: readonly Context[], last: Context | undefined): Happening[] {
    return [...this.passing(contexts, last), ...this.interrupting()];
  }

  /** Whoever runs is held up, and the next thing that is due happens first. Where all wait, time passes anyway. */
  private passing(contexts: readonly Context[], last: Context | undefined): Happening[] {
    const { scheduler, clock } = this.kernel;
    const due = scheduler.nextDue;
    const runs = last?.processor === undefined ? contexts[0] : last;
    const irql = scheduler.processors[runs?.processor ?? 0]?.irql ?? 0;
    const most = irql >= DISPATCH_LEVEL ? HELD_UP_AT_DISPATCH : HELD_UP;
    if (due === undefined || due <= clock.now || (contexts.length > 0 && due > clock.now + most)) return [];
    // A deadline comes where its thread is; what an alarm queues goes to the processor whose timer queue it is in.
    const places = clock.nextDue === due ? scheduler.processors.map(({ number }) => number) : [0];
    return places
      .filter((number) => contexts.length > 0 || number > 0)
      .map((number) => ({ id: happening('time', number), happen: () => this.pass(due, number) }));
  }

  private pass(due: VirtualTime, processor: number): void {
    const { scheduler, clock } = this.kernel;
    scheduler.timerProcessor = processor;
    clock.skipTo(due);
    clock.ringDue();
    scheduler.timerProcessor = 0;
  }

  private interrupting(): Happening[] {
    if (this.interrupts >= MOST_INTERRUPTS) return [];
    const { scheduler } = this.kernel;
    const found: Happening[] = [];
    for (const device of this.devices()) {
      const source = connectedOf(device);
      if (source === undefined || source.inService) continue;
      const enabled = device.present && device.activity().includes('interrupts enabled');
      for (const { number } of scheduler.processors) {
        if (enabled && !found.some(({ id }) => id === happening('interrupt', number))) {
          found.push({
            id: happening('interrupt', number),
            happen: () => this.interrupt(number, () => device.provoke()),
          });
        }
        if (found.some(({ id }) => id === happening('line', number))) continue;
        const pulse = () => this.kernel.hardware.pulse(source);
        found.push({ id: happening('line', number), happen: () => this.interrupt(number, pulse) });
      }
    }
    return found;
  }

  private interrupt(processor: number, body: () => void): void {
    const { hardware } = this.kernel;
    const usual = hardware.interruptProcessor;
    this.interrupts++;
    hardware.interruptProcessor = processor;
    body();
    hardware.interruptProcessor = usual;
  }
}

/** Whether the window begins with this event: NDIS calls MiniportPause or MiniportHaltEx, or a call fails on purpose. */
export function opensWindow(event: TraceEvent): boolean {
  if (event.kind === 'enter') return BEGINS.includes(event.callback);
  return event.kind === 'return' && event.injected !== undefined;
}

function inert(event: TraceEvent): boolean {
  if (event.kind === 'return') return INERT.test(event.fn);
  return event.kind === 'call' || event.kind === 'acquire' || event.kind === 'undo';
}

const connectedOf = (device: PciDevice): InterruptSource | undefined =>
  device.messages.find(({ connected }) => connected !== undefined) ??
  (device.line?.connected === undefined ? undefined : device.line);

/** Whether the context that stepped last is still there to step, though perhaps under an interrupt. */
const canGoOn = (last: Context | undefined): boolean =>
  last !== undefined && !last.done && last.wait === undefined && last.processor !== undefined;

/** Why the context that stepped last does not go on now that `next` does. */
function whyNot(last: Context | undefined, next: Context | string, step: Step | undefined): Turn['why'] {
  if (last === undefined || last.done) return 'ended';
  if (last.wait !== undefined) return last.wait.spins === true ? 'spins' : 'waits';
  if (step?.kind === 'point' && step.spinning === true) return 'spins';
  const onTop = typeof next !== 'string' && next.kind !== 'thread' && next.processor === last.processor;
  return onTop ? 'interrupted' : 'held-up';
}

/** Contexts by their names in the trace; of several with one name the later ones are numbered. */
function named(contexts: readonly Context[]): Map<Context, string> {
  const counts = new Map<string, number>();
  const ids = new Map<Context, string>();
  for (const context of contexts.toSorted((a, b) => a.id - b.id)) {
    const count = (counts.get(context.name) ?? 0) + 1;
    counts.set(context.name, count);
    ids.set(context, count === 1 ? context.name : `${context.name} #${count}`);
  }
  return ids;
}
