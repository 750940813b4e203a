/**
 * The systematic strategy is complete on what it claims: on small miniports the orders it plays within a preemption bound are all
 * there are. Held against a search that knows nothing of it (every choice at every point, no pruning), and against counting.
 */
import { describe, expect, it } from 'vitest';
import { examine, type Outcome } from '../src/explore/outcome.ts';
import { inOrders } from '../src/explore/races.ts';
import { systematic } from '../src/explore/strategies/systematic.ts';
import type { Miniport } from '../src/index.ts';
import { type MachineConfig, type Run, run } from '../src/machine/machine.ts';
import { plainScenario } from '../src/machine/scenario.ts';
import type { ChoicePoint, Switch } from '../src/machine/schedule.ts';
import { Workbench } from '../src/machine/workbench.ts';
import type { TraceEvent } from '../src/trace/events.ts';
import { raceMiniport, setDone, waitDone } from './races/adapter.ts';
import { machineFor } from './races/find.ts';
import { interruptRaces } from './races/interrupts.ts';
import { timerRaces } from './races/timers.ts';

const workbench = new Workbench();
const base = { ...plainScenario, flow: 'init-halt' as const };

/** Who did what in which order: the finest thing two runs can differ in, but for the time. */
const orderOf = (events: readonly TraceEvent[]): string =>
  events
    .filter(
      ({ kind }) => kind === 'call' || kind === 'enter' || kind === 'leave' || kind === 'fault' || kind === 'stop',
    )
    .map(
      (event) =>
        `${event.context} ${event.kind} ${'fn' in event ? event.fn : 'callback' in event ? event.callback : ''}`,
    )
    .join('\n');

/** Orders, each once, that the strategy plays; and how many runs it took. */
function bySystematic(config: MachineConfig, bound: number, prune = true): { orders: Set<string>; runs: number } {
  const orders = new Set<string>();
  let runs = 0;
  const play = inOrders(systematic(bound, { prune }), base);
  for (let step = play.next(); step.done !== true; ) {
    const outcomes: Outcome[] = step.value.map((scenario) => examine(config, scenario, workbench, true));
    for (const { events } of outcomes) orders.add(orderOf(events ?? []));
    runs += outcomes.length;
    step = play.next(outcomes);
  }
  return { orders, runs };
}

/** Plays every way to choose, whatever it costs up to there, and keeps those within the bound. */
function byBruteForce(config: MachineConfig, bound: number): Set<string> {
  const orders = new Set<string>();
  const tried = (prefix: readonly string[]): void => {
    const schedule: Switch[] = prefix.map((id, at) => ({ at, run: id }));
    const result: Run = run(config, { ...base, schedule }, workbench);
    const points = (result.choices as NonNullable<Run['choices']>).points;
    orders.add(orderOf(result.events));
    // The run went on in the plain order: every other choice after the prefix begins a run of its own.
    const chosen = points.map(({ options, chosen: index }) => options[index] as string);
    for (let at = prefix.length; at < points.length; at++) {
      for (const id of (points[at] as ChoicePoint).options) {
        const choices = [...chosen.slice(0, at), id];
        if (id !== chosen[at] && preemptions(points, choices) <= bound) tried(choices);
      }
    }
  };
  tried([]);
  return orders;
}

/** The definition: something the world does, or another context although the last one could go on. */
const preemptions = (points: readonly ChoicePoint[], choices: readonly string[]): number =>
  choices.filter((id, at) => {
    const { options, free } = points[at] as ChoicePoint;
    return id !== options[0] && (id.includes('@') || !free);
  }).length;

const config = (miniport: Miniport): MachineConfig => ({
  driver: { kind: 'typescript', name: 'small.ts', miniport },
});

/** Halt makes two calls beside a work item that makes two. */
const twoBesideTwo = raceMiniport({
  *begin(wdk, adapter) {
    adapter.WorkItem = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: adapter.AdapterHandle });
  },
  *end(wdk, adapter) {
    yield* wdk.NdisQueueIoWorkItem({
      NdisIoWorkItemHandle: adapter.WorkItem,
      Routine: function* Work() {
        yield* wdk.KeGetCurrentIrql();
        yield* wdk.KeGetCurrentIrql();
        yield* setDone(wdk, adapter);
      },
      WorkItemContext: adapter.address,
    });
    yield* wdk.KeGetCurrentThread();
    yield* wdk.KeGetCurrentThread();
    yield* waitDone(wdk, adapter);
    yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
  },
});

const [cancelIgnored] = timerRaces;
const [late] = interruptRaces;
const machines: Readonly<Record<string, MachineConfig>> = {
  'a work item beside halt': config(twoBesideTwo),
  'a timer beside halt': machineFor(cancelIgnored as never, (cancelIgnored as NonNullable<typeof cancelIgnored>).race),
  'an interrupt beside halt': machineFor(late as never, (late as NonNullable<typeof late>).clean),
};

describe.each(Object.entries(machines))('%s', (_, machine) => {
  it.each([0, 1, 2])('all orders with up to %i preemptions, and no others', (bound) => {
    const { orders } = bySystematic(machine, bound);
    expect([...orders].toSorted()).toEqual([...byBruteForce(machine, bound)].toSorted());
  });
});

it('two calls beside two come in all six orders', () => {
  const calls = [...bySystematic(machines['a work item beside halt'] as MachineConfig, 3).orders].map((order) =>
    [...order.matchAll(/call KeGetCurrent(Thread|Irql)/g)]
      .map(([, which]) => (which === 'Thread' ? 'H' : 'W'))
      .join(''),
  );
  expect([...new Set(calls)].toSorted()).toEqual(['HHWW', 'HWHW', 'HWWH', 'WHHW', 'WHWH', 'WWHH']);
});

it('pruning leaves runs out, and no order', () => {
  const machine = machines['an interrupt beside halt'] as MachineConfig;
  const [pruned, all] = [bySystematic(machine, 1), bySystematic(machine, 1, false)];
  expect(pruned.runs).toBeLessThan(all.runs);
  expect(pruned.orders).toEqual(all.orders);
});
