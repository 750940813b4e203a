/** The rule reference as Markdown: docs/rules.md and a page a rule, from the catalogue, the reference and the samples. */
import { pageUrl } from '../src/contract/pages.ts';
import type { Chapter } from '../src/contract/reference/chapter.ts';
import { chapters, explanationOf } from '../src/contract/reference/reference.ts';
import { catalogue } from '../src/contract/rules.ts';
import { kernelFunctions } from '../src/kernel/functions.ts';
import { ndisFunctions } from '../src/ndis/functions.ts';
import { type Example, exampleOf, type Snippet } from './examples.ts';

type Entry = ReturnType<typeof catalogue>[number];

const rules = new Map(catalogue().map((rule) => [rule.id, rule]));

/** Spelled as in C, by the names in small letters that addresses have. */
const spelled = new Map(
  [...Object.keys(ndisFunctions), ...Object.keys(kernelFunctions)].map((n) => [n.toLowerCase(), n]),
);

const CAPITALS = /\b(ndis|nic|oid|pnp|msi|irql|vm|irp|pf|wmi|dma)\b/g;

/** A page of a guide by the words of its address. */
function titled(name: string): string {
  if (name.startsWith('oid-')) return name.replaceAll('-', '_').toUpperCase();
  const words = name
    .replaceAll(/-+/g, ' ')
    .trim()
    .replaceAll(CAPITALS, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Names of Static Driver Verifier's and Driver Verifier's rules, whose addresses have them in small letters. */
const verifierRules = [
  ...[
    'CancelTimerObject',
    'DoubleComplete',
    'Flags_Irql',
    'IrqlReturn',
    'NullCheck',
    'MiniportPause_Return',
    'NdisMNetPnPEventInOIDRequest',
  ],
  ...['NdisOidComplete', 'NdisOidDoubleComplete', 'NdisStallExecution_Delay', 'NdisTimedDataHang', 'NdisTimedDataSend'],
  ...['NdisTimedOidComplete', 'PeriodicTimer', 'SpinLock', 'SpinLockRelease', 'WriteErrorLog'],
];
const verifierRule = (name: string) =>
  verifierRules.find((rule) => rule.toLowerCase().replace('_', '-') === name) ?? spelled.get(name);

/** What a link to a source is called. */
function nameOf(source: string): string {
  const name = source.slice(2);
  const bugCheck = /^bug-check-0x([0-9a-f]+)/.exec(name);
  if (bugCheck?.[1] !== undefined) return `Bug check 0x${bugCheck[1].toUpperCase()}`;
  const rule = source.startsWith('D:') ? verifierRule(name.replace(/^(ndis|wdm)-|(?<=nullcheck)n$/g, '')) : undefined;
  if (rule !== undefined) return `Verifier rule ${rule}`;
  if (/^[NDGC]:/.test(source)) return titled(name);
  const plain = name.replace(/^_|~.*$/g, '');
  return spelled.get(plain) ?? (plain.includes('_') ? plain.toUpperCase() : plain);
}

const where: Readonly<Record<string, string>> = {
  N: 'network driver design guide',
  D: 'driver development tools',
  G: 'debugger',
  C: 'compiler',
};

function links({ sources }: Entry): string[] {
  return sources.flatMap((source) => {
    const url = pageUrl(source);
    if (url === undefined) return [];
    const book = where[source.charAt(0)] ?? 'reference';
    return [`- [${nameOf(source)}](${url}) (${book})`];
  });
}

function block({ file, language, code }: Snippet): string[] {
  return [`[${file}](../../${file})`, '', `\`\`\`${language}`, code, '```', ''];
}

const runs = (file: string) => {
  const [, folder] = /^(samples\/c\/broken\/([^/]+))\//.exec(file) ?? [];
  return folder === undefined ? file : `${folder}/${folder.split('/').at(-1)}.sys`;
};

function example(id: string, found: Example | undefined): string[] {
  if (found === undefined) {
    const sibling = id.replace(/^(init-fail|unload)-/, 'halt-');
    const other =
      sibling !== id && rules.has(sibling) && exampleOf(sibling) !== undefined
        ? ` [${sibling}](${sibling}.md) has one with the same resource.`
        : '';
    return ['## Example', '', `No example is run for this rule.${other}`, ''];
  }
  const [first] = found.broken;
  const check = first === undefined ? [] : ['```', `npx haltex check ${runs(first.file)}`, '```', ''];
  return [
    '## Broken',
    '',
    ...(found.says === '' ? [] : [found.says, '']),
    ...found.broken.flatMap(block),
    ...check,
    '## Mended',
    '',
    ...found.mended.flatMap(block),
  ];
}

/** One rule's page. */
function pageOf(rule: Entry): string {
  const { why, allowed, looksAt } = explanationOf(rule.id) ?? { why: '', looksAt: '' };
  const text = [
    `# ${rule.id}`,
    '',
    `${rule.severity}: ${rule.title}.`,
    '',
    '## Why',
    '',
    why,
    '',
    ...(allowed === undefined ? [] : ['## When it is in order', '', allowed, '']),
    '## What haltex looks at',
    '',
    looksAt,
    '',
    '## Microsoft’s pages',
    '',
    ...links(rule),
    '',
    ...example(rule.id, exampleOf(rule.id)),
    '[All rules](../rules.md)',
  ];
  return `${text.join('\n')}\n`;
}

function chapterOf({ title, about, rules: own }: Chapter): string[] {
  const rows = Object.keys(own).map((id) => {
    const rule = rules.get(id) as Entry;
    const tested = exampleOf(id) === undefined ? '' : 'yes';
    return `| [${id}](rules/${id}.md) | ${rule.severity} | ${rule.title} | ${tested} |`;
  });
  return [
    `## ${title}`,
    '',
    about,
    '',
    '| rule | severity | what must not happen | example |',
    '|---|---|---|---|',
    ...rows,
    '',
  ];
}

function index(): string {
  const ids = [...rules.keys()];
  const by = (severity: string) => [...rules.values()].filter((rule) => rule.severity === severity).length;
  const text = [
    '# The rules',
    '',
    `haltex has ${ids.length} rules: ${by('error')} errors, ${by('warning')} warnings, ${by('note')} notes. A note never fails a check. Each page says what`,
    'goes wrong on a real machine, what haltex looks at, and Microsoft’s pages; where the last column says so, it has a broken and',
    'a mended example that the tests run. `npx haltex explain <rule>` prints the same. Written by `npm run docs`; a test keeps it up',
    'to date.',
    '',
    ...chapters.flatMap(chapterOf),
  ];
  return `${text.join('\n').trimEnd()}\n`;
}

/** Every file of the reference by its path under docs/. */
export function pages(): ReadonlyMap<string, string> {
  return new Map([['rules.md', index()], ...[...rules].map(([id, rule]) => [`rules/${id}.md`, pageOf(rule)] as const)]);
}
