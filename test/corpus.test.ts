/** The corpus' manifest and its files belong together. What haltex says of each driver is `npm run bench:corpus`. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { owed, unloadTwin } from '../src/contract/leaks.ts';
import { catalogue } from '../src/contract/rules.ts';
import { cases, withoutCase } from './corpus/cases.ts';

const folder = new URL('corpus/', import.meta.url);
const built = new URL('c/built/', folder);

describe('the corpus', () => {
  it('has a case for every driver that is built, and a driver for every case', () => {
    const files = readdirSync(built).map((name) => `c/built/${name}`);
    const drivers = cases.flatMap(({ driver }) =>
      typeof driver === 'string' && driver.startsWith('c/') ? [driver] : [],
    );
    expect(drivers.toSorted()).toEqual(files.toSorted());
  });

  it('expects rules that there are', () => {
    const ids = new Set(catalogue().map(({ id }) => id));
    const unknown = cases
      .filter(
        ({ expect: rules, pending }) => rules !== 'clean' && pending === undefined && !rules.every((id) => ids.has(id)),
      )
      .map(({ name }) => name);
    expect(unknown).toEqual([]);
  });

  it('has a case for every rule about what is left behind, or says why not', () => {
    const left = owed
      .filter(({ severity }) => severity !== 'note')
      .flatMap((row) =>
        row.scope === 'driver' ? [row.rule] : [row.rule, row.rule.replace(/^halt-/, 'init-fail-'), unloadTwin(row)],
      );
    const broken = new Set(cases.flatMap(({ expect: rules }) => (rules === 'clean' ? [] : rules)));
    const known = new Set(catalogue().map(({ id }) => id));
    const without = left.filter((rule) => rule !== undefined && known.has(rule) && !broken.has(rule));
    expect([...new Set([...without, 'unload-leaks-setoptions'])].toSorted()).toEqual(
      Object.keys(withoutCase).toSorted(),
    );
  });

  it('is as large as it says', () => {
    const clean = cases.filter(({ expect: rules }) => rules === 'clean');
    const sources = readdirSync(new URL('c/', folder)).filter((name) => /\.(c|cpp)$/.test(name));
    expect(clean.length).toBeGreaterThanOrEqual(sources.length);
    expect(cases.length - clean.length).toBeGreaterThanOrEqual(100);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  it('is said in docs/corpus.md, shape by shape', () => {
    const page = readFileSync(new URL('../docs/corpus.md', import.meta.url), 'utf8');
    const shapes = cases
      .filter(({ expect: rules, driver }) => rules === 'clean' && typeof driver === 'string')
      .map(({ name }) => name);
    expect(shapes.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
