import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { result } from '../report/testing.ts';
import { InputError } from './errors.ts';
import { parseReporters, writeReports } from './outputs.ts';
import { sourceFinder } from './sources.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'haltex-outputs-'));
  vi.stubEnv('GITHUB_ACTIONS', '');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const refused = (...given: string[]) => {
  try {
    parseReporters(given);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
  throw new Error(`${given.join(' ')} was taken`);
};

it('several reporters at once; what nobody asked for on standard output is pretty', () => {
  const json = join(folder, 'a.json');
  expect(parseReporters([])).toEqual([{ reporter: 'pretty', file: undefined }]);
  expect(parseReporters([`json=${json}`])).toEqual([
    { reporter: 'pretty', file: undefined },
    { reporter: 'json', file: json },
  ]);
  expect(parseReporters(['json'])).toEqual([{ reporter: 'json', file: undefined }]);
});

it('says in one sentence what is wrong with a reporter', () => {
  expect(refused('sarf')).toBe('there is no reporter «sarf»; did you mean «sarif»?');
  expect(refused('toString')).toContain('there is no reporter «toString»');
  expect(refused('json=')).toContain('needs a file name');
  expect(refused('json', 'pretty')).toContain('both go to standard output');
  expect(refused(`json=${folder}/x`, `junit=${folder}/./x`)).toContain('two reporters would write this file');
  expect(refused(`json=${folder}/none/x`)).toContain('does not exist or cannot be written');
  expect(refused(`json=${folder}`)).toContain('it is a folder');
});

it('all files are written, or none', () => {
  const [first, second] = [join(folder, 'a.json'), join(folder, 'sub', 'b.xml')];
  mkdirSync(join(folder, 'sub'));
  const outputs = parseReporters([`json=${first}`, `junit=${second}`]).slice(1);
  rmSync(join(folder, 'sub'), { recursive: true });
  expect(() => writeReports(result, 'x.sys', outputs)).toThrow(/b\.xml: it cannot be written/);
  expect(readdirSync(folder)).toEqual([]);
  mkdirSync(join(folder, 'sub'));
  writeReports(result, 'x.sys', outputs);
  expect(readdirSync(folder, { recursive: true }).toSorted()).toEqual(['a.json', 'sub', join('sub', 'b.xml')]);
});

it('annotations come by themselves under GitHub Actions, beside the reports', () => {
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  writeReports(result, 'x.sys', []);
  expect(written).toEqual([]);
  vi.stubEnv('GITHUB_ACTIONS', 'true');
  writeReports(result, 'x.sys', []);
  expect(written.join('')).toMatch(/^::error title=haltex%3A halt-leaks-interrupt/);
});

it('finds sources as named, by the end of their path, and beside the driver; and nothing but sources', () => {
  mkdirSync(join(folder, 'src', 'nic'), { recursive: true });
  mkdirSync(join(folder, 'out'));
  writeFileSync(join(folder, 'src', 'nic', 'halt.c'), 'halt');
  writeFileSync(join(folder, 'out', 'nic.ts'), 'nic');
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  const find = sourceFinder(join(folder, 'out', 'nic.sys'));
  expect(find(join(folder, 'src', 'nic', 'halt.c'))).toBe('halt');
  expect(find('C:\\work\\src\\nic\\halt.c')).toBe('halt');
  expect(find('nic.ts')).toBe('nic');
  expect(find(join(folder, 'secret.txt'))).toBeUndefined();
  expect(find('..\\src\\nic\\halt.c')).toBeUndefined();
  expect(find('none.c')).toBeUndefined();
});
