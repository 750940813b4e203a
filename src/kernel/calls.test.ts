import { expect, it } from 'vitest';
import { MOST_EVENTS } from '../trace/recorder.ts';
import { Hang } from './stops.ts';
import { testKernel } from './testing.ts';

it('ends a driver that goes on calling without end', () => {
  const { run, wdk, kernel } = testKernel();
  const polls = function* () {
    for (;;) yield* wdk.KeStallExecutionProcessor({ MicroSeconds: 10 });
  };
  expect(() => run(polls)).toThrow(Hang);
  expect(kernel.trace.events.length).toBeLessThan(MOST_EVENTS + 10);
});
