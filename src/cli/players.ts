/**
 * Who plays a check's scenarios: this thread, and workers beside it. Outcomes come back in the order of the scenarios, so that
 * the result does not depend on how many play.
 */
import { Worker } from 'node:worker_threads';
import type { Batch } from '../explore/explore.ts';
import { examine, type Outcome } from '../explore/outcome.ts';
import type { MachineConfig } from '../machine/machine.ts';
import { Workbench } from '../machine/workbench.ts';
import type { Answer, Job, MachineSource } from './worker.ts';

/** Scenarios a worker is given ahead: enough to be busy while this thread plays one of its own. */
const AHEAD = 4;

/** MiB of V8's young generation in a worker: traces live as long as a run, and copying them from collection to collection costs. */
const YOUNG_GENERATION = 96;

interface PlayOptions {
  /** Asked before each scenario: true ends the batch early. */
  readonly stop: () => boolean;
  readonly onOutcome: (outcome: Outcome) => void;
}

export class Players {
  private readonly config: MachineConfig;
  private readonly source: MachineSource;
  private readonly wanted: number;
  private readonly workbench = new Workbench();
  private readonly helpers: Helper[] = [];

  constructor(config: MachineConfig, source: MachineSource, workers: number) {
    this.config = config;
    this.source = source;
    this.wanted = workers;
  }

  /** The outcomes of the batch's scenarios, in order; of its first ones when it was stopped. */
  async play({ scenarios, keepEvents }: Batch, { stop, onOutcome }: PlayOptions): Promise<Outcome[]> {
    const outcomes = new Array<Outcome | undefined>(scenarios.length).fill(undefined);
    let next = 0;
    let open = 0;
    let fault: Error | undefined;
    let answered = () => {};
    const came = (id: number, outcome: Outcome) => {
      outcomes[id] = outcome;
      onOutcome(outcome);
    };
    const give = (helper: Helper) => {
      const jobs: Job[] = [];
      while (helper.open + jobs.length < AHEAD && next < scenarios.length - 1 && !stop()) {
        jobs.push({ id: next, scenario: scenarios[next++] as Batch['scenarios'][number], keepEvents });
      }
      if (jobs.length === 0) return;
      open += jobs.length;
      helper.send(jobs);
    };
    for (const helper of this.helpers) {
      helper.onAnswer = (answer) => {
        if (answer.kind === 'fault') fault = answer.error;
        if (answer.kind === 'outcome') {
          open--;
          came(answer.id, answer.outcome);
        }
        give(helper);
        answered();
      };
      if (helper.ready) give(helper);
    }
    while (fault === undefined && (open > 0 || (next < scenarios.length && !stop()))) {
      if (next < scenarios.length && !stop()) {
        const id = next++;
        came(id, examine(this.config, scenarios[id] as Batch['scenarios'][number], this.workbench, keepEvents));
        // Lets answers, progress and Ctrl-C in.
        await new Promise((resolve) => setImmediate(resolve));
      } else {
        await new Promise<void>((resolve) => {
          answered = resolve;
        });
      }
    }
    if (fault !== undefined) throw fault;
    const end = outcomes.indexOf(undefined);
    return (end < 0 ? outcomes : outcomes.slice(0, end)) as Outcome[];
  }

  /** Starts the workers. They take as long as the plain run to get ready, so it is done before that. */
  hire(): void {
    while (this.helpers.length < this.wanted) this.helpers.push(new Helper(this.source));
  }

  async close(): Promise<void> {
    await Promise.all(this.helpers.map((helper) => helper.close()));
  }
}

/** One worker as this thread sees it. */
class Helper {
  ready = false;
  /** Scenarios it was given and has not answered. */
  open = 0;
  onAnswer: (answer: Answer) => void = () => {};
  private readonly worker: Worker;

  constructor(source: MachineSource) {
    // From its sources, as tests and benchmarks run it, haltex needs a loader for TypeScript in each thread.
    const sources = import.meta.url.endsWith('.ts');
    this.worker = new Worker(new URL(sources ? './worker.ts' : './worker.js', import.meta.url), {
      workerData: source,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
      ...(sources ? { execArgv: ['--import', 'jiti/register'] } : {}),
    });
    this.worker.on('message', (answer: Answer) => {
      if (answer.kind === 'ready') this.ready = true;
      else this.open--;
      this.onAnswer(answer);
    });
    this.worker.on('error', (error) => this.onAnswer({ kind: 'fault', error }));
  }

  send(jobs: readonly Job[]): void {
    this.open += jobs.length;
    this.worker.postMessage(jobs);
  }

  async close(): Promise<void> {
    this.worker.removeAllListeners();
    await this.worker.terminate();
  }
}
