/** Halt: everything initialize did and everything that came later, undone. The order is the reverse of initialize's. */
import { type Coroutine, NdisHaltDeviceSurpriseRemoved } from 'haltex';
import type { Adapter, Nic } from './adapter.ts';

export const halt = {
  /**
   * PASSIVE_LEVEL. NDIS has paused the adapter; no request and no send is outstanding, and none will come. Why it is halted
   * matters for the hardware only: the rest is given back always (rules halt-ignores-action,
   * powered-down-halt-keeps-resources).
   */
  *run(nic: Nic, adapter: Adapter, action: number): Coroutine<void> {
    const { parts } = nic;
    adapter.Halting = true;
    // Rule halt-touches-removed-hardware: from now on the register functions do nothing.
    if (action === NdisHaltDeviceSurpriseRemoved) adapter.Removed = true;

    // Rule halt-cancels-timers-first.
    yield* parts.timers.stop(nic, adapter);
    // Rule halt-deregisters-with-nic-interrupting: the NIC is masked first.
    yield* parts.interrupts.disable(nic, adapter);
    yield* parts.ports.release(nic, adapter);
    // Rule halt-deregisters-interrupt-late: before anything that the ISR or its DPC uses is given back.
    yield* parts.interrupts.release(nic, adapter);
    // Rule halt-returns-with-async-work. Nobody is left to queue more.
    yield* parts.workItems.stop(nic, adapter);
    // Rule halt-returns-before-nbls-returned. A correct pause has seen to it already; waiting again costs nothing.
    yield* parts.pending.wait(nic, adapter, adapter.DataPath);
    // Rules halt-leaves-nic-running and, since memory is freed next, halt-frees-memory-under-dma.
    yield* parts.hardware.release(nic, adapter);

    yield* parts.asyncMemory.release(nic, adapter);
    yield* parts.receiveBuffers.release(nic, adapter);
    yield* parts.sharedMemory.release(nic, adapter);
    yield* parts.dma.release(nic, adapter);
    yield* parts.ioSpace.release(nic, adapter);
    yield* parts.ioPorts.release(nic, adapter);
    yield* parts.workItems.release(nic, adapter);
    yield* parts.timers.release(nic, adapter);
    yield* parts.pools.release(nic, adapter);
    yield* parts.memory.release(nic, adapter);
    yield* parts.memory.freeAdapter(nic, adapter);
  },
};
