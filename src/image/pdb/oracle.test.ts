/** Every function and every line of the C samples' PDBs, as LLVM's tools read them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lineTable, missingTools, ours, type Pair, procedureTable, readPair, samples, symbolizer } from './testing.ts';

const compilers = ['clang', 'lld-link', 'llvm-dlltool'].filter(
  (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined,
);
const needs = (tools: readonly string[]) =>
  tools.length === 0 ? '' : ` (skipped: this machine lacks ${tools.join(', ')}; apt-get install clang lld llvm)`;

/** Everything the two read of a PDB is equal. Gives how many addresses were asked for. */
function compare(pair: Pair): number {
  const { pdb } = pair;
  const procedures = [...pdb.procedures()];
  const named = procedures.filter(({ procedure }) => !procedure.thunk);
  expect(named.map(({ procedure: p }) => `${p.name} @ ${p.section}:${p.offset}+${p.size}`).sort()).toEqual(
    procedureTable(pair),
  );
  const lines = [...pdb.lines()];
  expect(
    lines.map(({ file, line, place }) => `${file}:${line ?? 0} @ ${place.section}:${place.offset}`).sort(),
  ).toEqual(lineTable(pair));
  const rvas = [
    ...new Set([
      ...procedures.flatMap(({ rva, procedure }) => [rva, rva + procedure.size - 1]),
      ...lines.map(({ rva }) => rva),
      ...pair.image.functions.flatMap(({ begin, end }) => [begin, end - 1]),
    ]),
  ];
  const wrong = symbolizer(pair, rvas).flatMap((theirs, index) => {
    const rva = rvas[index] as number;
    const mine = ours(pair, rva);
    // Code before a function's first line has none; llvm-symbolizer gives it the line that follows.
    const same = theirs === mine || theirs?.startsWith(`${mine} samples`);
    return theirs === undefined || same ? [] : [{ rva: rva.toString(16), theirs, mine }];
  });
  expect(wrong).toEqual([]);
  expect(pdb.notes).toEqual([]);
  return rvas.length;
}

describe(`PDBs as LLVM's tools read them${needs(missingTools)}`, () => {
  it.skipIf(missingTools.length > 0).each(['nic/nic.sys', 'broken/halt-leaks-interrupt/halt-leaks-interrupt.sys'])(
    '%s: every function and every line',
    (path) => {
      expect(compare(readPair(join(samples, path)))).toBeGreaterThan(1000);
    },
  );

  const absent = [...missingTools, ...compilers];
  it.skipIf(absent.length > 0)(
    `every C sample, built anew${needs(absent)}`,
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'haltex-pdb-'));
      try {
        execFileSync(join(samples, 'build.sh'), ['--pdb', folder], { stdio: 'pipe' });
        const drivers = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
          path.endsWith('.sys'),
        );
        expect(drivers.length).toBeGreaterThan(30);
        for (const path of drivers) expect(compare(readPair(join(folder, path)))).toBeGreaterThan(1000);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    180_000,
  );
});
