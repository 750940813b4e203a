/** Accesses to memory the driver may not touch, and the ways a run ends early: contract.md A4, B3, and haltex' own `driver-…`. */
import type { EventOf } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import { family, type Row, type Violation } from './rule.ts';
import type { Span, TraceView } from './view.ts';

const rows: readonly Row[] = [
  ['memory-use-after-free', 'error', 'memory is touched after it was freed', 'D:special-pool', 'G:bug-check-0xcc'],
  ['memory-overrun', 'error', 'memory outside an allocation is touched', 'D:special-pool', 'G:bug-check-0xc4'],
  ['shared-memory-corruption', 'error', 'memory outside a shared-memory block is touched', 'G:bug-check-0x7c'],
  ['dma-overrun', 'error', 'the device writes outside its DMA buffer', 'G:bug-check-0xe6'],
  [
    'halt-frees-memory-under-dma',
    'error',
    'memory is freed while the NIC may still access it',
    'I:ndismfreenetbuffersglist',
    'N:freeing-a-vm-queue',
  ],
  [
    'halt-deregisters-interrupt-late',
    'error',
    'something the interrupt routines use is freed before NdisMDeregisterInterruptEx has returned',
    'I:miniport_halt',
    'N:halting-a-miniport-adapter',
  ],
  [
    'halt-cancels-timers-first',
    'warning',
    'something a timer’s callback uses is freed before the timer is cancelled',
    'I:ndiscanceltimerobject',
  ],
  [
    'halt-frees-context-early',
    'error',
    'the adapter’s context is freed while something beside MiniportHaltEx still uses it',
    'I:miniport_halt',
  ],
  [
    'interrupt-registered-too-early',
    'warning',
    'the ISR runs before what it needs is there',
    'I:ndismregisterinterruptex',
  ],
  [
    'init-fail-returns-success',
    'error',
    'MiniportInitializeEx succeeds without what it could not get, and the driver uses it later',
    'I:ndismallocatesharedmemory',
  ],
  [
    'io-access-after-unmap',
    'error',
    'device registers are touched after they were unmapped',
    'I:ndismderegisterioportrange',
    'I:ndismunmapiospace',
  ],
  [
    'irql-touch-pageable',
    'error',
    'pageable memory is touched at DISPATCH_LEVEL or above',
    'G:bug-check-0xd1',
    'D:force-irql-checking',
  ],
  ['init-ignores-result', 'error', 'NULL is dereferenced: the result of a call was not tested', 'D:nullcheckn'],
  [
    'config-value-used-after-close',
    'error',
    'a configuration value is used after NdisCloseConfiguration',
    'I:ndisreadconfiguration',
  ],
  ['unload-with-live-code', 'error', 'code of the driver runs after it has unloaded', 'G:bug-check-0xce'],
  ['driver-access-violation', 'error', 'the driver touches an address where nothing is', 'G:bug-check-0x50'],
  ['driver-writes-read-only', 'error', 'the driver writes to its own code or constants', 'G:bug-check-0xbe'],
  ['driver-jumps-to-nowhere', 'error', 'control goes where no code is', 'G:bug-check-0x50'],
  ['driver-stack-overflow', 'error', 'the kernel stack overflows', 'G:bug-check-0x7f'],
  [
    'driver-bugcheck',
    'error',
    'the driver brings the system down: a bug check, an unhandled exception, a fast fail',
    'G:bug-check-0x1e',
    'G:bug-check-0x139',
  ],
  ['driver-hang', 'error', 'a routine of the driver never returns', 'G:bug-check-0x7c'],
  ['halt-hang', 'error', 'MiniportHaltEx never returns', 'G:bug-check-0x7c'],
  [
    'halt-touches-removed-hardware',
    'error',
    'MiniportHaltEx waits for hardware that has gone',
    'N:handling-the-surprise-removal-of-a-nic',
    'I:miniport_halt',
  ],
  ['pause-hang', 'error', 'the pause never completes', 'G:bug-check-0x7c'],
];

const INTERRUPT_ROUTINES = [
  'MiniportInterrupt',
  'MiniportInterruptDPC',
  'MiniportMessageInterrupt',
  'MiniportMessageInterruptDPC',
];

/** The adapter's own routine that was open then, if it was. */
function inside(view: TraceView, { seq, adapter }: EventOf<'fault'>, routine: string): Span | undefined {
  const span = view.during(seq, routine);
  return span !== undefined && (adapter === undefined || adapter === span.adapter) ? span : undefined;
}

/** What MiniportHaltEx freed too early, and something beside it uses. */
function freedByHalt(view: TraceView, fault: EventOf<'fault'>): string | undefined {
  const halt = inside(view, fault, 'MiniportHaltEx');
  if (halt === undefined || fault.callback === undefined || fault.callback === halt.callback) return undefined;
  if (INTERRUPT_ROUTINES.includes(fault.callback)) return 'halt-deregisters-interrupt-late';
  const key = fault.block === undefined ? '' : hex(fault.block.address);
  const freed = view.holdings.findLast(
    ({ acquired, undone }) => acquired.key === key && undone !== undefined && undone.seq < fault.seq,
  )?.undone;
  if (freed === undefined || freed.seq < halt.enter.seq) return undefined;
  if (fault.callback === 'NetTimerCallback') {
    const cancelled = view
      .calls('NdisCancelTimerObject')
      .some(({ seq, callback }) => callback === halt.callback && seq > halt.enter.seq && seq < freed.seq);
    return cancelled ? undefined : 'halt-cancels-timers-first';
  }
  return key === halt.enter.args.MiniportAdapterContext ? 'halt-frees-context-early' : undefined;
}

