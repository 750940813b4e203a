/** Watched memory on the seeded races: some are told from the plain order alone, their twins and the clean samples never. */
import { describe, expect, it } from 'vitest';
import { judge } from '../src/contract/judge.ts';
import { type MachineConfig, run } from '../src/machine/machine.ts';
import { type Flow, plainScenario } from '../src/machine/scenario.ts';
import { Workbench } from '../src/machine/workbench.ts';
import { raceCases } from './races/cases.ts';
import { machineFor } from './races/find.ts';
import { cSamples, machineOf, typescriptSamples } from './sample-checks.ts';

const workbench = new Workbench();
const flows: readonly Flow[] = ['normal-remove', 'prompt-halt', 'init-halt'];

/** What counts of a watched run in the plain order. */
const rulesOf = (config: MachineConfig, flow: Flow, on = workbench): string[] =>
  judge(run(config, { ...plainScenario, flow, memory: 'watched' }, on).events)
    .filter(({ severity }) => severity !== 'note')
    .map(({ rule, message }) => `${rule}: ${message}`);

describe('a seeded race', () => {
  it.each(raceCases)('$name: its twin orders all it frees', (one) => {
    for (const flow of flows) expect(rulesOf(machineFor(one, one.clean), flow)).toEqual([]);
  });

  it.each([
    'thread: halt waits for its event, not for its end',
    'C, thread: halt waits for its event, not for its end',
    'C, line: what the ISR counts in goes first',
    'C, message: what the ISR counts in goes first',
  ])('%s: told though the moment is not hit', (name) => {
    const one = raceCases.find((other) => other.name === name);
    if (one === undefined) throw new Error('no such race');
    const [told, ...more] = rulesOf(machineFor(one, one.race), 'normal-remove');
    expect(told).toMatch(/^free-without-waiting: MiniportHaltEx frees NDIS memory 'race' of /i);
    expect(more).toEqual([]);
  });
});

it('the clean samples order all they free, and their traces are those of plain runs', async () => {
  for (const sample of [...cSamples(), ...typescriptSamples()].filter(({ breaks }) => breaks === undefined)) {
    const config = await machineOf(sample);
    const own = new Workbench();
    for (const flow of [...flows, 'burst', 'stop-start', 'surprise-removal'] as const) {
      const told = rulesOf(config, flow, own).filter((rule) => /^(free-|lock-)/.test(rule));
      expect({ [sample.path]: told }).toEqual({ [sample.path]: [] });
    }
    const plain = run(config, plainScenario, own).events;
    const watched = run(config, { ...plainScenario, memory: 'watched' }, own).events;
    const shown = (events: typeof plain) =>
      events.filter((event) => event.kind !== 'fact' || event.what !== 'freed-without-order').map(({ kind }) => kind);
    expect(shown(watched)).toEqual(shown(plain));
  }
});
