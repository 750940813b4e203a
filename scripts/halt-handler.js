/**
 * Writes docs/halt-handler.md: Microsoft's halt-handler page statement by statement, with the line of each sample that keeps it
 * and the twin that breaks it. `--check` says whether the page is up to date. Lines are found by the rule ids in the samples'
 * comments, so the page follows the code.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = `${root}docs/halt-handler.md`;

/** What the page says (in our words), what NDIS does here, the rules. */
const statements = [
  [
    'S1',
    'A miniport supplies MiniportHaltEx when it registers.',
    'NdisMRegisterMiniportDriver refuses characteristics without it, with NDIS_STATUS_BAD_CHARACTERISTICS (the status is a gap of the pages).',
    ['reg-missing-required-handler'],
  ],
  [
    'S2',
    'Halt undoes everything initialize did.',
    'Every acquiring call is entered into the inventory; whatever is live when MiniportHaltEx returns is reported.',
    ['halt-leaks-memory', 'halt-leaks-late-allocation'],
  ],
  [
    'S3',
    'Ports are freed.',
    'A port is freed only after it was deactivated; port 0 is NDIS’ own, but a driver that controls it deactivates it.',
    ['halt-leaks-port', 'port-free-active', 'port-free-default', 'port-double-free', 'halt-leaves-default-port-active'],
  ],
  [
    'S4',
    'Hardware resources are given back.',
    'Ranges, mappings and DMA handles are resources with the values their release must repeat.',
    ['halt-leaks-io-port-range', 'halt-leaks-io-space', 'halt-leaks-sg-dma'],
  ],
  [
    'S5',
    'The interrupt is released with NdisMDeregisterInterruptEx.',
    'The call waits for ISRs that a processor has taken and for DPCs that are queued; afterwards none runs.',
    ['halt-leaks-interrupt'],
  ],
  [
    'S6',
    'Memory is freed.',
    'Every block lies between guard bytes and is never given out again, so stale pointers and overruns are caught at the access.',
    ['halt-leaks-memory', 'free-memory-bad-args', 'memory-double-free', 'memory-use-after-free', 'memory-overrun'],
  ],
  [
    'S7',
    'The NIC is stopped, unless the shutdown handler has already put it into its initial state.',
    'Judged from the device at return: no DMA, no interrupt enabled, nothing running. How the driver got there does not matter.',
    ['halt-leaves-nic-running', 'shutdown-leaves-nic-running'],
  ],
  [
    'S8',
    'The figure: deregister the interrupt, then free.',
    'An interrupt may come until the deregistration has returned; the figure’s NdisMDeregisterMiniportAdapter does not exist (quirk Q1).',
    ['sync-after-deregister-interrupt'],
  ],
  [
    'S9',
    'All of it is finished before MiniportHaltEx returns.',
    'Work items, timer callbacks and asynchronous allocations that are still under way at return are reported.',
    ['halt-returns-with-async-work', 'shared-memory-async-pending-at-halt'],
  ],
  [
    'S10',
    'MiniportHaltEx does not return while receive indications are out.',
    [
      'NDIS halts an adapter from Paused only, and a pause is complete when every list is back; frames indicated while Paused NDIS',
      'gives back at once, and tells as `receive-indicated-while-paused`. So a driver whose pause is right has nothing out at halt,',
      'and no driver can break this statement alone: lists that are out are a fault of the pause first (quirk Q3), and are told',
      'once more under the second rule where MiniportHaltEx then does not wait either, or under `nbl-freed-while-indicated` where it',
      'frees them. The twin of the first rule has a halt that waits, and shows that rule only; both together are a test of',
      '`src/contract/rules.test.ts`.',
    ].join('\n'),
    ['pause-completes-before-nbls-returned', 'halt-returns-before-nbls-returned'],
  ],
  [
    'S11',
    'The figure shows a subset; the set follows from what the driver did.',
    'What is owed is derived from the trace, never from a list.',
    [],
  ],
  [
    'S12',
    'A failing MiniportInitializeEx undoes its own work with the same calls.',
    'Every call of initialize that can fail is made to fail once; MiniportHaltEx is not called then.',
    ['init-fail-leaks-interrupt', 'init-fail-leaks-memory', 'init-fail-leaks-shared-memory'],
  ],
  ['S13', 'NdisMRegisterInterruptEx → NdisMDeregisterInterruptEx.', 'As S5.', ['halt-leaks-interrupt']],
  [
    'S14',
    'NdisCancelTimerObject for each timer; where it fails, wait for the handler.',
    'A scenario lets each one-shot timer expire on another processor just as it is cancelled: the call says FALSE and the callback is still to come.',
    [
      'halt-leaves-timer-set',
      'halt-returns-with-timer-callback',
      'halt-leaks-timer-object',
      'timer-freed-while-active',
    ],
  ],
  ['S15', 'NdisAllocateMemoryWithTagPriority → NdisFreeMemory.', 'As S6.', ['halt-leaks-memory']],
  [
    'S16',
    'NdisMAllocateSharedMemory(AsyncEx) → NdisMFreeSharedMemory.',
    'Length, caching, virtual and physical address must all be the allocation’s.',
    [
      'halt-leaks-shared-memory',
      'halt-leaks-shared-memory-async',
      'shared-memory-free-mismatch',
      'shared-memory-double-free',
    ],
  ],
  [
    'S17',
    'NdisAllocateNetBufferPool → NdisFreeNetBufferPool.',
    'Both kinds of pool; members are freed first.',
    ['halt-leaks-nb-pool', 'halt-leaks-nbl-pool', 'pool-freed-before-members'],
  ],
  [
    'S18',
    'Hardware resources such as an I/O port range → NdisMDeregisterIoPortRange.',
    'The four values must be the registration’s.',
    ['halt-leaks-io-port-range', 'io-port-range-mismatch'],
  ],
];

