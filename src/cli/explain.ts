/** `haltex explain`: a rule's page of docs/rules/ for a terminal, or the list of all rules. */
import { existsSync, readFileSync } from 'node:fs';
import pc from 'picocolors';
import { chapters } from '../contract/reference/reference.ts';
import type { Severity } from '../contract/rule.ts';
import { catalogue } from '../contract/rules.ts';
import { ExitCode, InputError } from './errors.ts';
import { colourWanted } from './outputs.ts';
import { nearest } from './suggest.ts';

type Colours = ReturnType<typeof pc.createColors>;

/** The pages are generated (scripts/rules.ts) and part of the package. */
const pages = new URL('../../docs/rules/', import.meta.url);
const WIDTH = 100;

export function runExplain(rule: string | undefined): number {
  const colours = pc.createColors(colourWanted(process.stdout));
  process.stdout.write(rule === undefined ? list(colours) : page(rule, colours));
  return ExitCode.clean;
}

const paint = (severity: Severity, c: Colours) =>
  severity === 'error' ? c.red : severity === 'warning' ? c.yellow : c.dim;

/** Every rule under its chapter: severity, id, and what must not happen. */
export function list(c: Colours): string {
  const rules = new Map(catalogue().map((rule) => [rule.id, rule]));
  const width = Math.max(...[...rules.keys()].map(({ length }) => length));
  const lines = chapters.flatMap(({ title, about, rules: own }) => [
    c.bold(title),
    ...wrap(about, 0),
    '',
    ...Object.keys(own).flatMap((id) => {
      const rule = rules.get(id);
      if (rule === undefined) return [];
      return [`  ${paint(rule.severity, c)(rule.severity.padEnd(7))}  ${id.padEnd(width)}  ${c.dim(rule.title)}`];
    }),
    '',
  ]);
  return `${lines.join('\n')}\n${rules.size} rules. haltex explain <rule> says what one means.\n`;
}

function page(rule: string, c: Colours): string {
  const ids = catalogue().map(({ id }) => id);
  if (!ids.includes(rule)) {
    const near = nearest(rule, ids);
    const hint = near === undefined ? 'haltex explain lists the rules.' : `did you mean «${near}»?`;
    throw new InputError(`there is no rule «${rule}»; ${hint}`);
  }
  const file = new URL(`${rule}.md`, pages);
  // A package without its docs folder: what the rule says is still here.
  if (!existsSync(file)) throw new InputError(`the page of ${rule} is not there: ${file.pathname}. Is docs/ missing?`);
  return plain(readFileSync(file, 'utf8'), c);
}

/** A page without its markup. The pages have headings, paragraphs, lists of links and code; nothing else. */
export function plain(markdown: string, c: Colours): string {
  const out: string[] = [];
  let code = false;
  for (const line of markdown.split('\n')) {
    if (line.startsWith('```')) code = !code;
    else if (code) out.push(line === '' ? '' : `    ${line}`);
    else if (/^\[All rules\]/.test(line)) continue;
    else if (line.startsWith('#')) out.push(c.bold(line.replace(/^#+ /, '')));
    else out.push(...paragraph(line, c));
  }
  return `${out
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

function paragraph(line: string, c: Colours): string[] {
  const [, severity, rest] = /^(error|warning|note): (.*)$/.exec(line) ?? [];
  if (severity !== undefined) {
    return wrap(`${severity}: ${rest}`, 0).map((text) =>
      text.replace(severity, paint(severity as Severity, c)(severity)),
    );
  }
  const [, name, url, book] = /^- \[([^\]]*)\]\(([^)]*)\) \((.*)\)$/.exec(line) ?? [];
  if (name !== undefined) return [`  ${name} (${book})`, `    ${c.cyan(url ?? '')}`];
  const [, file] = /^\[([^\]]*)\]\([^)]*\)$/.exec(line) ?? [];
  if (file !== undefined) return [`  ${c.dim(file)}`];
  return wrap(line.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1'), 2);
}

/** Lines of at most WIDTH characters, indented. */
function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => (each === '' ? '' : `${' '.repeat(indent)}${each}`));
}
