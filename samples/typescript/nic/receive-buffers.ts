/** Receive slots: an MDL, a NET_BUFFER and a NET_BUFFER_LIST over a part of a shared block. */
import { at, type Coroutine, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NET_BUFFER_LIST, NULL } from 'haltex';
import { type Adapter, BUFFER_LENGTH, type Nic, RX_SLOTS, type SharedBlock, type Slot, slotAt } from './adapter.ts';

/** MiniportReserved[0] of a receive list: its slot. */
const SLOT_OF_LIST = NET_BUFFER_LIST.offset('MiniportReserved');

export const receiveBuffers = {
  *acquireSlot(nic: Nic, adapter: Adapter, slot: Slot, block: SharedBlock, index: number): Coroutine<number> {
    const { wdk } = nic;
    const offset = index * BUFFER_LENGTH;
    slot.Data = at(block.Address, offset);
    slot.PhysicalAddress = at(block.PhysicalAddress, offset);
    slot.Mdl = yield* wdk.NdisAllocateMdl({
      NdisHandle: adapter.AdapterHandle,
      VirtualAddress: slot.Data,
      Length: BUFFER_LENGTH,
    });
    if (slot.Mdl !== NULL) {
      slot.NetBuffer = yield* wdk.NdisAllocateNetBuffer({
        PoolHandle: adapter.NetBufferPool,
        MdlChain: slot.Mdl,
        DataOffset: 0,
        DataLength: 0,
      });
    }
    if (slot.NetBuffer !== NULL) {
      slot.NetBufferList = yield* wdk.NdisAllocateNetBufferList({
        PoolHandle: adapter.NetBufferListPool,
        ContextSize: 0,
        ContextBackFill: 0,
      });
    }
    if (slot.NetBufferList === NULL) {
      yield* nic.parts.receiveBuffers.releaseSlot(nic, slot);
      return NDIS_STATUS_RESOURCES;
    }
    wdk.memory.writePointer(at(slot.NetBufferList, SLOT_OF_LIST), slot.address);
    return NDIS_STATUS_SUCCESS;
  },

  /**
   * Rules halt-leaks-nbl, halt-leaks-nb, halt-leaks-mdl. The NET_BUFFER was allocated by itself, so freeing the list does not
   * free it; the MDL goes before the memory it describes.
   */
  *releaseSlot({ wdk }: Nic, slot: Slot): Coroutine<void> {
    if (slot.NetBufferList !== NULL) yield* wdk.NdisFreeNetBufferList({ NetBufferList: slot.NetBufferList });
    if (slot.NetBuffer !== NULL) yield* wdk.NdisFreeNetBuffer({ NetBuffer: slot.NetBuffer });
    if (slot.Mdl !== NULL) yield* wdk.NdisFreeMdl({ Mdl: slot.Mdl });
    slot.NetBufferList = NULL;
    slot.NetBuffer = NULL;
    slot.Mdl = NULL;
  },

  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    for (let index = 0; index < RX_SLOTS; index++) {
      const slot = slotAt(nic, adapter, index);
      const status = yield* nic.parts.receiveBuffers.acquireSlot(nic, adapter, slot, adapter.Buffers, index);
      if (status !== NDIS_STATUS_SUCCESS) {
        yield* nic.parts.receiveBuffers.release(nic, adapter);
        return status;
      }
      yield* nic.parts.receive.addFreeSlot(nic, adapter, slot);
    }
    return NDIS_STATUS_SUCCESS;
  },

  /** Every list is back (rule halt-returns-before-nbls-returned), and DMA has stopped (halt-frees-memory-under-dma). */
  *release(nic: Nic, adapter: Adapter): Coroutine<void> {
    for (let index = 0; index < RX_SLOTS; index++) {
      yield* nic.parts.receiveBuffers.releaseSlot(nic, slotAt(nic, adapter, index));
    }
  },
};
