/** Drivers with something few have, built from test/odd-drivers/: each clean one, and the one mistake of each of its seeds. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { checkOf, rulesOf } from './sample-checks.ts';

const folder = fileURLToPath(new URL('odd-drivers/', import.meta.url));

/** The plain run, the ways to halt, the single failures: these drivers do nothing else to be looked at. */
const SCENARIOS = 10;

it.each([
  ['pageable', []],
  ['pageable-takes-lock', ['irql-touch-pageable']],
  ['pageable-dpc', ['irql-touch-pageable']],
  ['pageable-unlocked', ['irql-touch-pageable']],
  ['pageable-entire', ['irql-touch-pageable']],
])('%s', async (name, rules) => {
  const result = await checkOf({ path: `${folder}${name}.sys`, breaks: name }, SCENARIOS);
  expect(rulesOf(result)).toEqual(rules);
  expect(result.unsupported).toEqual([]);
});
