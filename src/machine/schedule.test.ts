import { expect, it } from 'vitest';
import { chooserOf, randomNumbers, scheduleText } from './schedule.ts';

it('a list deviates where it says so, and goes on in the plain order elsewhere', () => {
  const choose = chooserOf([
    { at: 1, run: 'B' },
    { at: 2, run: 'gone' },
  ]);
  expect([0, 1, 2].map((at) => choose(at, ['A', 'B'], undefined))).toEqual([0, 1, 0]);
});

it('priorities give the same choices for the same seed', () => {
  const play = (seed: number) => {
    const choose = chooserOf({ seed, changes: [2] });
    return Array.from({ length: 6 }, (_, at) => choose(at, ['A', 'B', 'C'], undefined)).join('');
  };
  expect(play(5)).toBe(play(5));
  expect(new Set([1, 2, 3, 4, 5, 6, 7, 8].map(play)).size).toBeGreaterThan(2);
});

it('by priorities the highest runs until it falls: at a change, when it spins, when it has happened', () => {
  const choose = chooserOf({ seed: 1, changes: [1] });
  const first = choose(0, ['A', 'B'], undefined);
  expect(choose(1, ['A', 'B'], undefined)).toBe(1 - first);
  expect(choose(2, ['A', 'B'], 'AB'[1 - first])).toBe(first);
  const happening = chooserOf({ seed: 1, changes: [] });
  expect(happening(0, ['time@0', 'time@1'], undefined)).not.toBe(happening(1, ['time@0', 'time@1'], undefined));
});

it('says a schedule in words', () => {
  expect(
    scheduleText([
      { at: 4, run: 'time@1' },
      { at: 6, run: 'PnP manager' },
    ]),
  ).toBe(
    'at choice 4 time passes until the next timer is due or wait is over, on processor 1, then at choice 6 PnP manager runs',
  );
  expect(scheduleText('plain')).toBe('the plain order');
});

it('random numbers lie from 0 up to 1', () => {
  const random = randomNumbers(3);
  const numbers = Array.from({ length: 1000 }, random);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(new Set(numbers).size).toBeGreaterThan(990);
});
