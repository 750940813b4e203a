/** The engine as the page sees it: a worker a check, loaded when the first driver is given. */
import type { ReportData } from '../../report/data.ts';
import workerAddress from './engine/worker.ts?worker&url';
import type { Check, FromEngine, Progress, ToEngine } from './messages.ts';

export interface EngineEvents {
  readonly onProgress: (progress: Progress) => void;
  readonly onResult: (data: ReportData, notices: readonly string[]) => void;
  /** What was given cannot be checked: one sentence. */
  readonly onRefused: (why: string) => void;
  /** haltex is wrong, or its engine could not be loaded. */
  readonly onFault: (text: string) => void;
}

export class Engine {
  private readonly worker: Worker;
  private readonly waiting = new Map<string, (text: string | undefined) => void>();

  constructor(check: Check, events: EngineEvents) {
    this.worker = new Worker(underThisPolicy(new URL(workerAddress, import.meta.url)), {
      type: 'module',
      name: 'haltex engine',
    });
    this.worker.onmessage = ({ data }: MessageEvent<FromEngine>) => {
      if (data.kind === 'ready') this.say({ kind: 'check', check });
      if (data.kind === 'progress') events.onProgress(data.progress);
      if (data.kind === 'result') events.onResult(data.data, data.notices);
      if (data.kind === 'refused') events.onRefused(data.why);
      if (data.kind === 'fault') events.onFault(data.text);
      if (data.kind === 'exported' || data.kind === 'not-exported') {
        this.waiting.get(data.reporter)?.(data.kind === 'exported' ? data.text : undefined);
        this.waiting.delete(data.reporter);
      }
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      events.onFault(event.message ?? 'The engine could not be loaded. Is the network gone, or the server?');
    };
  }

  /** Ends the check early: what is known so far is its result. */
  stop(): void {
    this.say({ kind: 'stop' });
  }

  /** A report of the result, as text; undefined where what it needs could not be loaded. */
  export(reporter: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.waiting.set(reporter, resolve);
      this.say({ kind: 'export', reporter });
    });
  }

  close(): void {
    this.worker.terminate();
  }

  private say(message: ToEngine): void {
    this.worker.postMessage(message);
  }
}

/**
 * A worker has the policy its script was served with, which a plain file server does not send; one made from the page's own text
 * has the page's. So nothing leaves the engine either, whoever serves it.
 */
function underThisPolicy(module: URL): string {
  const text = `import ${JSON.stringify(module.href)};`;
  return URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
}