const sources = (folder, ending) =>
  existsSync(`${root}${folder}`)
    ? readdirSync(`${root}${folder}`)
        .filter((name) => name.endsWith(ending))
        .map((name) => `${folder}/${name}`)
    : [];

/** The first line of the sample that names the rule. */
function keeper(files, rule) {
  for (const file of files) {
    const lines = readFileSync(`${root}${file}`, 'utf8').split('\n');
    const at = lines.findIndex((line) => new RegExp(`\\b${rule}(?![\\w-])`).test(line));
    if (at >= 0) return `[${file.slice(file.lastIndexOf('/') + 1)}:${at + 1}](../${file}#L${at + 1})`;
  }
  return '';
}

const c = sources('samples/c/nic', '.c');
const typescript = [...sources('samples/typescript/nic', '.ts'), 'samples/typescript/nic.ts'].filter((file) =>
  existsSync(`${root}${file}`),
);

function twins(rule) {
  const found = [];
  if (existsSync(`${root}samples/c/broken/${rule}`)) found.push(`[C](../samples/c/broken/${rule})`);
  if (existsSync(`${root}samples/typescript/broken/${rule}.ts`))
    found.push(`[TypeScript](../samples/typescript/broken/${rule}.ts)`);
  return found.join(', ');
}

function render() {
  const out = [
    '# The halt-handler page, statement by statement',
    '',
    'Microsoft’s page [Miniport Driver Halt Handler](https://learn.microsoft.com/windows-hardware/drivers/network/halt-handler),',
    'in our words: what NDIS does here, the rules, the line of each sample that keeps the rule, and the twin that breaks it.',
    'Written by `scripts/halt-handler.js`; a test keeps it up to date.',
    '',
  ];
  for (const [id, says, here, rules] of statements) {
    out.push(`## ${id}. ${says}`, '', here, '');
    if (rules.length === 0) continue;
    out.push('| rule | kept in C | kept in TypeScript | broken |', '|---|---|---|---|');
    for (const rule of rules)
      out.push(`| \`${rule}\` | ${keeper(c, rule)} | ${keeper(typescript, rule)} | ${twins(rule)} |`);
    out.push('');
  }
  return `${out.join('\n').trimEnd()}\n`;
}

const text = render();
if (process.argv.includes('--check')) {
  if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
    console.error('docs/halt-handler.md is out of date: run «npm run docs».');
    process.exit(1);
  }
} else writeFileSync(page, text);
