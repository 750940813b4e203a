/** A thread that plays scenarios for a check: loads the same machine as the main thread, then answers one scenario after another. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { examine, type Outcome } from '../explore/outcome.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { Workbench } from '../machine/workbench.ts';
import { loadDriverFile } from './load.ts';
import { type MachineOptions, machineFor } from './machine-options.ts';

/** What a machine is made from again in another thread. */
export interface MachineSource {
  /** Path of the driver. */
  readonly driver: string;
  readonly options: MachineOptions;
}

export interface Job {
  readonly id: number;
  readonly scenario: Scenario;
  readonly keepEvents: boolean;
}

export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome }
  | { readonly kind: 'fault'; readonly error: Error };

async function serve(port: MessagePort, { driver, options }: MachineSource): Promise<void> {
  const answer = (message: Answer) => port.postMessage(message);
  const config = await machineFor(await loadDriverFile(driver), driver, options);
  const workbench = new Workbench();
  // Translates the driver's code while the main thread plays the same.
  examine(config, plainScenario, workbench);
  port.on('message', (jobs: readonly Job[]) => {
    for (const { id, scenario, keepEvents } of jobs) {
      try {
        answer({ kind: 'outcome', id, outcome: examine(config, scenario, workbench, keepEvents) });
      } catch (error) {
        answer({ kind: 'fault', error: error as Error });
      }
    }
  });
  answer({ kind: 'ready' });
}

if (parentPort !== null) await serve(parentPort, workerData as MachineSource);
