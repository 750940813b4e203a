/** Rules that one fact of a function's body decides: the fact says it all, a row turns it into words. */
import type { EventOf } from '../trace/events.ts';
import { family, type Row, type Violation } from './rule.ts';

interface FactRule {
  readonly what: string;
  readonly row: Row;
  message(fact: EventOf<'fact'>): string;
}

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
    row: ['lock-not-held', 'error', 'a lock is released that is not held', 'D:ndis-spinlockrelease'],
    message: (fact) => `${who(fact)} releases a lock that it does not hold.`,
  },
  {
    what: 'mutex-not-owned',
    row: ['lock-not-held', 'error', 'a lock is released that is not held', 'D:ndis-spinlockrelease'],
    message: (fact) => `${who(fact)} releases a mutex that it does not own.`,
  },
];

export const facts = family(
  factRules.map(({ row }) => row),
  function* (view): Iterable<Violation & { rule: string }> {
    for (const { what, row, message } of factRules) {
      for (const fact of view.facts(what))
        yield { rule: row[0], seq: fact.seq, message: message(fact), stack: fact.stack ?? [] };
    }
  },
);
