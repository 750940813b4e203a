import { expect, it } from 'vitest';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { deviations, simpler } from './shrink.ts';

const fault = (fn: string) => ({ fn, nth: 1, failure: 'null' });

it('counts every fault and every other difference', () => {
  expect(deviations(plainScenario)).toBe(0);
  expect(deviations({ ...plainScenario, flow: 'shutdown' })).toBe(1);
  expect(deviations({ ...plainScenario, flow: 'shutdown', faults: [fault('A'), fault('B')] })).toBe(3);
});

it('drops one difference at a time', () => {
  const scenario: Scenario = { ...plainScenario, workers: 'late', faults: [fault('A'), fault('B')] };
  expect(simpler(scenario)).toEqual([
    { ...scenario, faults: [fault('B')] },
    { ...scenario, faults: [fault('A')] },
    { ...scenario, workers: 'at-once' },
  ]);
  expect(simpler({ ...plainScenario, faults: [fault('A')] })).toEqual([plainScenario]);
  expect(simpler(plainScenario)).toEqual([]);
});

it('drops switches of a schedule from its end, then one by one, moving up what follows', () => {
  const schedule = [
    { at: 3, run: 'time@1' },
    { at: 9, run: 'interrupt@0' },
  ];
  const shown = simpler({ ...plainScenario, schedule }).map((scenario) => scenario.schedule);
  expect(shown.slice(0, 3)).toEqual(['plain', [schedule[0]], [schedule[1]]]);
  expect(shown).toContainEqual([{ at: 8, run: 'interrupt@0' }]);
  expect(deviations({ ...plainScenario, schedule })).toBe(2);
});
