/** Every seeded race. */
import type { RaceCase } from './case.ts';
import { racesInC } from './in-c.ts';
import { interruptRaces } from './interrupts.ts';
import { kernelTimerRaces } from './kernel-timers.ts';
import { threadRaces } from './threads.ts';
import { timerRaces } from './timers.ts';
import { workItemRaces } from './work-items.ts';

export const raceCases: readonly RaceCase[] = [
  ...timerRaces,
  ...kernelTimerRaces,
  ...workItemRaces,
  ...threadRaces,
  ...interruptRaces,
  ...racesInC,
];
