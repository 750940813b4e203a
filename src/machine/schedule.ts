/**
 * Schedules: who runs, and what the world does, at each choice point of a run. A choice point is a moment in the window around
 * halt at which more than one thing could happen next: docs/concurrency.md. The plain order is one schedule; any other is
 * named by where it deviates from it.
 */

/** At the `at`-th choice point of the run, from 0, this runs or happens instead of what the plain order has. */
export interface Switch {
  readonly at: number;
  /** A context by its name in the trace, or something that happens beside the driver (see `happening`). */
  readonly run: string;
}

/**
 * `plain`: the plain order, and nothing is noted. A list: these deviations from it. Priorities: every context and happening has
 * a random one, drawn from the seed, and the highest runs; at each of the `changes` what runs falls below all others.
 */
export type Schedule = 'plain' | readonly Switch[] | { readonly seed: number; readonly changes: readonly number[] };

/** One choice point of a run, as it went. */
export interface ChoicePoint {
  /** What could run or happen. The first is the plain order's choice. */
  readonly options: readonly string[];
  /** Index in `options`. */
  readonly chosen: number;
  /** What ran before could not go on, or only spins: to choose any other context is no preemption. */
  readonly free: boolean;
  /** Processor of the context that was chosen; -1 for a happening. */
  readonly processor: number;
  /** Whether the step taken here neither sees nor changes anything that interrupts touch before a routine of theirs runs. */
  inert: boolean;
}

/** Between two steps of the window another context went on than before, or something happened beside the driver. */
export interface Turn {
  /** How many events the trace had by then. */
  readonly seq: number;
  /** The context that went on, as events name it, or what happened (see `happening`); `time`: all waited, and time passed. */
  readonly run: string;
  /** The one that ran before; undefined where that is the first. */
  readonly last?: string;
  /**
   * Why that did not go on: it has ended; waits (`waitsFor`); only spins (perhaps `waitsFor` a lock); an interrupt or a DPC came
   * in on top of it on its own processor; or nothing kept it, and the schedule holds it up.
   */
  readonly why: 'ended' | 'waits' | 'spins' | 'interrupted' | 'held-up';
  /** In words: `an event to be signalled`. */
  readonly waitsFor?: string;
  /** The choice point at which the schedule deviated from the plain order. */
  readonly choice?: number;
}

export type HappeningKind =
  /** Whoever runs is held up until the next alarm or deadline: a timer expires, a delay ends, the device's own clock ticks. */
  | 'time'
  /** The device interrupts, as far as it is not masked. */
  | 'interrupt'
  /** Its ISR is asked without its device's doing: another device on the line, or a message that was under way. */
  | 'line';

/** The id of something the world does, with the processor that it is done to. */
export const happening = (kind: HappeningKind, processor: number): string => `${kind}@${processor}`;
const HAPPENING = /^(time|interrupt|line)@(\d+)$/;
export const isHappening = (id: string): boolean => HAPPENING.test(id);

/** The processor something happens to; -1 for a context. */
export const processorOf = (id: string): number => Number(HAPPENING.exec(id)?.[2] ?? -1);

const words: Readonly<Record<HappeningKind, string>> = {
  time: 'time passes until the next timer is due or wait is over, on processor',
  interrupt: 'the device interrupts processor',
  line: 'an interrupt that is not the device’s doing comes in on processor',
};

/** A schedule in words. */
export function scheduleText(schedule: Schedule): string {
  if (schedule === 'plain' || (Array.isArray(schedule) && schedule.length === 0)) return 'the plain order';
  if ('seed' in schedule) return `random priorities (seed ${schedule.seed}, ${schedule.changes.length} changes)`;
  return (schedule as readonly Switch[]).map(switchText).join(', then ');
}

const switchText = ({ at, run }: Switch): string => `at choice ${at} ${happeningText(run) ?? `${run} runs`}`;

/** What the world does, in words; undefined for a context. */
export function happeningText(id: string): string | undefined {
  const match = HAPPENING.exec(id);
  return match === null ? undefined : `${words[match[1] as HappeningKind]} ${match[2]}`;
}

/** Decides at one choice point: gives an index in `options`. `yields`: the first one's context only spins, or just happened. */
export type Chooser = (at: number, options: readonly string[], spinning: string | undefined) => number;

/** The chooser that plays a schedule. */
export function chooserOf(schedule: Exclude<Schedule, 'plain'>): Chooser {
  return 'seed' in schedule ? priorities(schedule.seed, schedule.changes) : deviations(schedule);
}

/** A deviation whose name is not among the options is passed over. */
function deviations(switches: readonly Switch[]): Chooser {
  const at = new Map(switches.map(({ at, run }) => [at, run]));
  return (index, options) => {
    const run = at.get(index);
    return run === undefined ? 0 : Math.max(0, options.indexOf(run));
  };
}

/**
 * Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010). What the world does counts as a context that ends when it
 * has happened, so it falls below all others then; so does a context that only spins, or the run would not end.
 */
function priorities(seed: number, changes: readonly number[]): Chooser {
  const random = randomNumbers(seed);
  const priority = new Map<string, number>();
  let lowest = 0;
  const fall = (id: string) => priority.set(id, --lowest);
  return (index, options, spinning) => {
    for (const id of options) if (!priority.has(id)) priority.set(id, 1 + random());
    if (spinning !== undefined) fall(spinning);
    const highest = (): number =>
      options.reduce(
        (best, id, i) => ((priority.get(id) as number) > (priority.get(options[best] as string) as number) ? i : best),
        0,
      );
    if (changes.includes(index)) fall(options[highest()] as string);
    const chosen = highest();
    if (isHappening(options[chosen] as string)) fall(options[chosen] as string);
    return chosen;
  };
}

/** Numbers from 0 up to 1 that depend on the seed alone (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
