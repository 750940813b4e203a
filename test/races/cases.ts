/** Every seeded race. */
import type { RaceCase } from './case.ts';
import { interruptRaces } from './interrupts.ts';
import { threadRaces } from './threads.ts';
import { timerRaces } from './timers.ts';
import { workItemRaces } from './work-items.ts';

export const raceCases: readonly RaceCase[] = [...timerRaces, ...workItemRaces, ...threadRaces, ...interruptRaces];
