/** Which phases a check plays, in order. The plain run comes first; the others follow from what it shows the driver does. */
import { plainScenario } from '../machine/scenario.ts';
import { faultsOfFlows, pairsOfFaults, singleFaults } from './faults.ts';
import { flowsPhase } from './flows.ts';
import { lateInterrupts, waysToHalt } from './halting.ts';
import { hardwareTroubles } from './hardware.ts';
import { listed, type Phase } from './phase.ts';
import { races, rareRaces } from './races.ts';
import { settings, subkeys } from './settings.ts';

export const plainPhase: Phase = listed('plain run', () => [plainScenario]);

export const phases: readonly Phase[] = [
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

/** What is searched where races are asked for, behind everything else: it takes longer than all of that. */
export const searches: readonly Phase[] = [races, rareRaces];
