/** Every seeded race is found, its clean twin shows nothing, and what was found replays, shrunk or not, byte for byte. */
import { describe, expect, it } from 'vitest';
import { run } from '../src/machine/machine.ts';
import { Workbench } from '../src/machine/workbench.ts';
import { raceCases } from './races/cases.ts';
import { find, machineFor, strategies } from './races/find.ts';

const workbench = new Workbench();
/** The short form: npm run bench:races plays more, and by every strategy. */
const CLEAN = 12;
const BUDGET = 80;

it('has one for whatever can run beside halt, and at least a dozen in C', () => {
  expect(raceCases.length).toBeGreaterThanOrEqual(30);
  expect(raceCases.filter(({ race }) => typeof race === 'string').length).toBeGreaterThanOrEqual(12);
  expect(new Set(raceCases.map(({ name }) => name)).size).toBe(raceCases.length);
});

describe.each(raceCases.map((one) => [one.name, one] as const))('%s', (_, one) => {
  it('is found, and replays', () => {
    const machine = machineFor(one, one.race);
    const [first, second] = Object.values(strategies);
    const bySearch = find(one, one.race, first as never, workbench, BUDGET);
    const found = bySearch.outcome === undefined ? find(one, one.race, second as never, workbench, BUDGET) : bySearch;
    const { rules, outcome, scenarios } = found;
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.filter((rule) => !one.rules.includes(rule))).toEqual([]);
    // The first scenario is the plain order: it shows nothing of a race.
    expect(scenarios).toBeGreaterThan(1);
    const scenario = outcome?.scenario as NonNullable<typeof outcome>['scenario'];
    const events = JSON.stringify(run(machine, scenario, workbench).events);
    expect(JSON.stringify(run(machine, scenario).events) === events).toBe(true);
  });

  it('is not there in its twin', () => {
    expect(find(one, one.clean, strategies.systematic as never, workbench, CLEAN).rules).toEqual([]);
  });
});
