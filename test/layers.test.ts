import { cruise } from 'dependency-cruiser';
import { expect, it } from 'vitest';

it('every room imports only from rooms to its left', async () => {
  const { default: config } = (await import('../.dependency-cruiser.mjs' as string)) as {
    default: { forbidden: never[]; options: object };
  };
  const { output } = await cruise(['src'], {
    ...config.options,
    ruleSet: { forbidden: config.forbidden },
    validate: true,
  });
  if (typeof output === 'string') throw new Error('dependency-cruiser gave text instead of data');
  const broken = output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
  expect(output.summary.totalCruised).toBeGreaterThan(50);
  expect(broken).toEqual([]);
}, 60_000);
