/** Undo calls that name the wrong thing, the right thing twice, or the right thing with other arguments: contract.md A. */
import type { EventOf, UndoOutcome } from '../trace/events.ts';
import { family, type Row, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

type Bad = Exclude<UndoOutcome, 'undone'>;

/** Which rule a bad undo of a type breaks; `*` is every other type. */
const table: Readonly<Record<Bad, Readonly<Record<string, string>>>> = {
  again: {
    memory: 'memory-double-free',
    pool: 'memory-double-free',
    'contiguous-memory': 'memory-double-free',
    mdl: 'memory-double-free',
    'io-mdl': 'memory-double-free',
    irp: 'memory-double-free',
    'lookaside-entry': 'memory-double-free',
    nbl: 'memory-double-free',
    nb: 'memory-double-free',
    'shared-memory': 'shared-memory-double-free',
    'shared-memory-async': 'shared-memory-double-free',
    'provider-shared-memory': 'shared-memory-double-free',
    port: 'port-double-free',
    'timer-object': 'timer-set-after-free',
    'sg-list': 'dma-double-free',
    'common-buffer': 'dma-double-free',
    'hal-sg-list': 'dma-double-free',
    'dma-channel': 'dma-double-free',
    'sg-dma': 'dma-use-after-deregister',
    'dma-adapter': 'dma-use-after-deregister',
    '*': 'undo-without-acquire',
  },
  never: {
    memory: 'free-memory-bad-args',
    pool: 'free-memory-bad-args',
    port: 'port-double-free',
    '*': 'undo-without-acquire',
  },
  mismatch: {
    memory: 'free-memory-bad-args',
    pool: 'free-memory-bad-args',
    'shared-memory': 'shared-memory-free-mismatch',
    'shared-memory-async': 'shared-memory-free-mismatch',
    'io-port-range': 'io-port-range-mismatch',
    'io-space': 'io-space-mismatch',
    '*': 'undo-mismatch',
  },
  refused: { port: 'port-free-active', '*': 'undo-refused' },
};

const rows: readonly Row[] = [
  ['memory-double-free', 'error', 'the same block is freed twice', 'G:bug-check-0xc2', 'G:bug-check-0xc4'],
  [
    'free-memory-bad-args',
    'error',
    'memory is freed with an address, flags, handle or tag that are not its own',
    'I:ndisfreememory',
    'I:ndisfreememorywithtagpriority',
    'G:bug-check-0xc2',
  ],
  ['shared-memory-double-free', 'error', 'shared memory is freed twice', 'G:bug-check-0x7c'],
  [
    'shared-memory-free-mismatch',
    'error',
    'NdisMFreeSharedMemory gets other values than the allocation gave',
    'I:ndismfreesharedmemory',
  ],
  ['port-free-default', 'error', 'the default port is freed; NDIS frees it itself', 'N:freeing-an-ndis-port'],
  ['port-free-active', 'error', 'a port is freed while it is active', 'I:ndismfreeport', 'N:deactivating-an-ndis-port'],
  ['port-double-free', 'error', 'a port is freed that is not allocated', 'I:ndismfreeport'],
  ['timer-set-after-free', 'error', 'a timer object is used after it was freed', 'I:ndisfreetimerobject'],
  ['dma-double-free', 'error', 'a DMA buffer or scatter/gather list is freed twice', 'G:bug-check-0xe6'],
  ['dma-use-after-deregister', 'error', 'a DMA handle is used after it was deregistered', 'G:bug-check-0xe6'],
  [
    'io-port-range-mismatch',
    'error',
    'NdisMDeregisterIoPortRange gets other values than the registration',
    'I:ndismderegisterioportrange',
  ],
  ['io-space-mismatch', 'error', 'NdisMUnmapIoSpace gets other values than the mapping', 'I:ndismunmapiospace'],
  ['undo-mismatch', 'error', 'an undoing call gets other arguments than the acquiring one', 'I:miniport_halt'],
  ['undo-refused', 'error', 'an undoing call is refused', 'I:miniport_halt'],
  [
    'undo-without-acquire',
    'error',
    'something is undone that was never acquired',
    'I:ndismderegisterinterruptex',
    'I:ndismderegisterioportrange',
  ],
];

function ruleOf(event: EventOf<'undo'>): string {
  if (event.type === 'port' && event.outcome === 'never' && event.key.startsWith('port 0 ')) return 'port-free-default';
  const isNull = event.outcome === 'never' && event.key === '0';
  const rows = table[event.outcome as Bad];
  return isNull ? 'undo-without-acquire' : ((rows[event.type] ?? rows['*']) as string);
}

function sentence(event: EventOf<'undo'>): string {
  const where = event.callback ?? 'The driver';
  switch (event.outcome) {
    case 'again':
      return `${where} calls ${event.fn} for ${event.key}, which it has already given back.`;
    case 'mismatch':
      return `${where} calls ${event.fn} for ${event.key} with another ${event.differs?.join(', ')} than it was acquired with.`;
    case 'refused':
      return `${where} calls ${event.fn} for ${event.key}, which cannot be given back in its present state; it stays.`;
    default:
      return `${where} calls ${event.fn} for ${event.key === '0' ? 'NULL' : event.key}, which it never acquired.`;
  }
}

/** Frees of each allocator; memory of one that is freed by the other goes, for all is pool underneath (observed). */
const ALLOCATORS: Readonly<Record<string, RegExp>> = { memory: /^NdisFree/, pool: /^ExFree/ };

/** An undo that works and is not the one its page names: a warning, for Windows takes it. */
function* crossed(event: EventOf<'undo'>): Iterable<Violation & { rule: string }> {
  const own = ALLOCATORS[event.type];
  if (own === undefined || own.test(event.fn) || !Object.values(ALLOCATORS).some((other) => other.test(event.fn)))
    return;
  yield {
    rule: 'free-memory-bad-args',
    severity: 'warning',
    seq: event.seq,
    message: `${event.callback ?? 'The driver'} frees ${event.key} with ${event.fn}, which is not the counterpart of the allocator that gave it.`,
    stack: event.stack,
  };
}

/** Made through the adapter's scatter/gather DMA registration, and given back through it. */
const OF_THE_DMA = new Set(['shared-memory', 'shared-memory-async', 'sg-list']);

/** Given back in order, but after the DMA registration it was made with: contract.md A1 (halt-leaks-sg-dma) and A4. */
function* afterItsDma(view: TraceView, event: EventOf<'undo'>): Iterable<Violation & { rule: string }> {
  if (!OF_THE_DMA.has(event.type)) return;
  const made = view.holdings.find(({ acquired }) => acquired.resource === event.resource)?.acquired;
  const registrations = view.holdings.filter(
    ({ acquired }) =>
      acquired.type === 'sg-dma' && acquired.adapter === made?.adapter && acquired.seq < (made?.seq ?? 0),
  );
  const gone = registrations.at(-1)?.undone;
  const live = registrations.some(({ undone }) => undone === undefined || undone.seq > event.seq);
  if (made === undefined || gone === undefined || live) return;
  yield {
    rule: 'dma-use-after-deregister',
    seq: event.seq,
    message: `${event.callback ?? 'The driver'} gives back with ${event.fn} what ${made.fn} gave, after ${gone.fn} has taken away the DMA it was made with; the other way round.`,
    stack: event.stack,
    cause: `${event.callback} gives back what was made with its DMA after it`,
  };
}

export const misuse = family(rows, function* (view): Iterable<Violation & { rule: string }> {
  for (const event of view.of('undo')) {
    if (event.outcome === 'undone') {
      yield* crossed(event);
      yield* afterItsDma(view, event);
      continue;
    }
    const acquired = view.holdings.find((holding) => holding.acquired.resource === event.resource)?.acquired;
    // "Cached" alone is ignored on allocation and must match on free: contract.md Q20.
    const onlyCached = event.outcome === 'mismatch' && event.differs?.length === 1 && event.differs[0] === 'Cached';
    yield {
      rule: ruleOf(event),
      seq: event.seq,
      message: sentence(event),
      stack: event.stack,
      // A helper that gives the wrong values back does so for every block, in halt and in a failing initialize, and the compiler may have made several of it.
      ...(event.outcome === 'mismatch' ? { cause: `${event.fn} ${event.differs?.join(' ')}` } : {}),
      ...(onlyCached ? { severity: 'warning' as const } : {}),
      ...(acquired === undefined
        ? {}
        : {
            resource: {
              type: acquired.type,
              key: acquired.key,
              fn: acquired.fn,
              ...(acquired.callback === undefined ? {} : { callback: acquired.callback }),
              detail: acquired.detail,
              acquired: acquired.stack,
            },
          }),
    };
  }
});
