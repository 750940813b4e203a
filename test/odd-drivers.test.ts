/** Drivers with something few have, built from test/odd-drivers/: each clean one, and the one mistake of each of its seeds. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadDriverFile } from '../src/cli/load.ts';
import { check } from '../src/explore/check.ts';
import { rulesOf } from './sample-checks.ts';

const folder = fileURLToPath(new URL('odd-drivers/', import.meta.url));

it.each([
  ['pageable', []],
  ['pageable-takes-lock', ['irql-touch-pageable']],
  ['pageable-dpc', ['irql-touch-pageable']],
  ['pageable-unlocked', ['irql-touch-pageable']],
  ['pageable-entire', ['irql-touch-pageable']],
  ['crash', []],
  ['crash-allocates', ['irql-free-pool', 'irql-violation']],
  ['crash-keeps', ['unload-leaks-callbacks']],
])('%s', async (name, rules) => {
  const result = await check({ driver: await loadDriverFile(`${folder}${name}.sys`) }, { now: () => 0 });
  expect(rulesOf(result)).toEqual(rules);
  expect(result.unsupported).toEqual([]);
});
