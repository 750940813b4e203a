/** One schedule that is known: what a token names. */
import type { Schedule } from '../../machine/schedule.ts';
import type { ScheduleStrategy } from './strategy.ts';

export const replaying = (schedule: Exclude<Schedule, 'plain'>): ScheduleStrategy => ({
  name: 'replay',
  *search() {
    yield [schedule];
  },
});
