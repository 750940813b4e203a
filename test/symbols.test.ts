/** PDBs on the command line: found beside the driver, named, of another build, damaged. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../src/cli/program.ts';

const PATIENCE = 120_000;
const samples = fileURLToPath(new URL('../samples/c/', import.meta.url));
const twin = join(samples, 'broken/halt-leaks-interrupt/halt-leaks-interrupt.sys');
const pdbOf = (sys: string) => sys.replace(/\.sys$/, '.pdb');
const other = join(samples, 'nic/nic.pdb');

let folder: string;
/** The twin alone in a folder of its own. */
let alone: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'haltex-symbols-'));
  mkdirSync(join(folder, 'alone'));
  alone = join(folder, 'alone', 'renamed.sys');
  copyFileSync(twin, alone);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function haltex(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => err.push(String(text)) > 0),
  ];
  try {
    const code = await main(args);
    return { code, out: out.join(''), err: err.join('') };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** One scenario is enough to see the leak. */
const check = (path: string, ...options: string[]) =>
  haltex('check', path, '--budget', '1', '--workers', '0', ...options);

const WITH_LINES = /acquired\s+NdisMRegisterInterruptEx ← NicAcquireInterrupt\+0x[0-9a-f]+ \(interrupts\.c:\d+\)/;
const WITHOUT = /acquired\s+NdisMRegisterInterruptEx ← \w[\w-]*\.sys\+0x/;

describe('symbols on the command line', { timeout: PATIENCE }, () => {
  it('the PDB beside the driver names functions, files and lines', async () => {
    const json = join(folder, 'result.json');
    const { code, out } = await check(twin, '--reporter', 'pretty', '--reporter', `json=${json}`);
    expect(code).toBe(1);
    expect(out).toMatch(WITH_LINES);
    const frames = JSON.parse(readFileSync(json, 'utf8')).findings[0].resource.acquired;
    expect(frames[1]).toMatchObject({ name: 'NicAcquireInterrupt', file: 'samples\\c\\nic\\interrupts.c' });
    expect(frames[1].line).toBeGreaterThan(0);
  });

  it('without one there are exports and offsets; --symbols takes a file or a folder', async () => {
    const plain = await check(alone);
    expect(plain.out).toMatch(WITHOUT);
    const file = await check(alone, '--symbols', pdbOf(twin));
    expect(file.out).toMatch(WITH_LINES);
    // By the name in the driver's debug record.
    const inFolder = await check(alone, '--symbols', join(samples, 'broken/halt-leaks-interrupt'));
    expect(inFolder.out).toMatch(WITH_LINES);
    // The run itself is the same: the same scenario shows it.
    const token = (text: string) => /hx1\.\S+/.exec(text)?.[0];
    expect(token(file.out)).toBe(token(plain.out));
  });

  it.each([
    [
      'of another build',
      () => other,
      /nic\.pdb: this PDB belongs to another build: it is .* age 1, and the driver wants .* age 1\.\n$/,
    ],
    ['that is no PDB', () => twin, /halt-leaks-interrupt\.sys: this is not a PDB/],
    ['that is not there', () => join(folder, 'none.pdb'), /none\.pdb: there is no such file\./],
    [
      'in a folder without it',
      () => join(samples, 'nic'),
      /there is no renamed\.pdb or halt-leaks-interrupt\.pdb in this folder/,
    ],
  ])('a PDB %s is refused when it is named', async (_, named, why) => {
    const { code, out, err } = await check(alone, '--symbols', named());
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
    expect(err.trimEnd()).not.toContain('\n');
  });

  it('a driver that was linked without debug information takes none', async () => {
    const undebugged = join(samples, 'broken/halt-leaks-port/halt-leaks-port.sys');
    const { code, err } = await check(undebugged, '--symbols', other);
    expect(code).toBe(2);
    expect(err).toMatch(/does not say which PDB is its own/);
  });

  it('one beside the driver that does not fit is told, and the check goes on', async () => {
    mkdirSync(join(folder, 'stale'));
    const stale = join(folder, 'stale', 'driver.sys');
    copyFileSync(twin, stale);
    copyFileSync(other, pdbOf(stale));
    const { code, out, err } = await check(stale);
    expect(code).toBe(1);
    expect(out).toMatch(WITHOUT);
    expect(err).toMatch(/^haltex: symbols are not used: .*driver\.pdb: this PDB belongs to another build/);
    writeFileSync(pdbOf(stale), readFileSync(other).subarray(0, 5000));
    expect((await check(stale)).err).toMatch(/symbols are not used: .*the PDB is cut off/);
  });
});
