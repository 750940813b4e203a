/**
 * Runs in which every access to memory is watched: a few courses of events in the plain order. What is freed while nothing keeps
 * others from it is told there even if no schedule hits the moment (kernel/accesses.ts).
 */
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { listed, type Phase, type Seen } from './phase.ts';

const watched: Scenario = { ...plainScenario, memory: 'watched' };

/** Courses in which much runs beside the driver's routines, and which end soon after or long after it. */
function watchedScenarios({ plain }: Seen): Scenario[] {
  const flows: Scenario[] = [
    watched,
    { ...watched, flow: 'prompt-halt' },
    { ...watched, flow: 'hang-checks' },
    { ...watched, flow: 'burst' },
    { ...watched, returnReceives: 'late' },
  ];
  const works = plain.events.some((event) => event.kind === 'fact' && event.what === QUEUED);
  return works ? [...flows, { ...watched, flow: 'prompt-halt', workers: 'late' }] : flows;
}

const QUEUED = 'work-item-queued';

export const watchedRuns: Phase = listed('what is freed while in use', watchedScenarios);
