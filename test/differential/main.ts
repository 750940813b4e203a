/** `npm run test:differential -- [--cases N] [--seed S] [--only REGEX] [--states N] [--limit N]` */
import { parseArgs } from 'node:util';
import { forms } from './forms.ts';
import { lacking } from './native.ts';
import { describe, summary } from './report.ts';
import { Differential } from './run.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '40000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    states: { type: 'string', default: '4' },
    limit: { type: 'string', default: '20' },
  },
});

const reason = lacking();
if (reason) {
  console.log(`The differential test was not run: ${reason}.`);
  process.exit(0);
}
const started = performance.now();
let told = 0;
const report = await new Differential({
  cases: Number(values.cases),
  seed: Number(values.seed),
  states: Number(values.states),
  limit: Number(values.limit),
  ...(values.only ? { only: new RegExp(values.only) } : {}),
  found(mismatch) {
    console.log(`mismatch\n${describe(mismatch)}\n`);
  },
  progress(cases, mismatches) {
    const seconds = (performance.now() - started) / 1000;
    if (seconds < told + 15) return;
    told = seconds;
    console.error(`${cases} cases, ${mismatches} mismatches, ${Math.round(seconds)} s`);
  },
}).run();
console.log(`seed ${values.seed}: ${summary(report, forms().all.length)}`);
console.log(`${((performance.now() - started) / 1000).toFixed(1)} s`);
process.exitCode = report.mismatches.length > 0 ? 1 : 0;
