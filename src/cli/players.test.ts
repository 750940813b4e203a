import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { loadDriverFile } from './load.ts';
import { machineFor } from './machine-options.ts';
import { Players } from './players.ts';

const driver = fileURLToPath(new URL('../../samples/c/broken/halt-leaks-port/halt-leaks-port.sys', import.meta.url));

/** Every third one fails at another call. */
const scenarios: Scenario[] = Array.from({ length: 24 }, (_, i) => ({
  ...plainScenario,
  flow: 'init-halt',
  faults: i % 3 === 0 ? [{ fn: 'NdisAllocateMemoryWithTagPriority', nth: 1 + i / 3, failure: 'null' }] : [],
}));

const opened: Players[] = [];
afterEach(() => Promise.all(opened.splice(0).map((players) => players.close())));

async function players(workers: number): Promise<Players> {
  const config = await machineFor(await loadDriverFile(driver), driver, {});
  const made = new Players(config, { driver, options: {} }, workers);
  made.hire();
  opened.push(made);
  return made;
}

const batch = { phase: 'test', scenarios, keepEvents: true };
const quiet = { stop: () => false, onOutcome: () => {} };

/** Everything but who played it first. */
const comparable = (outcomes: readonly object[]) => JSON.stringify(outcomes.map((one) => ({ ...one, covered: [] })));

it('gives the same outcomes in the same order, whoever plays', async () => {
  const alone = await (await players(0)).play(batch, quiet);
  const several = await players(2);
  const together = await several.play(batch, quiet);
  // By now the workers have their driver: these are really spread.
  const again = await several.play(batch, quiet);
  expect(alone.map(({ scenario }) => scenario)).toEqual(scenarios);
  expect(comparable(together)).toBe(comparable(alone));
  expect(comparable(again)).toBe(comparable(alone));
}, 60_000);

it('gives the first outcomes when it is stopped', async () => {
  let played = 0;
  const outcomes = await (await players(1)).play(batch, {
    stop: () => played >= 5,
    onOutcome: () => played++,
  });
  expect(outcomes.length).toBeGreaterThanOrEqual(4);
  expect(outcomes.length).toBeLessThan(scenarios.length);
  expect(outcomes.map(({ scenario }) => scenario)).toEqual(scenarios.slice(0, outcomes.length));
}, 60_000);
