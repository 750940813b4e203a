/** Rules that one fact of a function's body decides: the fact says it all, a row turns it into words. */
import type { EventOf } from '../trace/events.ts';
import { irqlName } from '../trace/units.ts';
import { family, type Row, type Violation } from './rule.ts';
import type { TraceView } from './view.ts';

interface FactRule {
  readonly what: string;
  readonly row: Row;
  /** Whether this one counts. Left out: all do. */
  when?(fact: EventOf<'fact'>, view: TraceView): boolean;
  message(fact: EventOf<'fact'>): string;
  /** One mistake that shows at several places: what its facts share. */
  cause?(fact: EventOf<'fact'>): string;
}

/** A NIC that was not stopped meets every ring and buffer that is freed in that routine. */
const notStopped = (fact: EventOf<'fact'>) => `DMA goes on in ${fact.callback}`;

const LOCK_NOT_HELD: Row = ['lock-not-held', 'error', 'a lock is released that is not held', 'D:ndis-spinlockrelease'];

/** Of what live-objects.ts knows: bug check 0xC7 is theirs. */
const TIMER_OR_DPC = /TIMER|DPC/;

/** The timer that is never cancelled, the list that is never deleted: that is told as a leak. */
const isLeftBehind = ({ detail }: EventOf<'fact'>, view: TraceView) =>
  view.holdings.some(({ acquired, undone }) => acquired.key === detail.address && undone === undefined);

const who = (fact: EventOf<'fact'>) => fact.callback ?? 'The driver';

