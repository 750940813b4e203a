/** The engine: a worker that checks what the page hands it. It is loaded when the first driver is given. */

import type { CheckResult } from '../../../explore/result.ts';
import { InternalError } from '../../../kernel/stops.ts';
import { reportData } from '../../../report/data.ts';
import type { ReportContext } from '../../../report/reporter.ts';
import { reporters } from '../../../report/reporters.ts';
import { symbolizeResult } from '../../../report/symbols.ts';
import type { Check, FromEngine, ToEngine } from '../messages.ts';
import { playAll } from './check.ts';
import { load } from './load.ts';
import { Refusal } from './refusal.ts';

/** The worker's side of the channel. */
const page = globalThis as unknown as {
  postMessage(message: FromEngine): void;
  onmessage: (event: { readonly data: ToEngine }) => void;
};
const say = (message: FromEngine) => page.postMessage(message);

let stopped = false;
let last: { readonly result: CheckResult; readonly context: ReportContext } | undefined;

async function check(given: Check): Promise<void> {
  stopped = false;
  last = undefined;
  const { config, symbols, notices, path, source } = await load(given);
  const played = await playAll(config, {
    budget: given.budget,
    stopped: () => stopped,
    onProgress: (progress) => say({ kind: 'progress', progress }),
  });
  const result = symbols === undefined ? played : symbolizeResult(played, symbols);
  const context = { version: HALTEX_VERSION, driverPath: path, colour: false, source };
  last = { result, context };
  say({ kind: 'result', data: reportData(result, context), notices });
}

async function exported(reporter: string): Promise<void> {
  const write = reporters[reporter];
  if (last === undefined || write === undefined) return;
  const viewer = reporter === 'html' ? await viewerOfReports() : undefined;
  const context = { ...last.context, ...(viewer === undefined ? {} : { viewer: () => viewer }) };
  say({ kind: 'exported', reporter, text: write(last.result, context) });
}

/** The address of this script; Vite would take it for an asset's where it stands in a URL. */
const here = import.meta.url;

/** The viewer that HTML reports carry, among the page's own files. */
async function viewerOfReports() {
  const text = async (name: string) => (await fetch(new URL(`../report/${name}`, here))).text();
  const [script, style] = await Promise.all([text('viewer.js'), text('viewer.css')]);
  return { script, style };
}

function failed(error: unknown): void {
  if (error instanceof Refusal) {
    say({ kind: 'refused', why: error.message });
    return;
  }
  const id = error instanceof InternalError ? error.id : 'unforeseen';
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  say({ kind: 'fault', text: `${id}: ${message}\n${stack}` });
}

page.onmessage = ({ data }) => {
  if (data.kind === 'stop') stopped = true;
  if (data.kind === 'check') check(data.check).catch(failed);
  if (data.kind === 'export')
    exported(data.reporter).catch(() => say({ kind: 'not-exported', reporter: data.reporter }));
};
say({ kind: 'ready' });
