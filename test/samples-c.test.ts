/** The drivers in C, as their .sys files are committed, each checked whole: see samples.test.ts. */
import { describe, expect, it } from 'vitest';
import { catalogue } from '../src/contract/rules.ts';
import { checkOf, cSamples, rulesOf, traceOf } from './sample-checks.ts';

const PATIENCE = 180_000;
const [nic, ...twins] = cSamples() as [ReturnType<typeof cSamples>[number], ...ReturnType<typeof cSamples>];

describe('drivers in C', () => {
  it(
    'nic.sys is clean',
    async () => {
      const result = await checkOf(nic);
      expect({ rules: rulesOf(result), verdict: result.verdict }).toEqual({ rules: [], verdict: 'clean' });
      expect(result.balance.filter(({ owed }) => owed !== 0)).toEqual([]);
    },
    PATIENCE,
  );

  it('twins are named by rules', () => {
    const ids = catalogue().map(({ id }) => id);
    expect(twins.map(({ breaks }) => breaks).filter((rule) => !ids.includes(rule as string))).toEqual([]);
  });

  it.each(twins.map((sample) => [sample.breaks as string, sample] as const))(
    '%s',
    async (rule, sample) => {
      const result = await checkOf(sample);
      expect(rulesOf(result)).toEqual([rule]);
      expect(result.unsupported).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'a run gives the same trace, byte for byte, every time',
    async () => {
      expect(await traceOf(nic)).toBe(await traceOf(nic));
    },
    PATIENCE,
  );
});
