/** Locks: contract.md B3, D3. */
import type { Chapter } from './chapter.ts';

export const locks: Chapter = {
  title: 'Locks',
  about: 'Spin locks that are taken, kept and released where they may not be.',
  rules: {
    'lock-held-at-return': {
      why: 'Whoever wants the lock next spins for ever: the processor hangs. The routine’s caller also goes on at DISPATCH_LEVEL.',
      looksAt: 'The locks each routine of the driver has taken and not released when it returns.',
    },
    'wait-holding-lock': {
      why: 'A spin lock raises the IRQL, and a wait there never ends or is bug check 0x7C/14 or 0xC4/3B. A call that leads back into the driver deadlocks on the same lock.',
      looksAt:
        'Waits (NdisWaitEvent, NdisMSleep, KeWaitForSingleObject and their kin) while the context holds a spin lock.',
    },
    'spin-lock-misuse': {
      why: 'Taking a spin lock twice is a processor that spins for ever. Releasing one that is free lets two processors in at once.',
      looksAt: 'Each acquire and release of a spin lock, and who holds it.',
    },
    'irql-lock-order': {
      why: 'Each release restores the IRQL its own acquire saw. Released first-in first-out, the first one lowers the IRQL while the other lock is still held, and the next one may raise it for good.',
      allowed: 'NdisDprReleaseSpinLock, which leaves the IRQL alone, in any order.',
      looksAt: 'Releases of a spin lock that restore a lower IRQL while a lock that was taken later is held.',
    },
    'lock-order-inverted': {
      why: 'Each of the two has one lock and waits for the other: both processors spin, or both threads wait, for ever. It takes the right moment, so it shows on a customer’s machine.',
      allowed:
        'Opposite orders under one lock that both hold around them, in one thread only, by readers only, or where one has ended before the other can begin.',
      looksAt:
        'Who asks for a lock while holding another, in whatever run; whether the two could run at once (docs/concurrency.md), not whether they did.',
    },
    'lock-shared-with-isr': {
      why: 'The interrupt comes on the processor that holds the lock. The ISR spins for it, and the holder cannot go on before the ISR has returned.',
      allowed:
        'What is shared with an ISR, by NdisMSynchronizeWithInterruptEx, KeSynchronizeExecution or the interrupt’s own spin lock: they raise the IRQL to the device’s.',
      looksAt: 'The IRQL at which each spin lock is held, by ISRs and by others that could be interrupted by them.',
    },
    'lock-not-held': {
      why: 'The lock’s state is wrong from then on: a later owner is let in beside another, or nobody is.',
      looksAt: 'Each release of a read/write lock, a queued spin lock or a mutex, and who holds it.',
    },
    'lock-freed-while-held': {
      why: 'Whoever releases it then writes into memory that is no longer the lock’s, and whoever waits for it waits for ever.',
      looksAt: 'NdisFreeSpinLock, NdisFreeRWLock and ExDeleteResourceLite, and who holds the lock at that moment.',
    },
  },
};
