/**
 * How many scenarios each strategy needs to find the seeded races of test/races, and what it says of their clean twins.
 *
 *   npm run bench:races [-- --json FILE] [--clean N] [--only REGEXP]
 *
 * FILE gets { cases, found, missed: [], false: [], medianScenarios: { strategy: n } }; `found` and `missed` are about the
 * strategies together: a race is missed where one of them misses it.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Workbench } from '../src/machine/workbench.ts';
import { raceCases } from '../test/races/cases.ts';
import { find, strategies } from '../test/races/find.ts';

/** Scenarios in which a race must be found. */
const BUDGET = 10_000;

const { values } = parseArgs({
  // npm passes what follows its own `--`; a second one is the user's habit
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    json: { type: 'string' },
    clean: { type: 'string', default: '500' },
    only: { type: 'string', default: '' },
  },
});

const workbench = new Workbench();
const names = Object.keys(strategies);
const missed = new Set<string>();
const wrong = new Set<string>();
const needed: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
console.log(['case'.padEnd(64), ...names.map((name) => name.padStart(12))].join(''));
const cases = raceCases.filter(({ name }) => new RegExp(values.only).test(name));
for (const one of cases) {
  const row = names.map((name) => {
    const strategy = strategies[name] as NonNullable<(typeof strategies)[string]>;
    const { scenarios, rules } = find(one, one.race, strategy, workbench, BUDGET);
    const strange = rules.filter((rule) => !one.rules.includes(rule));
    if (strange.length > 0) console.log(`${one.name}: not expected: ${strange.join(', ')}`);
    if (rules.length === 0 || strange.length > 0) missed.add(one.name);
    else (needed[name] as number[]).push(scenarios);
    const clean = find(one, one.clean, strategy, workbench, Number(values.clean));
    if (clean.rules.length > 0) wrong.add(`${one.name}: ${clean.rules.join(', ')}`);
    return rules.length === 0 ? 'missed' : String(scenarios);
  });
  console.log([one.name.padEnd(64), ...row.map((cell) => cell.padStart(12))].join(''));
}
const medianScenarios = Object.fromEntries(names.map((name) => [name, median(needed[name] as number[])]));
console.log(['median'.padEnd(64), ...names.map((name) => String(medianScenarios[name]).padStart(12))].join(''));
const result = {
  cases: cases.length,
  found: cases.length - missed.size,
  missed: [...missed],
  false: [...wrong],
  medianScenarios,
};
console.log(`${result.found} of ${result.cases} found; false on clean twins: ${result.false.join('; ') || 'none'}`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
process.exitCode = missed.size + wrong.size > 0 ? 1 : 0;

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
