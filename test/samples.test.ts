/**
 * The miniports in TypeScript, each checked whole: a clean one gives no finding, a twin gives the one rule it is named by and
 * nothing else. What the samples' folders hold is what is tested.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadDriverFile } from '../src/cli/load.ts';
import { catalogue } from '../src/contract/rules.ts';
import { plainScenario } from '../src/machine/scenario.ts';
import { checkOf, nameOf, rulesOf, traceOf, typescriptSamples } from './sample-checks.ts';

const PATIENCE = 120_000;
const samples = typescriptSamples();
const clean = samples.filter(({ breaks }) => breaks === undefined);
const twins = samples.filter(({ breaks }) => breaks !== undefined);
const nic = clean.find(({ path }) => path.endsWith(join('typescript', 'nic.ts'))) as (typeof clean)[number];

describe('clean miniports in TypeScript', () => {
  it.each(clean.map((sample) => [nameOf(sample), sample] as const))(
    '%s',
    async (_, sample) => {
      const result = await checkOf(sample);
      expect({ rules: rulesOf(result), verdict: result.verdict }).toEqual({ rules: [], verdict: 'clean' });
    },
    PATIENCE,
  );

  it('nic.ts acquires every kind of resource that the halt-handler page names, and owes none', async () => {
    const { balance } = await checkOf(nic);
    const named = [
      ...['port', 'active-port', 'default-port-active', 'interrupt', 'timer-object', 'timer-set', 'memory'],
      ...['shared-memory', 'shared-memory-async', 'nb-pool', 'nbl-pool', 'io-port-range', 'io-space', 'sg-dma'],
      ...['config-handle', 'work-item', 'driver-registration'],
    ];
    expect(balance.map(({ type }) => type)).toEqual(expect.arrayContaining(named));
    expect(balance.filter(({ owed }) => owed !== 0)).toEqual([]);
  }, 120_000);
});

describe('broken twins in TypeScript', () => {
  it('are named by rules', () => {
    const ids = catalogue().map(({ id }) => id);
    expect(twins.map(({ breaks }) => breaks).filter((rule) => !ids.includes(rule as string))).toEqual([]);
    expect(twins.length).toBeGreaterThanOrEqual(45);
  });

  it.each(twins.map((sample) => [sample.breaks as string, sample] as const))(
    '%s',
    async (rule, sample) => {
      const result = await checkOf(sample);
      expect(rulesOf(result)).toEqual([rule]);
      expect(result.verdict).toBe('findings');
      expect(result.unsupported).toEqual([]);
    },
    PATIENCE,
  );
});

describe('a run', () => {
  const scenarios = [
    plainScenario,
    { ...plainScenario, returnReceives: 'late' as const },
    { ...plainScenario, faults: [{ fn: 'NdisMRegisterInterruptEx', nth: 1, failure: 'resources' }] },
  ];

  it.each(scenarios)(
    'gives the same trace, byte for byte, every time: $faults $returnReceives',
    async (scenario) => {
      expect(await traceOf(nic, scenario)).toBe(await traceOf(nic, scenario));
    },
    120_000,
  );

  it('is not noticed by another machine in the process', async () => {
    const alone = await traceOf(nic);
    for (const other of twins.slice(0, 3)) await traceOf(other);
    expect(await traceOf(nic)).toBe(alone);
  }, 120_000);
});

it('the command line loads a sample and what it imports', async () => {
  expect(await loadDriverFile(nic.path)).toMatchObject({ kind: 'typescript', name: 'nic.ts' });
});
