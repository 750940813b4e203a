/** A token gives the same trace each time, also in another process. `npm run bench:replay` plays more of them. */
import { expect, it } from 'vitest';
import { configOf, replayCases, tokenOf } from './replay/cases.ts';
import { digests, digestsElsewhere } from './replay/play.ts';

it.each(replayCases.map((one) => [one.name, one] as const))(
  '%s: the same trace 20 times here, and 5 in another process',
  async (_, one) => {
    const config = configOf(one);
    const token = tokenOf(config, one);
    const here = [...digests(config, token, 20)];
    const there = await digestsElsewhere(one, token, 5);
    expect(there).toHaveLength(5);
    expect(new Set([...here, ...there]).size).toBe(1);
  },
  60_000,
);
