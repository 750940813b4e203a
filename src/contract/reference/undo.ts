/** Undo calls that name the wrong thing: contract.md A. */
import type { Chapter } from './chapter.ts';

const OUTCOME = 'Every undoing call is matched with the acquisition it names';

export const undo: Chapter = {
  title: 'Undo calls that do not fit',
  about: 'A call that gives something back has to name what was acquired, once, with the values it was acquired with.',
  rules: {
    'memory-double-free': {
      why: 'The second free hits memory that someone else may have by then: corruption that shows far away, bug check 0xC2/07, or 0xC4/13 under Driver Verifier.',
      looksAt: `${OUTCOME}; reported is one for memory, pool, an MDL, an IRP, a NET_BUFFER(_LIST) or a lookaside entry that was given back before.`,
    },
    'free-memory-bad-args': {
      why: 'The allocator trusts the address, the tag and the flags. A wrong one frees the wrong bytes or takes the wrong way to free them: bug check 0xC2, or corruption.',
      allowed:
        'NdisFreeMemory ignores its Length, and NdisFreeMemory may free what NdisAllocateMemoryWithTagPriority gave.',
      looksAt: `${OUTCOME}; reported is one for memory or pool whose address was never given out, or whose flags, tag or handle differ.`,
    },
    'shared-memory-double-free': {
      why: 'NDIS stops with 0x7C/03; without that check, pages that belong to someone else by then go back to the system.',
      looksAt: `${OUTCOME}; reported is one for shared memory that was freed before.`,
    },
    'shared-memory-free-mismatch': {
      why: 'NDIS and the DMA adapter find the block by its length, caching and both addresses. Other values free another part of it or nothing.',
      allowed: 'When only Cached differs it is a warning: the value is ignored on allocation.',
      looksAt: `${OUTCOME}; reported is an NdisMFreeSharedMemory whose Length, Cached, VirtualAddress or PhysicalAddress is not the allocation’s.`,
    },
    'port-free-default': {
      why: 'NDIS allocates the default port and frees it after MiniportHaltEx. The call fails with NDIS_STATUS_INVALID_PORT; a driver that goes by the result stumbles.',
      looksAt: `${OUTCOME}; reported is NdisMFreePort for port 0.`,
    },
    'port-free-active': {
      why: 'The call fails with NDIS_STATUS_INVALID_PORT_STATE and the port stays allocated: a leak the driver does not notice, because it did call the function.',
      looksAt: `${OUTCOME}; reported is NdisMFreePort for a port that no NetEventPortDeactivation has made inactive.`,
    },
    'port-double-free': {
      why: 'The number may belong to another port by then, which disappears under its owner; otherwise the call fails.',
      looksAt: `${OUTCOME}; reported is NdisMFreePort for a number that is not allocated.`,
    },
    'timer-set-after-free': {
      why: 'The handle points to freed memory: the call changes whatever lies there now, and a timer set so fires into it. Bug check 0xC7 or 0xD1.',
      looksAt: 'Calls of the timer functions with a handle that NdisFreeTimerObject has taken.',
    },
    'timer-call-on-unknown': {
      why: 'NDIS takes whatever lies at that address for a timer: bug check 0xC7, or a timer that nobody set.',
      looksAt: 'The handle of each timer call; NULL and wild pointers, which fault, are told as accesses.',
    },
    'dma-double-free': {
      why: 'Map registers or pages that someone else uses by then are given back: data goes astray, or Driver Verifier stops with 0xE6/03 to 06.',
      looksAt: `${OUTCOME}; reported is one for a scatter/gather list, a common buffer or a DMA channel that was freed before.`,
    },
    'dma-use-after-deregister': {
      why: 'The DMA adapter behind the handle is gone; the call works on freed memory. Driver Verifier stops with 0xE6/18.',
      looksAt:
        'DMA calls with a handle after NdisMDeregisterScatterGatherDma, PutDmaAdapter or NdisMDeregisterDmaChannel took it.',
    },
    'io-port-range-mismatch': {
      why: 'NDIS releases the range it is told. With other values part of the ports stays claimed, or a range goes that was never mapped.',
      looksAt: `${OUTCOME}; reported is NdisMDeregisterIoPortRange with another InitialPort, NumberOfPorts or PortOffset.`,
    },
    'io-space-mismatch': {
      why: 'The unmapping covers the address and length it is told: too little leaks page table entries, too much takes down a neighbour’s mapping.',
      looksAt: `${OUTCOME}; reported is NdisMUnmapIoSpace with another VirtualAddress or Length.`,
    },
    'undo-mismatch': {
      why: 'The undoing call repeats values of the acquiring one because the system finds or checks the thing by them. With others it undoes something else, or only a part.',
      looksAt: `${OUTCOME}; reported is one of any kind without a rule of its own whose values differ.`,
    },
    'undo-refused': {
      why: 'The call says no, the thing stays, and the driver goes on as if it were gone.',
      looksAt: `${OUTCOME}; reported is one that NDIS or the kernel refuses in the state the thing is in.`,
    },
    'undo-without-acquire': {
      why: 'After an initialize that got only half way, handles of the other half are NULL or left from before. Passing them on makes NDIS follow a pointer that is none: bug check 0xD1 or 0x50.',
      allowed: 'Calls that document NULL as harmless.',
      looksAt: `${OUTCOME}; reported is one for which there is none, NULL included. Failing every acquiring call in turn brings these out.`,
    },
    'work-item-freed-while-queued': {
      why: 'The system’s queue still points to the work item: when its turn comes, a worker thread follows freed memory.',
      allowed: 'The routine of the work item may free it: it was dequeued before the routine was called.',
      looksAt: 'NdisFreeIoWorkItem and IoFreeWorkItem for an item that was queued and whose routine has not begun.',
    },
    'timer-freed-while-active': {
      why: 'The kernel’s timer queue points into freed memory: bug check 0xC7, 0xC4/15 under Driver Verifier, or a callback with a context that is gone.',
      allowed: 'A callback may have its last instructions before it when it has told the driver that it is done.',
      looksAt: 'NdisFreeTimerObject for a timer that is set, or whose callback is on its way or running.',
    },
    'nbl-pool-kind-mismatch': {
      why: 'A pool is made for one shape of member: with or without a NET_BUFFER, with or without data. Another allocation from it returns memory laid out differently from what the caller takes it for.',
      looksAt: 'The parameters of the pool and the function that allocates from it.',
    },
    'pool-freed-before-members': {
      why: 'The members’ memory goes with the pool while the driver, or NDIS, still has pointers to them: a use after free at the next frame.',
      looksAt: 'NdisFreeNetBufferListPool and NdisFreeNetBufferPool while members of the pool are allocated.',
    },
  },
};