const factRules: readonly FactRule[] = [
  {
    what: 'freed-under-dma',
    row: [
      'halt-frees-memory-under-dma',
      'error',
      'memory is freed while the NIC may still access it',
      'I:ndismfreenetbuffersglist',
      'N:freeing-a-vm-queue',
    ],
    message: (fact) => `${who(fact)} frees memory that ${fact.detail.device} may still access by DMA.`,
    cause: notStopped,
  },
  {
    what: 'unmapped-under-dma',
    row: [
      'halt-frees-memory-under-dma',
      'error',
      'memory is freed while the NIC may still access it',
      'I:ndismfreenetbuffersglist',
      'N:freeing-a-vm-queue',
    ],
    message: (fact) => `${who(fact)} gives a scatter/gather list back that ${fact.detail.device} may still use.`,
    cause: notStopped,
  },
  {
    what: 'dma-handle-not-valid',
    row: ['dma-use-after-deregister', 'error', 'a DMA handle is used after it was deregistered', 'G:bug-check-0xe6'],
    message: (fact) => `${who(fact)} calls ${fact.detail.fn} with a DMA handle that is not valid (${fact.detail.was}).`,
  },
  {
    what: 'shared-memory-before-dma',
    row: [
      'shared-memory-before-dma',
      'error',
      'shared memory is asked for before DMA is registered',
      'I:ndismallocatesharedmemory',
      'I:ndismgetdmaalignment',
    ],
    message: (fact) => `${who(fact)} calls ${fact.detail.fn} before it has registered DMA.`,
  },
  {
    what: 'shared-memory-async-pending',
    row: [
      'shared-memory-async-pending-at-halt',
      'error',
      'an asynchronous shared-memory allocation is pending when it may not be',
      'I:ndismallocatesharedmemoryasyncex',
    ],
    message: (fact) =>
      `An asynchronous shared-memory allocation is still pending (${fact.detail.at}); the block that comes later leaks.`,
  },
  {
    what: 'sg-list-pending',
    row: [
      'sg-list-pending-at-halt',
      'error',
      'a scatter/gather list is still to come when it may not be',
      'I:ndismallocatenetbuffersglist',
    ],
    message: (fact) => `A scatter/gather list is still to come (${fact.detail.at}).`,
  },
  {
    what: 'interrupt-handle-not-valid',
    row: [
      'sync-after-deregister-interrupt',
      'error',
      'an interrupt is used after it was deregistered',
      'I:ndismderegisterinterruptex',
    ],
    message: (fact) =>
      `${who(fact)} calls ${fact.detail.fn} with an interrupt handle that is not valid (${fact.detail.was}).`,
  },
  {
    what: 'interrupt-deregistered-unmasked',
    row: [
      'halt-deregisters-with-nic-interrupting',
      'warning',
      'an interrupt is deregistered while the NIC may still interrupt',
      'I:ndismderegisterinterruptex',
    ],
    message: (fact) =>
      `${who(fact)} calls NdisMDeregisterInterruptEx before it has masked the interrupts of ${fact.detail.device}.`,
  },
  {
    what: 'port-access-after-release',
    row: [
      'io-access-after-unmap',
      'error',
      'ports or registers are touched after they were released',
      'I:ndismderegisterioportrange',
    ],
    message: (fact) => `${who(fact)} touches I/O port ${fact.detail.port}, whose range it has released.`,
  },
  {
    what: 'nbl-pool-kind-mismatch',
    row: [
      'nbl-pool-kind-mismatch',
      'error',
      'a NET_BUFFER or NET_BUFFER_LIST is taken from a pool of another kind',
      'B:net_buffer_list_pool_parameters',
    ],
    message: (fact) =>
      `${who(fact)} calls ${fact.detail.fn} on a pool that was not made for it: ${fact.detail.reason}.`,
  },
  {
    what: 'nbl-indicated-twice',
    row: [
      'nbl-indicated-twice',
      'error',
      'a NET_BUFFER_LIST is indicated that NDIS already has',
      'I:ndismindicatereceivenetbufferlists',
    ],
    message: (fact) => `${who(fact)} indicates a NET_BUFFER_LIST that has not come back from its last indication.`,
  },
  {
    what: 'lock-not-held',
    row: LOCK_NOT_HELD,
    message: (fact) => `${who(fact)} releases a lock that it does not hold.`,
  },
  {
    what: 'mutex-not-owned',
    row: LOCK_NOT_HELD,
    message: (fact) => `${who(fact)} releases a mutex that it does not own.`,
  },
  {
    what: 'rw-lock-not-held',
    row: LOCK_NOT_HELD,
    message: (fact) => `${who(fact)} releases a read/write lock that it does not hold.`,
  },
  ...['spin-lock-freed-while-held', 'rw-lock-freed-while-held', 'held-lock-deleted'].map(
    (what): FactRule => ({
      what,
      row: [
        'lock-freed-while-held',
        'error',
        'a lock is freed or deleted while it is held',
        'D:ndis-spinlock',
        'I:ndisfreerwlock',
      ],
      message: (fact) => `${who(fact)} frees the lock at ${fact.detail.lock} while it is held.`,
    }),
  ),
  ...['lock-taken-twice', 'interrupt-lock-taken-twice'].map(
    (what): FactRule => ({
      what,
      row: [
        'spin-lock-misuse',
        'error',
        'a spin lock is taken twice or released without being held',
        'D:ndis-spinlock',
        'D:ndis-spinlockrelease',
      ],
      message: (fact) =>
        what === 'lock-taken-twice'
          ? `${who(fact)} takes the ${fact.detail.type} at ${fact.detail.lock}, which it already holds: a deadlock.`
          : `${who(fact)} synchronizes with the interrupt inside its own ISR: a deadlock.`,
    }),
  ),
  {
    what: 'timer-call-on-unknown',
    row: ['timer-call-on-unknown', 'error', 'a timer call names no timer', 'I:ndissettimerobject'],
    // NULL and wild pointers fault, and that is told.
    when: (fact, view) => view.events[fact.seq + 1]?.kind !== 'fault',
    message: (fact) => `${who(fact)} calls ${fact.detail.fn} with ${fact.detail.timer}, which is no timer object.`,
  },
  {
    what: 'ndis-handle-not-valid',
    row: [
      'adapter-handle-after-halt',
      'error',
      'the adapter handle is used after MiniportHaltEx has returned or initialize has failed',
      'I:miniport_halt',
    ],
    when: ({ detail }) => detail.kind === 'halted adapter',
    message: (fact) => `${who(fact)} calls ${fact.detail.fn} with the handle of an adapter that has been halted.`,
  },
  {
    what: 'ndis-handle-not-valid',
    row: [
      'ndis-handle-not-valid',
      'warning',
      'a call is made with a handle that NDIS did not give for it',
      'N:obtaining-pool-handles',
      'I:ndisallocatememorywithtagpriority',
    ],
    when: ({ detail }) => detail.kind !== 'halted adapter',
    message: (fact) =>
      `${who(fact)} calls ${fact.detail.fn} with ${fact.detail.kind === 'NULL' ? 'NULL' : `${fact.detail.handle} (${fact.detail.kind})`} where the handle of its adapter or driver belongs.`,
  },
  {
    what: 'config-call-on-closed',
    row: [
      'config-value-used-after-close',
      'error',
      'a configuration value is used after NdisCloseConfiguration',
      'I:ndisreadconfiguration',
    ],
    when: (fact, view) => view.events[fact.seq + 1]?.kind !== 'fault',
    message: (fact) => `${who(fact)} calls ${fact.detail.fn} with a configuration handle that it has closed.`,
  },
  {
    what: 'ram-mapped-as-io-space',
    row: [
      'map-io-space-outside-init',
      'error',
      'NdisMMapIoSpace is called outside MiniportInitializeEx, or for what is no device',
      'D:ndis-ndismmapiospace',
      'I:ndismmapiospace',
    ],
    message: (fact) => `${who(fact)} maps main memory at ${fact.detail.physical} as device registers.`,
  },
  {
    what: 'pageable-code-runs',
    row: [
      'irql-touch-pageable',
      'error',
      'pageable memory is touched at DISPATCH_LEVEL or above',
      'G:bug-check-0xd1',
      'D:force-irql-checking',
    ],
    message: ({ callback, irql, detail }) =>
      detail.entered === undefined
        ? `${callback ?? 'The driver'} runs code of the pageable section ${detail.section} at ${irqlName(irql)}, around its call of ${detail.fn}.`
        : `${detail.entered} is called at ${irqlName(irql)} and lies in the pageable section ${detail.section}.`,
  },
  {
    what: 'freed-with-live-object',
    row: [
      'timer-freed-while-active',
      'error',
      'a timer object is freed while it is set or its callback runs',
      'I:ndiscanceltimerobject',
      'G:bug-check-0xc7',
    ],
    when: (fact, view) => TIMER_OR_DPC.test(String(fact.detail.object)) && !isLeftBehind(fact, view),
    message: (fact) => `${who(fact)} frees memory with a ${fact.detail.object} in it, at ${fact.detail.address}.`,
  },
  {
    what: 'freed-with-live-object',
    row: [
      'freed-with-live-object',
      'error',
      'memory is freed with something in it that the system still works on',
      'G:bug-check-0xc4',
      'W:exdeletenpagedlookasidelist',
    ],
    when: (fact, view) => !TIMER_OR_DPC.test(String(fact.detail.object)) && !isLeftBehind(fact, view),
    message: (fact) => `${who(fact)} frees memory with a ${fact.detail.object} in it, at ${fact.detail.address}.`,
  },
  {
    what: 'irp-completed-twice',
    row: ['irp-completed-twice', 'error', 'an IRP is completed twice', 'G:bug-check-0x44', 'W:iocompleterequest'],
    message: (fact) => `${who(fact)} completes the IRP at ${fact.detail.irp} a second time.`,
  },
  {
    what: 'nonvolatile-changed',
    row: [
      'driver-changes-registers',
      'error',
      'a routine returns with registers changed that belong to its caller',
      'C:x64-calling-convention',
    ],
    message: (fact) => `The routine at ${fact.detail.routine} returns with ${fact.detail.registers} changed.`,
  },
  {
    what: 'dma-outside-mapping',
    row: [
      'dma-memory-not-mapped',
      'warning',
      'the device touches memory that is not mapped for it',
      'G:bug-check-0xe6',
    ],
    // One that was unmapped under the device was told then; a wrong direction only matters where memory is copied.
    when: ({ detail, seq }, view) =>
      detail.why === 'never-mapped' ||
      (detail.why === 'unmapped' && !view.facts('unmapped-under-dma').some((other) => other.seq < seq)),
    message: (fact) =>
      `The device ${fact.detail.access === 'read' ? 'reads' : 'writes'} ${fact.detail.size} bytes at ${fact.detail.physical} (${fact.detail.block ?? 'no block'}), which ${fact.detail.why === 'unmapped' ? `are no longer mapped for it (they were a ${fact.detail.was})` : 'were never mapped for it'}; an IOMMU would refuse that.`,
  },
];

export const facts = family(
  factRules.map(({ row }) => row),
  function* (view): Iterable<Violation & { rule: string }> {
    for (const { what, row, when, message, cause } of factRules) {
      for (const fact of view.facts(what)) {
        if (when?.(fact, view) === false) continue;
        const shared = cause === undefined ? {} : { cause: cause(fact) };
        yield { rule: row[0], seq: fact.seq, message: message(fact), stack: fact.stack ?? [], ...shared };
      }
    }
  },
);
