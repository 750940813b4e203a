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
