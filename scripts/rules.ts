/** Writes docs/rules.md and docs/rules/. test/docs.test.ts says when they are out of date. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pages } from './rule-pages.ts';

const docs = fileURLToPath(new URL('../docs/', import.meta.url));
const written = pages();

mkdirSync(`${docs}rules`, { recursive: true });
for (const name of readdirSync(`${docs}rules`)) if (!written.has(`rules/${name}`)) rmSync(`${docs}rules/${name}`);
for (const [name, text] of written) writeFileSync(`${docs}${name}`, text);
