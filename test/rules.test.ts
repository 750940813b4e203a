/** The pairs of samples/typescript/rules, which docs/rules/ shows: one form breaks its rule and no other, the other breaks none. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { catalogue } from '../src/contract/rules.ts';
import { watchedRuns } from '../src/explore/watched.ts';
import { checkOf, rulesOf } from './sample-checks.ts';

const folder = fileURLToPath(new URL('../samples/typescript/rules/', import.meta.url));
const pairs = readdirSync(folder).filter((name) => !name.endsWith('.ts'));

/** What only shows where every access is watched, which a check does with --races. */
const phasesOf = (rule: string) => (rule === 'free-without-waiting' ? [watchedRuns] : undefined);

/** Small drivers have few places that can fail; the first scenarios show what there is to see. */
const SCENARIOS = 50;

it('pairs are named by rules', () => {
  const ids = catalogue().map(({ id }) => id);
  expect(pairs.filter((rule) => !ids.includes(rule))).toEqual([]);
  expect(pairs.length).toBeGreaterThanOrEqual(25);
});

describe.each(pairs)('%s', (rule) => {
  it('is broken', async () => {
    const result = await checkOf({ path: `${folder}${rule}/broken.ts`, breaks: rule }, SCENARIOS, phasesOf(rule));
    expect(rulesOf(result)).toEqual([rule]);
    expect(result.unsupported).toEqual([]);
  });

  it('is mended', async () => {
    const result = await checkOf({ path: `${folder}${rule}/mended.ts`, breaks: rule }, SCENARIOS, phasesOf(rule));
    expect({ rules: rulesOf(result), verdict: result.verdict }).toEqual({ rules: [], verdict: 'clean' });
  });
});
