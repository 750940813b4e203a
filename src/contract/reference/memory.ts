/** Memory and registers that may not be touched, and DMA: contract.md A4, B3. */
import type { Chapter } from './chapter.ts';

const SHADOW = 'Every access is checked against the state of the memory it goes to';

export const memory: Chapter = {
  title: 'Memory and DMA',
  about: 'Accesses of the driver and of its device to memory and registers that are not theirs, or not any more.',
  rules: {
    'memory-use-after-free': {
      why: 'The memory may belong to someone else by then: reading gives nonsense, writing corrupts a stranger. Mostly nothing happens at once, which is why it reaches customers; special pool stops with 0xCC or 0xD5.',
      looksAt: `${SHADOW}: freed blocks are never given out again, so a stale pointer is caught whenever it is used.`,
    },
    'free-without-waiting': {
      why: 'In this run the other was through before the memory went. Nothing made it so: on another day the timer, the work item or the interrupt comes a little later, and touches memory that belongs to someone else.',
      allowed:
        'Whatever orders the two: an event that is set behind the last access, a cancel that says TRUE, KeFlushQueuedDpcs, NdisMDeregisterInterruptEx, the end of the thread, a lock or an interlocked count that both use, a flag that is read back.',
      looksAt:
        'Only in runs in which every access is watched, which --races plays: the last access of each context to each block, and what whoever frees it has seen of that context (docs/concurrency.md).',
    },
    'memory-overrun': {
      why: 'The bytes behind, or before, a block belong to the pool or to a stranger. Driver Verifier finds it when the block is freed, or with special pool at once (0xCD, 0xC1); without it the system crashes later and elsewhere.',
      looksAt: `${SHADOW}: guard bytes lie before and behind every block, so that one byte too many is caught at the access.`,
    },
    'shared-memory-corruption': {
      why: 'Shared memory blocks share pages, and the next descriptor ring may lie right behind this one. NDIS stops with 0x7C/02 when it notices at a later allocation.',
      looksAt: `${SHADOW}: guard bytes lie around every block of shared memory.`,
    },
    'dma-overrun': {
      why: 'The device writes into memory of someone else, past every protection of the processor. Driver Verifier stops with 0xE6/0F; an IOMMU stops the device with 0xE6/26.',
      looksAt: 'Each DMA access of the device model against the blocks the driver gave it.',
    },
    'dma-memory-not-mapped': {
      why: 'Where an IOMMU stands between device and memory, it refuses the access: bug check 0xE6/26. Without one the device reads or writes whatever is there.',
      allowed: 'Drivers for machines without an IOMMU have long passed on what MmGetPhysicalAddress says.',
      looksAt:
        'Each access of the device, against the shared memory, common buffers and scatter/gather lists that are mapped for it.',
    },
    'freed-with-live-object': {
      why: 'The system still links, walks or signals the object, and does so in memory that belongs to someone else: bug check 0xC4 with the verifier, corruption without.',
      looksAt:
        'What lies in each block that is freed: lookaside lists that were not deleted, events with a waiter. Timers and DPCs are timer-freed-while-active; what is never taken away at all is told as a leak.',
    },
    'irp-completed-twice': {
      why: 'The system stops with bug check 0x44: the IRP belongs to whoever sent it, and may be freed already.',
      looksAt: 'IoCompleteRequest for an IRP that has been completed.',
    },
    'ndis-handle-not-valid': {
      why: 'NDIS accounts resources to the handle they are made with; one that it did not give is not looked at on most systems, and is a wild pointer on those that do.',
      looksAt: 'The NDIS handle of each call that takes the adapter’s, the driver’s or an object’s.',
    },
    'halt-frees-memory-under-dma': {
      why: 'A NIC that was not stopped writes its next frame into memory that belongs to someone else by then: corruption without a trace, or 0xE6/26 where an IOMMU watches.',
      looksAt:
        'DMA accesses of the device to freed memory, and shared memory or scatter/gather lists given back while the device has its addresses and DMA enabled.',
    },
    'halt-deregisters-interrupt-late': {
      why: 'Until NdisMDeregisterInterruptEx has returned, the ISR and its DPC may run at any moment, on a shared line also for a neighbour. What halt has freed before, they use: bug check 0xD1.',
      looksAt:
        'Accesses to freed memory by an interrupt routine while MiniportHaltEx runs. The check delivers interrupts at many points of halt.',
    },
    'io-access-after-unmap': {
      why: 'The address leads nowhere, or to what was mapped there since: bug check 0x50 or 0xD1, or a stranger’s device that is written to.',
      looksAt: `${SHADOW}, registers and port ranges included: reported is one to a range that was released, or to a device that has gone.`,
    },
    'irql-touch-pageable': {
      why: 'At DISPATCH_LEVEL the system cannot read a page from the disk. If it is in memory by chance all is well; otherwise bug check 0xD1, on machines under load.',
      looksAt: `${SHADOW}: paged pool and data of pageable sections (PAGExxx) touched at DISPATCH_LEVEL or above. Code of such a section where a routine begins in it, or a call leaves it or comes back to it. Whether the page would be in memory does not matter; whether the section was locked does.`,
    },
    'unload-with-live-code': {
      why: 'A timer, DPC, work item, thread or callback that still points into the image runs where nothing is any more: bug check 0xCE.',
      looksAt:
        'Execution inside the image after the driver has unloaded; haltex lets everything that is still queued run then.',
    },
    'shared-memory-before-dma': {
      why: 'The DMA adapter that would allocate does not exist yet, so the call gives nothing, or memory the device cannot reach.',
      looksAt: 'Shared-memory calls and NdisMGetDmaAlignment with no DMA registered for the adapter.',
    },
    'shared-memory-async-pending-at-halt': {
      why: 'The block arrives when the adapter is gone: NDIS calls MiniportSharedMemoryAllocateComplete with a freed context, or the memory is lost. What NDIS does then, no page says.',
      looksAt:
        'NdisMAllocateSharedMemoryAsyncEx calls that returned NDIS_STATUS_PENDING and whose completion is still to come when the DMA handle is deregistered or MiniportHaltEx returns.',
    },
    'sg-list-pending-at-halt': {
      why: 'MiniportProcessSGList is called later with a context that is freed, and the list it brings belongs to a DMA adapter that is gone (0xE6/0A under Driver Verifier).',
      looksAt: 'NdisMAllocateNetBufferSGList calls whose list has not come yet when the DMA handle is deregistered.',
    },
  },
};
