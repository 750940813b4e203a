/** Shared memory allocated while initializing: one block for both descriptor rings, one for receive buffers. */
import {
  type Coroutine,
  NDIS_ERROR_CODE_OUT_OF_RESOURCES,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NULL,
} from 'haltex';
import {
  type Adapter,
  BUFFER_LENGTH,
  type Nic,
  RX_DESCRIPTORS,
  RX_SLOTS,
  type SharedBlock,
  TX_DESCRIPTORS,
} from './adapter.ts';
import { DESCRIPTOR } from './hardware.ts';

export const RINGS_LENGTH = (RX_DESCRIPTORS + TX_DESCRIPTORS) * DESCRIPTOR.size;

export function* allocateBlock({ wdk }: Nic, adapter: Adapter, block: SharedBlock, Length: number): Coroutine<boolean> {
  const MiniportAdapterHandle = adapter.AdapterHandle;
  const given = yield* wdk.NdisMAllocateSharedMemory({ MiniportAdapterHandle, Length, Cached: true });
  if (given.VirtualAddress === NULL) {
    yield* wdk.NdisWriteErrorLogEntry({
      NdisAdapterHandle: MiniportAdapterHandle,
      ErrorCode: NDIS_ERROR_CODE_OUT_OF_RESOURCES,
      NumberOfErrorValues: 1,
      ErrorValues: [Length],
    });
    return false;
  }
  block.Address = given.VirtualAddress;
  block.PhysicalAddress = given.PhysicalAddress;
  block.Length = Length;
  block.Cached = true;
  wdk.memory.fill(block.Address, Length, 0);
  return true;
}

/** Rule shared-memory-free-mismatch: all four values are those of the allocation. */
export function* freeBlock({ wdk }: Nic, adapter: Adapter, block: SharedBlock): Coroutine<void> {
  yield* wdk.NdisMFreeSharedMemory({
    MiniportAdapterHandle: adapter.AdapterHandle,
    Length: block.Length,
    Cached: block.Cached,
    VirtualAddress: block.Address,
    PhysicalAddress: block.PhysicalAddress,
  });
  block.Address = NULL;
}

export const sharedMemory = {
  /** Rule init-sg-before-shared-memory: DMA was registered before. */
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    if (!(yield* allocateBlock(nic, adapter, adapter.Rings, RINGS_LENGTH))) return NDIS_STATUS_RESOURCES;
    if (!(yield* allocateBlock(nic, adapter, adapter.Buffers, RX_SLOTS * BUFFER_LENGTH))) {
      // Rule init-fail-leaks-shared-memory.
      yield* freeBlock(nic, adapter, adapter.Rings);
      return NDIS_STATUS_RESOURCES;
    }
    return NDIS_STATUS_SUCCESS;
  },

  /** Rule halt-leaks-shared-memory; the NIC's DMA has stopped before (halt-frees-memory-under-dma). */
  *release(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* freeBlock(nic, adapter, adapter.Buffers);
    yield* freeBlock(nic, adapter, adapter.Rings);
  },
};
