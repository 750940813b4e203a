/** Drivers with something few have, built from test/odd-drivers/: each clean one, and the one mistake of each of its seeds. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { checkOf, rulesOf } from './sample-checks.ts';

const folder = fileURLToPath(new URL('odd-drivers/', import.meta.url));

it.each([
  ['pageable', []],
  ['pageable-takes-lock', ['irql-touch-pageable']],
  ['pageable-dpc', ['irql-touch-pageable']],
  ['pageable-unlocked', ['irql-touch-pageable']],
  ['pageable-entire', ['irql-touch-pageable']],
])('%s', async (name, rules) => {
  const result = await checkOf({ path: `${folder}${name}.sys`, breaks: rules[0] ?? '' }, 40);
  expect(rulesOf(result)).toEqual(rules);
  expect(result.unsupported).toEqual([]);
});
