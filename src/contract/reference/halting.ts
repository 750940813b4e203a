/** What may still run when MiniportHaltEx returns, and what may not happen afterwards: contract.md B2, B3. */
import type { Chapter } from './chapter.ts';

export const halting: Chapter = {
  title: 'Halt: stopping and waiting',
  about:
    'MiniportHaltEx stops the NIC and waits for all that may still run; after it has returned, nothing of the adapter does.',
  rules: {
    'halt-cancels-timers-first': {
      why: 'The timer’s callback runs at the wrong moment and uses what halt has freed: bug check 0xD1. Timers are the first thing halt ends.',
      looksAt: 'A timer’s callback that uses memory which MiniportHaltEx freed before it cancelled a timer.',
    },
    'halt-leaves-nic-running': {
      why: 'A NIC that still receives writes frames into memory that is freed, and one that still interrupts storms a line nobody serves. The next driver finds it in a state it does not expect.',
      allowed:
        'Hardware that has gone cannot be stopped and need not be. A NIC that the shutdown code has already stopped need not be stopped twice.',
      looksAt: 'The device model when MiniportHaltEx returns: DMA on, interrupts enabled, tick or transfers running.',
    },
    'init-fail-leaves-nic-running': {
      why: 'MiniportHaltEx is not called for an initialize that failed, so nobody will stop the NIC: it writes into memory that is freed, and storms a line that nobody serves.',
      allowed:
        'What the NIC did before MiniportInitializeEx was called is not laid to it, nor is hardware that has gone.',
      looksAt:
        'The device model when MiniportInitializeEx returns a failure: DMA, interrupts, tick or wake-up that were off when it was called.',
    },
    'halt-returns-with-timer-callback': {
      why: 'NdisCancelTimerObject says FALSE when the callback is already on its way. It then runs with a context that is freed, or in an image that is gone: bug check 0xD1 or 0xCE, too seldom to show in a test and often enough to reach customers.',
      allowed:
        'FALSE also means that the timer was not set, or that its callback has long returned; then there is nothing to wait for. NdisCancelTimerObject itself waits for a periodic timer’s callback.',
      looksAt:
        'Timer callbacks that are pending or running when the routine returns. Scenarios let each one-shot timer expire on another processor just as it is cancelled.',
    },
    'halt-returns-with-async-work': {
      why: 'A work item that runs after MiniportHaltEx uses a context that is freed; after the unload its code is gone too, bug check 0xCE.',
      allowed: 'A routine that has told whoever waits that it is done, and has only its return before it.',
      looksAt: 'Work items that are queued or running when MiniportHaltEx, or a failing MiniportInitializeEx, returns.',
    },
    'halt-returns-before-nbls-returned': {
      why: 'The protocols above still read the buffers of frames the driver indicated. Freeing them is a use after free in someone else’s code, and MiniportReturnNetBufferLists comes for an adapter that is gone.',
      allowed: 'A correct pause has waited already; then there is nothing left to wait for in halt.',
      looksAt: 'Received NET_BUFFER_LISTs that NDIS still has when MiniportHaltEx returns; scenarios return them late.',
    },
    'halt-deregisters-with-nic-interrupting': {
      why: 'An interrupt that comes between here and the end finds no routine: on a shared line it stays asserted and the system spins over it.',
      looksAt: 'The device model’s interrupt mask at NdisMDeregisterInterruptEx.',
    },
    'halt-frees-context-early': {
      why: 'The adapter’s context is what every routine of the driver is given. Freed while one of them may still run, it is a use after free: bug check 0xD1, or a write into someone else’s memory. It goes last.',
      looksAt: 'Accesses to the freed adapter context by another routine while MiniportHaltEx runs.',
    },
    'sync-after-deregister-interrupt': {
      why: 'The interrupt object behind the handle is gone; the call takes a spin lock in freed memory.',
      looksAt:
        'NdisMSynchronizeWithInterruptEx and NdisMQueueDpc(Ex) with a handle that NdisMDeregisterInterruptEx has taken.',
    },
    'halt-order-not-reverse': {
      why: 'What was acquired later often rests on what was acquired earlier. Reverse order is the one in which nothing is taken away from under something else.',
      allowed:
        'Any order in which nothing is used after it is gone: this is a note. Timers and interrupts rightly go first.',
      looksAt: 'The order in which MiniportHaltEx gives back port ranges, mappings, DMA and shared memory.',
    },
    'status-in-halt': {
      why: 'The protocols are unbound by the time MiniportHaltEx runs; the pages forbid a change of the link’s state then, and NDIS has nobody to tell.',
      looksAt: 'NdisMIndicateStatusEx calls inside MiniportHaltEx.',
    },
    'status-after-halt': {
      why: 'The adapter handle means nothing any more: NDIS follows a pointer into freed memory, bug check 0xD1.',
      looksAt:
        'NdisMIndicateStatusEx with the adapter’s handle after MiniportHaltEx has returned or MiniportInitializeEx has failed.',
    },
    'complete-after-halt': {
      why: 'NDIS has closed the request’s books and freed the adapter. A completion that comes now works on memory of someone else.',
      looksAt: 'Completion calls (send, OID, pause, restart, reset) with the adapter’s handle after its end.',
    },
    'adapter-handle-after-halt': {
      why: 'The handle is a pointer to NDIS’ block for the adapter, which NDIS frees after MiniportHaltEx or a failed MiniportInitializeEx.',
      looksAt: 'Any other NDIS call with the adapter’s handle after its end.',
    },
    'deregister-driver-in-halt': {
      why: 'Other adapters of the driver lose their routines, and the unload that follows deregisters a second time.',
      looksAt: 'NdisMDeregisterMiniportDriver inside MiniportHaltEx or MiniportInitializeEx.',
    },
    'isr-claims-foreign-interrupt': {
      why: 'On a shared line the system asks one routine after the other. One that says TRUE for a neighbour’s interrupt keeps the neighbour from being served: its device stalls, or the line storms.',
      allowed:
        'One round may be claimed for a cause that the NIC has masked, if the ISR acknowledges it: the neighbour is served by the next.',
      looksAt:
        'What MiniportInterrupt returns for an interrupt that the check raises on the shared line while the NIC has none, twice in a row.',
    },
    'wait-by-busy-loop': {
      why: 'A processor that spins serves nothing else; for longer than 50 microseconds sound stutters and other devices lose data.',
      allowed: 'NdisMSleep up to 30 s a call, and short stalls while a register settles.',
      looksAt: 'The time given to NdisStallExecution, KeStallExecutionProcessor and NdisMSleep.',
    },
    'ndis5-call': {
      why: 'Functions of NDIS 5 work on structures that an NDIS 6 adapter does not have; NDIS stops with 0x7C/15.',
      looksAt: 'Calls of functions that only NDIS 5 miniports may call.',
    },
  },
};
