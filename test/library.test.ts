/** The library as a user's test would use it. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import '../src/vitest.ts';
import { check, replay } from '../src/index.ts';

const sample = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url));

it('finds a clean driver clean', async () => {
  const result = await check(sample('typescript/minimal.ts'), { budget: 30 });
  expect(result.findings).toEqual([]);
  expect({ ...result, verdict: 'clean' as const }).toBeClean();
});

it('says what is wrong with one that is not, and replays it', async () => {
  const driver = sample('c/broken/halt-leaks-port/halt-leaks-port.sys');
  const result = await check(driver, { bail: true });
  expect(result).not.toBeClean();
  expect(() => expect(result).toBeClean()).toThrow(
    /halt-leaks-port\.sys is not clean: findings\n {2}halt-leaks-port: /,
  );
  const [finding] = result.findings;
  const { events } = await replay(driver, finding?.scenario.token);
  expect(events.at(-1)).toMatchObject({ kind: 'stop', reason: 'finished' });
});

it('refuses what is no driver with one sentence', async () => {
  await expect(check(sample('c/README.md'))).rejects.toThrow(/README\.md: /);
});
