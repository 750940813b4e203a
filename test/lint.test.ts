/** What lint says of the sample drivers: nothing of the clean one, and the missing call of those that miss a whole kind. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadDriverFile } from '../src/cli/load.ts';
import { lint } from '../src/explore/lint.ts';

async function remarksOn(sample: string) {
  const driver = await loadDriverFile(fileURLToPath(new URL(`../samples/c/${sample}.sys`, import.meta.url)));
  if (driver.kind !== 'image') throw new Error('not an image');
  return lint({ driver }).remarks.map(({ kind, about, places }) => [kind, about, places.length]);
}
const twin = (rule: string) => `broken/${rule}/${rule}`;

it('has nothing to say of a driver that keeps the contract', async () => {
  expect(await remarksOn('nic/nic')).toEqual([]);
});

it('names a kind whose undo is never imported', async () => {
  expect(await remarksOn(twin('halt-leaks-config-handle'))).toEqual([['undo-not-imported', 'config-handle', 1]]);
});

it('names a kind whose undo only a failing initialize comes to', async () => {
  expect(await remarksOn(twin('halt-leaks-interrupt'))).toEqual([['undo-not-reached', 'interrupt', 1]]);
  expect(await remarksOn(twin('halt-leaks-io-space'))).toEqual([['undo-not-reached', 'io-space', 1]]);
});

it('says that nothing is known without a halt handler', async () => {
  expect(await remarksOn(twin('reg-missing-required-handler'))).toEqual([['no-halt-handler', 'MiniportHaltEx', 0]]);
});