/** What NDIS itself could not give shows there, without a failure injected. */
const ACQUIRING = ['DriverEntry', 'MiniportSetOptions', 'MiniportAddDevice', 'MiniportInitializeEx'];

/** NULL is used: because initialize went on without what it did not get, because the ISR came too early, or untested. */
function nullRule(view: TraceView, fault: EventOf<'fault'>): string {
  if (fault.access === 'execute') return 'driver-jumps-to-nowhere';
  if (INTERRUPT_ROUTINES.includes(fault.callback ?? '') && inside(view, fault, 'MiniportInitializeEx') !== undefined) {
    return 'interrupt-registered-too-early';
  }
  const injected = view.of('return').findLast((event) => event.injected !== undefined && event.seq < fault.seq);
  // Nothing has failed, so it is no result that went untested.
  if (injected === undefined && !ACQUIRING.includes(fault.callback ?? 'DriverEntry')) return 'driver-access-violation';
  const init = injected === undefined ? undefined : view.during(injected.seq, 'MiniportInitializeEx');
  const wentOn = init?.leave !== undefined && init.leave.seq < fault.seq && init.leave.result === '0x0';
  return wentOn && injected?.callback === 'MiniportInitializeEx' ? 'init-fail-returns-success' : 'init-ignores-result';
}

function ruleOf(view: TraceView, fault: EventOf<'fault'>): string {
  const what = fault.block?.what ?? '';
  if (fault.by === 'device') return fault.why === 'freed' ? 'halt-frees-memory-under-dma' : 'dma-overrun';
  switch (fault.why) {
    case 'freed':
      if (what.startsWith('image of')) return 'unload-with-live-code';
      {
        const early = freedByHalt(view, fault);
        if (early !== undefined) return early;
      }
      if (what.startsWith('configuration')) return 'config-value-used-after-close';
      return /register|mapping|I\/O space/i.test(what) ? 'io-access-after-unmap' : 'memory-use-after-free';
    case 'guard':
      return /shared memory/i.test(what) ? 'shared-memory-corruption' : 'memory-overrun';
    case 'null':
      return nullRule(view, fault);
    case 'pageable':
      return 'irql-touch-pageable';
    case 'stack-overflow':
      return 'driver-stack-overflow';
    case 'device-gone':
      return 'io-access-after-unmap';
    case 'read-only':
      return 'driver-writes-read-only';
    case 'not-code':
      return 'driver-jumps-to-nowhere';
    default:
      return fault.access === 'execute' ? 'driver-jumps-to-nowhere' : 'driver-access-violation';
  }
}

const verbs = { read: 'reads', write: 'writes', execute: 'executes' } as const;

function sentence(fault: EventOf<'fault'>): string {
  const who = fault.by === 'device' ? 'The device' : (fault.callback ?? 'The driver');
  if (fault.why === 'stack-overflow') return `${who} uses up the kernel stack; a driver has about 24 KiB of it.`;
  const bytes = fault.access === 'execute' ? 'code' : `${fault.size} ${fault.size === 1 ? 'byte' : 'bytes'}`;
  const block = fault.block;
  if (block === undefined) return `${who} ${verbs[fault.access]} ${bytes} at ${hex(fault.address)}, where nothing is.`;
  const where =
    block.offset < 0
      ? `${-block.offset} bytes before the start of`
      : block.offset >= block.size
        ? `${block.offset - block.size} bytes past the end of`
        : `offset ${block.offset} of`;
  const state = block.state === 'freed' ? ', which has been freed' : '';
  return `${who} ${verbs[fault.access]} ${bytes} at ${hex(fault.address)}: ${where} ${block.what} (${block.size} bytes)${state}.`;
}

/** Facts that say why NDIS waits for ever, each told by its own rule. */
const UNCOMPLETED = ['oid-never-completed', 'idle-never-completed'];

function* judgeStop(view: TraceView): Iterable<Violation & { rule: string }> {
  const stop = view.stop;
  if (stop === undefined) return;
  const stack = stop.stack ?? [];
  // What NDIS waited for in vain has rules of its own.
  const named = UNCOMPLETED.some((what) => view.facts(what).length > 0);
  if (stop.reason === 'hang' && !named) {
    const open = view.spans.filter(({ leave }) => leave === undefined).map(({ callback }) => callback);
    const pausing = view.events.findLast((event) => event.kind === 'state')?.to === 'Pausing';
    const removed = view.facts('device-access-after-removal').some(({ detail }) => detail.routine === 'MiniportHaltEx');
    const rule = open.includes('MiniportHaltEx')
      ? removed
        ? 'halt-touches-removed-hardware'
        : 'halt-hang'
      : pausing || open.includes('MiniportPause')
        ? 'pause-hang'
        : 'driver-hang';
    yield { rule, seq: stop.seq, message: capital(`${stop.text}.`), stack };
  }
  if (stop.reason === 'bugcheck') {
    yield { rule: 'driver-bugcheck', seq: stop.seq, message: capital(`${stop.text} (bug check ${stop.name}).`), stack };
  }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export const faults = family(rows, function* (view): Iterable<Violation & { rule: string }> {
  for (const fault of view.of('fault')) {
    yield {
      rule: ruleOf(view, fault),
      seq: fault.seq,
      message: sentence(fault),
      stack: fault.stack,
      ...(fault.block === undefined
        ? {}
        : {
            resource: {
              type: 'memory',
              key: hex(fault.block.address),
              fn: fault.block.what,
              detail: { size: fault.block.size, state: fault.block.state },
              acquired: fault.block.allocated,
            },
          }),
    };
  }
  yield* judgeStop(view);
});
