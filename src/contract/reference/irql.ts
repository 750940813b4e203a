/** IRQL: contract.md E. */
import type { Chapter } from './chapter.ts';

const RECORD = 'The IRQL at every call, against the range in the record of the function';

export const irql: Chapter = {
  title: 'IRQL',
  about: 'Calls above or below the level they are allowed at, and routines that return at another one.',
  rules: {
    'irql-violation': {
      why: 'Above its level a function may wait, touch pageable memory or take a lock it can deadlock on: bug check 0xA, 0xD1, or a hang, and only when it happens to matter.',
      looksAt: `${RECORD}, which is its page’s.`,
    },
    'irql-cancel-periodic-timer': {
      why: 'The cancel of a periodic timer waits until queued DPCs have run. At DISPATCH_LEVEL it would wait for its own processor: a hang, or bug check 0xA.',
      allowed: 'A one-shot timer may be cancelled at DISPATCH_LEVEL.',
      looksAt: 'NdisCancelTimerObject above PASSIVE_LEVEL on a timer that is set with a period.',
    },
    'irql-alloc-shared-memory': {
      why: 'The allocation may have to wait for memory; NDIS stops with 0x7C/01.',
      looksAt: 'NdisMAllocateSharedMemory above PASSIVE_LEVEL; NdisMAllocateSharedMemoryAsyncEx is for that.',
    },
    'irql-wait-event': {
      why: 'A thread that waits at DISPATCH_LEVEL cannot be switched away from: NDIS stops with 0x7C/14, Driver Verifier with 0xC4/3B, and otherwise the processor hangs.',
      looksAt: 'NdisWaitEvent above PASSIVE_LEVEL.',
    },
    'irql-sg': {
      why: 'The DMA routines beneath rely on DISPATCH_LEVEL for their locks; Driver Verifier stops with 0xE6/13.',
      looksAt: 'NdisMAllocateNetBufferSGList and NdisMFreeNetBufferSGList at another level than DISPATCH_LEVEL.',
    },
    'irql-free-pool': {
      why: 'The pool’s locks are taken at DISPATCH_LEVEL and below; from an interrupt routine the free deadlocks or corrupts the pool. Driver Verifier stops with 0xC4/11 or 12.',
      looksAt: 'ExFreePool and its kin above the level the kind of pool allows.',
    },
    'irql-flag-mismatch': {
      why: 'The flag lets NDIS skip raising the IRQL. At a lower level its locks then protect nothing, and a thread switch in the midst deadlocks or corrupts its lists.',
      allowed: 'Leaving the flag out is always right, if a little slower.',
      looksAt:
        'Calls with a DISPATCH_LEVEL flag (sends completed, receives indicated, read/write locks) below DISPATCH_LEVEL.',
    },
    'irql-isr-calls-ndis': {
      why: 'At DIRQL everything below is held up, the holder of the lock the call needs included: a deadlock of the processor.',
      allowed: 'Functions that may be called at any IRQL: register access, NdisMQueueDpcEx, interlocked operations.',
      looksAt: `${RECORD}, inside MiniportInterrupt, MiniportMessageInterrupt, MiniportSynchronizeInterrupt and the disable and enable routines.`,
    },
    'irql-changed-by-callback': {
      why: 'The caller goes on at a level it does not expect: too high, and the next page fault is bug check 0xD1; too low, and its lock protects nothing.',
      looksAt: 'The IRQL at which each routine of the driver is called and returns.',
    },
  },
};
