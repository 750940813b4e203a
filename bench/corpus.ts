/**
 * `npm run bench:corpus -- [--json FILE] [--only REGEXP] [--markdown] [--workers N]`: checks every driver of test/corpus and counts, per
 * rule, what was found, what was missed, and what was reported though it is not there. Exits 1 when a case that is not marked
 * pending goes wrong.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { catalogue } from '../src/contract/rules.ts';
import { type Case, cases } from '../test/corpus/cases.ts';
import type { Answer } from './corpus-worker.ts';

const { values: options } = parseArgs({
  // npm passes what follows its own `--`; a second one is the user's habit
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    json: { type: 'string' },
    only: { type: 'string' },
    markdown: { type: 'boolean' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
});

/** How many of the slowest cases are told. */
const SLOWEST = 5;

interface Row {
  found: number;
  missed: number;
  false: number;
}

const chosen = cases.filter(({ name }) => options.only === undefined || new RegExp(options.only).test(name));
const byName = new Map(chosen.map((one) => [one.name, one]));
const started = performance.now();
const answers = await judged(chosen.map(({ name }) => name));
const seconds = (performance.now() - started) / 1000;

const rows = new Map<string, Row>();
const row = (rule: string): Row => {
  const known = rows.get(rule) ?? { found: 0, missed: 0, false: 0 };
  rows.set(rule, known);
  return known;
};
for (const answer of answers) {
  for (const rule of answer.found) row(rule).found++;
  for (const rule of answer.missed) row(rule).missed++;
  for (const { rule } of answer.false) row(rule).false++;
  tell(answer);
}
table();
const withoutCase = catalogue().filter(({ id, severity }) => severity !== 'note' && !rows.has(id));
if (options.only === undefined) console.log(`\nrules without a case: ${withoutCase.map(({ id }) => id).join(', ')}`);

const broken = answers.filter(({ name }) => caseOf(name).expect !== 'clean');
const clean = answers.filter(({ name }) => caseOf(name).expect === 'clean');
const inC = broken.filter(({ name }) => isInC(caseOf(name)));
const found = broken.filter(({ missed }) => missed.length === 0).length;
const scenarios = answers.reduce((sum, answer) => sum + answer.scenarios, 0);
const scenariosPerSecond = Math.round(scenarios / seconds);
console.log(
  `\n${broken.length} with a bug (${inC.length} binaries in C, ${broken.length - inC.length} in TypeScript), ${found} found; ` +
    `${clean.length} clean, ${clean.filter(({ good }) => good).length} judged clean; ` +
    `${scenarios} scenarios in ${seconds.toFixed(1)} s (${scenariosPerSecond} a second)`,
);
const slow = answers.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, SLOWEST);
console.log(
  `slowest: ${slow.map(({ name, milliseconds }) => `${name} ${(milliseconds / 1000).toFixed(1)} s`).join(', ')}`,
);

if (options.json !== undefined) {
  const missed = answers.filter((answer) => answer.missed.length > 0);
  const wrong = answers.filter((answer) => answer.false.length > 0 || answer.inconclusive.length > 0);
  const result = {
    cases: answers.length,
    found,
    missed: missed.map(({ name, missed: rules }) => ({ name, rules, pending: caseOf(name).pending })),
    false: wrong.map(({ name, false: findings, inconclusive }) => ({
      name,
      findings,
      inconclusive,
      pending: caseOf(name).pending,
    })),
    scenariosPerSecond,
    rulesWithoutCase: withoutCase.map(({ id }) => id),
  };
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
}

process.exitCode = answers.every(({ name, good }) => good || caseOf(name).pending !== undefined) ? 0 : 1;

function caseOf(name: string): Case {
  return byName.get(name) as Case;
}

function isInC({ driver }: Case): boolean {
  return typeof driver === 'string' && driver.endsWith('.sys');
}

/** The answers in the order of the names, by several threads: each is given the next case. */
async function judged(names: readonly string[]): Promise<Answer[]> {
  const answers = new Map<string, Answer>();
  let next = 0;
  const thread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('corpus-worker.ts', import.meta.url), {
        execArgv: ['--import', 'jiti/register'],
      });
      const give = () => {
        const name = names[next++];
        if (name === undefined) worker.terminate().then(() => resolve(), reject);
        else worker.postMessage(name);
      };
      worker.on('message', (answer: Answer) => {
        answers.set(answer.name, answer);
        give();
      });
      worker.on('error', reject);
      give();
    });
  await Promise.all(Array.from({ length: Math.min(Number(options.workers), names.length) }, thread));
  return names.map((name) => answers.get(name) as Answer);
}

/** What is worth a line: a case that went wrong, or that is marked as if it would. */
function tell({ name, good, missed, false: wrong, inconclusive }: Answer): void {
  const { pending } = caseOf(name);
  if (good && pending === undefined) return;
  console.log(`${good ? 'no longer pending' : pending === undefined ? 'WRONG' : 'pending'}  ${name}`);
  if (pending !== undefined) console.log(`    ${pending}`);
  for (const rule of missed) console.log(`    missed ${rule}`);
  for (const { rule, message, scenario } of wrong)
    console.log(`    false ${rule}: ${message}\n        in: ${scenario}`);
  for (const reason of inconclusive) console.log(`    inconclusive: ${reason}`);
}

function table(): void {
  const sorted = [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(4, ...sorted.map(([rule]) => rule.length));
  const line = options.markdown
    ? (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`
    : (rule: string | number, ...numbers: (string | number)[]) =>
        [String(rule).padEnd(width), ...numbers.map((cell) => String(cell).padStart(6))].join('  ');
  console.log(`\n${line('rule', 'found', 'missed', 'false')}`);
  if (options.markdown) console.log(line('---', '---', '---', '---'));
  for (const [rule, { found, missed, false: wrong }] of sorted) console.log(line(rule, found, missed, wrong));
}
