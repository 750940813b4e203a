/** Which phases a check plays, in order. The plain run comes first; the others follow from what it shows the driver does. */
import { plainScenario } from '../machine/scenario.ts';
import { faultsOfFlows, pairsOfFaults, singleFaults } from './faults.ts';
import { flowsPhase } from './flows.ts';
import { lateInterrupts, waysToHalt } from './halting.ts';
import { hardwareTroubles } from './hardware.ts';
import { listed, type Phase } from './phase.ts';
import { fewRaces, races, rareRaces } from './races.ts';
import { settings, subkeys } from './settings.ts';
import { watchedRuns } from './watched.ts';

export const plainPhase: Phase = listed('plain run', () => [plainScenario]);

/** What is played in any case. */
const certain: readonly Phase[] = [
  waysToHalt,
  lateInterrupts,
  singleFaults,
  flowsPhase,
  subkeys,
  faultsOfFlows,
  hardwareTroubles,
  settings,
  pairsOfFaults,
];

/** The default: races around halt are looked for last and briefly, and only where nothing else was found. */
export const phases: readonly Phase[] = [...certain, fewRaces];

/** With a search for races that takes longer than all the rest. */
export const phasesWithRaces: readonly Phase[] = [...certain, watchedRuns, races, rareRaces];
