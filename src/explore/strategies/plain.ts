/** The plain order alone: one run. */
import type { ScheduleStrategy } from './strategy.ts';

export const plain: ScheduleStrategy = {
  name: 'the plain order',
  *search() {
    yield [[]];
  },
};
