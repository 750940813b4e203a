/**
 * `npm run bench:scenarios -- [--driver FILE] [--passes N] [--every N] [--json FILE]`: how many scenarios a second one thread plays
 * and judges. The scenarios are the check's own single faults. Measured on the built code, as users run it; the scenarios take
 * turns on a used workbench and on a new one each, so that a busy machine slows both.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Scenario } from '../src/machine/scenario.ts';

const built = <T>(path: string): Promise<T> => import(new URL(`../dist/${path}.js`, import.meta.url).href);
const { loadDriverFile } = await built<typeof import('../src/cli/load.ts')>('cli/load');
const { machineFor } = await built<typeof import('../src/cli/machine-options.ts')>('cli/machine-options');
const { judge } = await built<typeof import('../src/contract/judge.ts')>('contract/judge');
const { singleFaults } = await built<typeof import('../src/explore/faults.ts')>('explore/faults');
const { examine } = await built<typeof import('../src/explore/outcome.ts')>('explore/outcome');
const { run } = await built<typeof import('../src/machine/machine.ts')>('machine/machine');
const { plainScenario } = await built<typeof import('../src/machine/scenario.ts')>('machine/scenario');
const { Workbench } = await built<typeof import('../src/machine/workbench.ts')>('machine/workbench');

/** Milliseconds. */
interface Times {
  readonly run: number;
  readonly judge: number;
}

interface Measured {
  readonly driver: string;
  readonly scenarios: number;
  /** Of an average scenario. */
  readonly events: number;
  /** The plain run on a new workbench, the first one of this driver: translation and V8's compilers included. */
  readonly firstRunMs: number;
  /** Scenarios a second: the first pass; the median of the others; each scenario at its best, where nothing else disturbs it. */
  readonly perSecond: { readonly cold: number; readonly warm: number; readonly best: number };
  /** Of a scenario at its best. */
  readonly best: Times;
  readonly bestMicrosecondsPerEvent: number;
  /** The scenarios in which no initialize succeeds: the shorter ones. */
  readonly failingInitialize: { readonly scenarios: number; readonly events: number; readonly bestPerSecond: number };
  /** Regions translated after the first pass: none, if translations are kept. */
  readonly translatedWarm: number;
  /** Time with a new workbench for each run to time with a used one, over a sample of the scenarios in turns. */
  readonly newWorkbenchRatio: number;
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] as number;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** How many scenarios are also played on new workbenches. */
const SAMPLE = 10;

async function measure(path: string, passes: number, every: number): Promise<Measured> {
  const config = await machineFor(await loadDriverFile(path), path, {});
  const workbench = new Workbench();
  const started = performance.now();
  const plain = examine(config, plainScenario, workbench, true);
  const firstRunMs = performance.now() - started;
  const seen = { plain: { ...plain, events: plain.events ?? [] }, outcomes: [plain] };
  const all: Scenario[] = [];
  const phase = singleFaults.play(seen);
  for (let batch = phase.next([]); batch.done !== true; batch = phase.next([])) all.push(...batch.value);
  const scenarios = all.filter((_, i) => i % every === 0);

  const time = (scenario: Scenario, bench: InstanceType<typeof Workbench>) => {
    const before = performance.now();
    const { events } = run(config, scenario, bench);
    const between = performance.now();
    judge(events);
    const initialized = events.some((event) => event.kind === 'fact' && event.what === 'initialized');
    return { run: between - before, judge: performance.now() - between, events: events.length, initialized };
  };

  const best = scenarios.map(() => ({ run: Number.POSITIVE_INFINITY, judge: Number.POSITIVE_INFINITY }));
  const rates: number[] = [];
  let counts: number[] = [];
  let initialized: boolean[] = [];
  let translated = 0;
  for (let pass = 0; pass < passes; pass++) {
    const times = scenarios.map((scenario) => time(scenario, workbench));
    if (pass === 0) translated = workbench.translated;
    rates.push((1000 * scenarios.length) / sum(times.map((one) => one.run + one.judge)));
    counts = times.map(({ events }) => events);
    initialized = times.map((one) => one.initialized);
    for (const [i, one] of best.entries()) {
      one.run = Math.min(one.run, times[i]?.run ?? one.run);
      one.judge = Math.min(one.judge, times[i]?.judge ?? one.judge);
    }
  }
  const translatedWarm = workbench.translated - translated;

  let used = 0;
  let fresh = 0;
  for (const scenario of scenarios.filter((_, i) => i % Math.ceil(scenarios.length / SAMPLE) === 0)) {
    used += time(scenario, workbench).run;
    fresh += time(scenario, new Workbench()).run;
  }

  const perScenario = {
    run: sum(best.map((one) => one.run)) / best.length,
    judge: sum(best.map((one) => one.judge)) / best.length,
  };
  const total = perScenario.run + perScenario.judge;
  const events = sum(counts) / counts.length;
  const failing = best.filter((_, i) => initialized[i] === false);
  return {
    driver: basename(path),
    scenarios: scenarios.length,
    events,
    firstRunMs,
    perSecond: { cold: rates[0] ?? 0, warm: median(rates.slice(1)), best: 1000 / total },
    best: perScenario,
    bestMicrosecondsPerEvent: (1000 * total) / events,
    failingInitialize: {
      scenarios: failing.length,
      events: sum(counts.filter((_, i) => initialized[i] === false)) / Math.max(1, failing.length),
      bestPerSecond: (1000 * failing.length) / sum(failing.map((one) => one.run + one.judge)),
    },
    translatedWarm,
    newWorkbenchRatio: fresh / used,
  };
}

function print(measured: Measured): void {
  const { driver, scenarios, events, perSecond, best, failingInitialize } = measured;
  const rate = (value: number) => `${value.toFixed(0)}/s`;
  console.log(`${driver}: ${scenarios} single faults, ${events.toFixed(0)} events each`);
  console.log(`  first run                    ${measured.firstRunMs.toFixed(0)} ms`);
  console.log(`  scenarios, first pass        ${rate(perSecond.cold)}`);
  console.log(`  scenarios, warm (median)     ${rate(perSecond.warm)}`);
  console.log(
    `  scenarios, each at its best  ${rate(perSecond.best)}  (run ${best.run.toFixed(2)} ms, judge ${best.judge.toFixed(2)} ms, ${measured.bestMicrosecondsPerEvent.toFixed(1)} µs an event)`,
  );
  console.log(
    `  … that fail to initialize    ${rate(failingInitialize.bestPerSecond)}  (${failingInitialize.scenarios} of them, ${failingInitialize.events.toFixed(0)} events each)`,
  );
  console.log(`  regions translated warm      ${measured.translatedWarm}`);
  console.log(`  a new workbench each time    ${measured.newWorkbenchRatio.toFixed(1)} times as long\n`);
}

const { values } = parseArgs({
  options: {
    driver: { type: 'string', multiple: true },
    passes: { type: 'string', default: '6' },
    every: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const sample = (path: string) => fileURLToPath(new URL(`../samples/${path}`, import.meta.url));
const drivers = values.driver ?? [sample('c/nic/nic.sys'), sample('typescript/nic.ts')];
const measured: Measured[] = [];
for (const driver of drivers) {
  const one = await measure(driver, Math.max(2, Number(values.passes)), Math.max(1, Number(values.every)));
  measured.push(one);
  print(one);
}
if (values.json !== undefined) {
  const about = { node: process.version, cpu: cpus()[0]?.model, processors: cpus().length };
  writeFileSync(values.json, `${JSON.stringify({ ...about, drivers: measured }, null, 2)}\n`);
}
