import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { pages } from '../scripts/rule-pages.ts';

it('docs/halt-handler.md follows the samples', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/halt-handler.js', '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

it('docs/rules.md and docs/rules/ follow the catalogue, the reference and the samples: npm run docs', () => {
  const docs = fileURLToPath(new URL('../docs/', import.meta.url));
  const written = pages();
  const stale = [...written].filter(
    ([name, text]) => !existsSync(`${docs}${name}`) || readFileSync(`${docs}${name}`, 'utf8') !== text,
  );
  const left = readdirSync(`${docs}rules`).filter((name) => !written.has(`rules/${name}`));
  expect({ stale: stale.map(([name]) => name), left }).toEqual({ stale: [], left: [] });
});

it('links of the rule reference lead to files that are there', () => {
  const docs = new URL('../docs/', import.meta.url);
  const dead = [...pages()].flatMap(([name, text]) =>
    [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)]
      .map(([, target]) => new URL(target as string, new URL(name, docs)))
      .filter((target) => !existsSync(target))
      .map(String),
  );
  expect(dead).toEqual([]);
});
