/**
 * `npm run bench:corpus -- [--json FILE] [--only REGEXP] [--markdown]`: checks every driver of test/corpus and counts, per rule, what was found,
 * what was missed, and what was reported though it is not there. Exits 1 when a case that is not marked pending goes wrong.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cases } from '../test/corpus/cases.ts';
import { judgeCase, type Outcome } from '../test/corpus/judge-case.ts';

const { values: options } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string' }, markdown: { type: 'boolean' } },
});

interface Row {
  found: number;
  missed: number;
  false: number;
}

const rows = new Map<string, Row>();
const row = (rule: string): Row => {
  const known = rows.get(rule) ?? { found: 0, missed: 0, false: 0 };
  rows.set(rule, known);
  return known;
};

const chosen = cases.filter(({ name }) => options.only === undefined || new RegExp(options.only).test(name));
const outcomes: Outcome[] = [];
let scenarios = 0;
const started = performance.now();
for (const one of chosen) {
  const outcome = await judgeCase(one);
  outcomes.push(outcome);
  scenarios += outcome.scenarios;
  for (const rule of outcome.found) row(rule).found++;
  for (const rule of outcome.missed) row(rule).missed++;
  for (const { rule } of outcome.false) row(rule).false++;
  const { good } = outcome;
  if (good && one.pending === undefined) continue;
  console.log(`${good ? 'no longer pending' : one.pending === undefined ? 'WRONG' : 'pending'}  ${one.name}`);
  if (one.pending !== undefined) console.log(`    ${one.pending}`);
  for (const rule of outcome.missed) console.log(`    missed ${rule}`);
  for (const { rule, message, scenario } of outcome.false)
    console.log(`    false ${rule}: ${message}\n        in: ${scenario}`);
  for (const reason of outcome.inconclusive) console.log(`    inconclusive: ${reason}`);
}
const seconds = (performance.now() - started) / 1000;

const sorted = [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1));
const width = Math.max(4, ...sorted.map(([rule]) => rule.length));
const line = options.markdown
  ? (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`
  : (rule: string | number, ...numbers: (string | number)[]) =>
      [String(rule).padEnd(width), ...numbers.map((cell) => String(cell).padStart(6))].join('  ');
console.log(`\n${line('rule', 'found', 'missed', 'false')}`);
if (options.markdown) console.log(line('---', '---', '---', '---'));
for (const [rule, { found, missed, false: wrong }] of sorted) console.log(line(rule, found, missed, wrong));

const broken = outcomes.filter(({ case: { expect } }) => expect !== 'clean');
const clean = outcomes.filter(({ case: { expect } }) => expect === 'clean');
const found = broken.filter(({ missed }) => missed.length === 0).length;
const scenariosPerSecond = Math.round(scenarios / seconds);
console.log(
  `\n${broken.length} with a bug, ${found} found; ${clean.length} clean, ${clean.filter(({ good }) => good).length} judged clean; ` +
    `${scenarios} scenarios in ${seconds.toFixed(1)} s (${scenariosPerSecond} a second)`,
);

if (options.json !== undefined) {
  const missed = outcomes.filter((outcome) => outcome.missed.length > 0);
  const wrong = outcomes.filter((outcome) => outcome.false.length > 0 || outcome.inconclusive.length > 0);
  const result = {
    cases: outcomes.length,
    found,
    missed: missed.map(({ case: { name, pending }, missed: rules }) => ({ name, rules, pending })),
    false: wrong.map((outcome) => ({
      name: outcome.case.name,
      findings: outcome.false,
      inconclusive: outcome.inconclusive,
      pending: outcome.case.pending,
    })),
    scenariosPerSecond,
  };
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
}

process.exitCode = outcomes.every(({ good, case: { pending } }) => good || pending !== undefined) ? 0 : 1;
