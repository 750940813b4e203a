/**
 * Every flow on the clean samples, on a new workbench and on a used one, and the rules that only a flow can show, each by its
 * twin.
 */
import { describe, expect, it } from 'vitest';
import { judge } from '../src/contract/judge.ts';
import { flowScenarios } from '../src/explore/flows.ts';
import { run } from '../src/machine/machine.ts';
import { describe as inWords, plainScenario } from '../src/machine/scenario.ts';
import { Workbench } from '../src/machine/workbench.ts';
import { cSamples, machineOf, nameOf, type Sample, typescriptSamples } from './sample-checks.ts';

const PATIENCE = 240_000;
const samples = [...typescriptSamples(), ...cSamples()];
const clean = samples.filter(({ breaks }) => breaks === undefined);

async function play(sample: Sample) {
  const machine = await machineOf(sample);
  const workbench = new Workbench();
  const scenarios = flowScenarios(run(machine, plainScenario, workbench));
  return scenarios.map((scenario) => {
    const { events, stop } = run(machine, scenario, workbench);
    const rules = judge(events).flatMap(({ rule, severity }) => (severity === 'note' ? [] : [rule]));
    return { scenario, rules, stop, text: JSON.stringify(events) };
  });
}

describe('flows on clean drivers', () => {
  it.each(clean.map((sample) => [nameOf(sample), sample] as const))(
    '%s',
    async (_, sample) => {
      const runs = await play(sample);
      expect(runs.length).toBeGreaterThan(5);
      const wrong = runs.filter(({ rules, stop }) => rules.length > 0 || stop.reason !== 'finished');
      expect(wrong.map(({ scenario, rules, stop }) => [inWords(scenario), rules, stop.text])).toEqual([]);
    },
    PATIENCE,
  );

  it('give a pause sends to find, time to pass while paused, and a cancel', async () => {
    const sample = clean.find((one) => nameOf(one) === 'typescript/minimal.ts') as Sample;
    const { events } = run(await machineOf(sample), plainScenario);
    const entered = events.filter((event) => event.kind === 'enter');
    const at = (callback: string) => entered.findLast((event) => event.callback === callback);
    expect(at('MiniportCancelSend')).toBeDefined();
    expect(at('MiniportPause')?.time).toBe(at('MiniportSendNetBufferLists')?.time);
    expect(at('MiniportHaltEx')?.time).toBeGreaterThan(at('MiniportPause')?.time ?? 0);
  });

  it(
    'a flow gives the same trace on a new workbench',
    async () => {
      const [sample] = clean as [Sample];
      const machine = await machineOf(sample);
      const seen = new Set<string>();
      for (const { scenario, text } of await play(sample)) {
        if (scenario.faults.length > 0 || seen.has(scenario.flow)) continue;
        seen.add(scenario.flow);
        expect(JSON.stringify(run(machine, scenario).events) === text, inWords(scenario)).toBe(true);
      }
    },
    PATIENCE,
  );
});

const ofFlows = [
  'halt-frees-driver-scope',
  'halt-then-reinit-stale-state',
  'powered-down-halt-keeps-resources',
  'shutdown-nested-in-halt',
];

it.each(ofFlows)(
  '%s is found by its flow, and nothing else is',
  async (rule) => {
    const runs = await play(samples.find(({ breaks }) => breaks === rule) as Sample);
    expect([...new Set(runs.flatMap(({ rules }) => rules))]).toEqual([rule]);
  },
  PATIENCE,
);
