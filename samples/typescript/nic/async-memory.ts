/** Shared memory that comes later: more receive buffers. Going without them is no failure. */
import { type Coroutine, type Handler, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { type Adapter, adapterAt, BUFFER_LENGTH, EXTRA_SLOTS, type Nic, RX_SLOTS, slotAt } from './adapter.ts';
import { freeBlock } from './shared-memory.ts';

export const asyncMemory = {
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    if (!adapter.WantExtraBuffers) return NDIS_STATUS_SUCCESS;
    const { wdk, parts } = nic;
    // Counted before the call: the completion may come before it returns.
    yield* wdk.locked(adapter.Lock, () => parts.pending.add(nic, adapter.SharedAllocations, 1));
    const status = yield* wdk.NdisMAllocateSharedMemoryAsyncEx({
      MiniportDmaHandle: adapter.DmaHandle,
      Length: EXTRA_SLOTS * BUFFER_LENGTH,
      Cached: true,
      Context: NULL,
    });
    if (status !== NDIS_STATUS_PENDING) {
      // No completion will come.
      yield* wdk.locked(adapter.Lock, () => parts.pending.remove(nic, adapter.SharedAllocations, 1));
    }
    return NDIS_STATUS_SUCCESS;
  },

  /** PASSIVE_LEVEL. The length that came is what must be given back. */
  completed: (nic: Nic): Handler<'MiniportSharedMemoryAllocateComplete'> =>
    function* MiniportSharedMemoryAllocateComplete({
      MiniportAdapterContext,
      VirtualAddress,
      PhysicalAddress,
      Length,
    }) {
      const { wdk, parts } = nic;
      const adapter = adapterAt(nic, MiniportAdapterContext);
      if (VirtualAddress !== NULL) {
        const block = adapter.Extra;
        block.Address = VirtualAddress;
        block.PhysicalAddress = wdk.memory.readPointer(PhysicalAddress);
        block.Length = Length;
        block.Cached = true;
        for (let index = 0; index < EXTRA_SLOTS; index++) {
          const slot = slotAt(nic, adapter, RX_SLOTS + index);
          const status = yield* parts.receiveBuffers.acquireSlot(nic, adapter, slot, block, index);
          if (status !== NDIS_STATUS_SUCCESS) break;
          yield* parts.receive.addFreeSlot(nic, adapter, slot);
        }
      }
      // Last: who waits goes on from here.
      yield* wdk.locked(adapter.Lock, () => parts.pending.remove(nic, adapter.SharedAllocations, 1));
    },

  /** Rules shared-memory-async-pending-at-halt and halt-leaks-shared-memory-async: first wait, then free what came. */
  *release(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.parts.pending.wait(nic, adapter, adapter.SharedAllocations);
    for (let index = 0; index < EXTRA_SLOTS; index++) {
      yield* nic.parts.receiveBuffers.releaseSlot(nic, slotAt(nic, adapter, RX_SLOTS + index));
    }
    if (adapter.Extra.Address !== NULL) yield* freeBlock(nic, adapter, adapter.Extra);
  },
};
