/**
 * The examples of the rule reference, taken from the samples that the tests run: what breaks a rule, and the lines that keep it.
 * A twin in TypeScript names the members of the driver it replaces, and a twin in C is a file that replaces one of the driver's;
 * so the mended lines are found, not written twice.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(`${root}${file}`, 'utf8');

/** Lines of a sample. */
export interface Snippet {
  /** From the root of the repository. */
  readonly file: string;
  readonly language: 'ts' | 'c';
  readonly code: string;
}

export interface Example {
  /** What is broken, in the sample's own words; empty when it has none. */
  readonly says: string;
  readonly broken: readonly Snippet[];
  readonly mended: readonly Snippet[];
}

const TYPESCRIPT = 'samples/typescript';
const C = 'samples/c';

/** The example of a rule: a pair of its own, a twin in TypeScript, or a twin in C. */
export function exampleOf(rule: string): Example | undefined {
  return pair(rule) ?? typescriptTwin(rule) ?? cTwin(rule);
}

// --- TypeScript ---

function pair(rule: string): Example | undefined {
  const folder = `${TYPESCRIPT}/rules/${rule}`;
  if (!existsSync(`${root}${folder}`)) return undefined;
  const broken = `${folder}/broken.ts`;
  return { says: firstComment(broken), broken: [body(broken)], mended: [body(`${folder}/mended.ts`)] };
}

function typescriptTwin(rule: string): Example | undefined {
  const file = `${TYPESCRIPT}/broken/${rule}.ts`;
  if (!existsSync(`${root}${file}`)) return undefined;
  return { says: firstComment(file), broken: [body(file)], mended: replacedMembers(file) };
}

/** The text of the comment a file begins with, without «Broken on purpose». */
function firstComment(file: string): string {
  const [, text = ''] = /^\/\*\*?([\s\S]*?)\*\//.exec(read(file)) ?? [];
  const plain = text
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
  const says = plain.replace(/^(Broken on purpose|Mended): /, '');
  return says.charAt(0).toUpperCase() + says.slice(1);
}

/** A file without its first comment and its imports. */
function body(file: string): Snippet {
  const lines = read(file).split('\n');
  const last = lines.findLastIndex((line) => /^(import .*|\}) from '.*';$/.test(line));
  return snippet(file, lines, last + 1, lines.length, 'ts');
}

/** Lines from one index up to another, without empty ones around them and without common indentation. */
function snippet(file: string, lines: readonly string[], from: number, to: number, language: 'ts' | 'c'): Snippet {
  let first = from;
  while (lines[first]?.trim() === '') first++;
  let end = to;
  while (end > first && lines[end - 1]?.trim() === '') end--;
  const taken = lines.slice(first, end);
  const indent = Math.min(...taken.filter((line) => line !== '').map((line) => line.search(/\S/)));
  return { file, language, code: taken.map((line) => line.slice(indent)).join('\n') };
}

/** Where the driver's parts are written, by name. */
function partFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(`${root}${TYPESCRIPT}/nic`)) {
    const file = `${TYPESCRIPT}/nic/${name}`;
    for (const [, part] of read(file).matchAll(/^export const (\w+) = \{$/gm)) files.set(part as string, file);
  }
  return files;
}

/** The members of nic/ that a twin replaces, as the clean driver has them. */
function replacedMembers(twin: string): Snippet[] {
  const files = partFiles();
  const found: Snippet[] = [];
  const lines = read(twin).split('\n');
  const start = lines.findIndex((line) => /\bnicMiniport\(\{$/.test(line));
  const depth = (lines[start]?.search(/\S/) ?? 0) + 2;
  let part = '';
  for (const line of lines.slice(start + 1)) {
    const indent = line.search(/\S/);
    if (indent >= 0 && indent < depth) break;
    if (indent === depth) part = /^\s*(\w+): \{$/.exec(line)?.[1] ?? '';
    const member = indent === depth + 2 ? /^\s*\*?(\w+)(?:\(|: )/.exec(line)?.[1] : undefined;
    const file = files.get(part);
    if (member === undefined || file === undefined) continue;
    const text = memberOf(file, part, member);
    if (text !== undefined) found.push(text);
  }
  return found;
}

/** One member of `export const part = {…}`, with the comment above it. */
function memberOf(file: string, part: string, member: string): Snippet | undefined {
  const lines = read(file).split('\n');
  const begin = lines.indexOf(`export const ${part} = {`);
  const end = lines.indexOf('};', begin);
  const at = lines.findIndex(
    (line, index) => index > begin && index < end && new RegExp(`^  \\*?${member}(\\(|: |,$)`).test(line),
  );
  if (at < 0) return undefined;
  let first = at;
  while (/^ {2}(\/\*\*| \*|\/\/)/.test(lines[first - 1] ?? '')) first--;
  let last = at + 1;
  while (last < end && !/^ {2}\S/.test(lines[last] ?? '')) last++;
  if (/^ {2}[}\])]/.test(lines[last] ?? '')) last++;
  return snippet(file, lines, first, last, 'ts');
}

// --- C ---

function cTwin(rule: string): Example | undefined {
  const folder = `${C}/broken/${rule}`;
  if (!existsSync(`${root}${folder}`)) return undefined;
  const files = readdirSync(`${root}${folder}`).filter((name) => name.endsWith('.c'));
  const pairs = files.map((name) => differing(`${folder}/${name}`, `${C}/nic/${basename(name)}`));
  return {
    says: files.map((name) => firstComment(`${folder}/${name}`)).join(' '),
    broken: pairs.flatMap(({ broken }) => broken),
    mended: pairs.flatMap(({ mended }) => mended),
  };
}

/** The functions of two versions of a file that are not alike. */
function differing(twin: string, clean: string): Pick<Example, 'broken' | 'mended'> {
  const before = cFunctions(clean);
  const after = cFunctions(twin);
  const changed = (a: readonly Snippet[], b: readonly Snippet[]) =>
    a.filter(({ code }) => !b.some((other) => other.code === code));
  return { broken: changed(after, before), mended: changed(before, after) };
}

/** Functions, each with the comment above it; what lies between them is left out. */
function cFunctions(file: string): Snippet[] {
  const lines = read(file).split('\n');
  const found: Snippet[] = [];
  for (let open = 0; open < lines.length; open++) {
    if (lines[open] !== '{') continue;
    let first = open;
    while ((lines[first - 1] ?? '') !== '') first--;
    const close = lines.indexOf('}', open);
    found.push(snippet(file, lines, first, close + 1, 'c'));
  }
  return found;
}
