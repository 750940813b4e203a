/** Bus-master DMA: what scatter/gather lists and shared memory come from. */
import { type Coroutine, header, NDIS_SG_DMA_64_BIT_ADDRESS } from 'haltex';
import { type Adapter, MAX_FRAME, type Nic } from './adapter.ts';

export const dma = {
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    const { result, NdisMiniportDmaHandle } = yield* nic.wdk.NdisMRegisterScatterGatherDma({
      MiniportAdapterHandle: adapter.AdapterHandle,
      DmaDescription: {
        Header: header('NDIS_SG_DMA_DESCRIPTION'),
        Flags: NDIS_SG_DMA_64_BIT_ADDRESS,
        MaximumPhysicalMapping: MAX_FRAME,
        ProcessSGListHandler: nic.parts.send.processList(nic),
        SharedMemAllocateCompleteHandler: nic.parts.asyncMemory.completed(nic),
      },
    });
    adapter.DmaHandle = NdisMiniportDmaHandle;
    return result;
  },

  /**
   * Rule halt-leaks-sg-dma. All shared memory was freed, no allocation is pending (shared-memory-async-pending-at-halt), and
   * every send was completed, so that no scatter/gather list is left (sg-list-pending-at-halt).
   */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisMDeregisterScatterGatherDma({ NdisMiniportDmaHandle: adapter.DmaHandle });
  },
};
