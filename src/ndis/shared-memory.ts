/**
 * Memory that the driver and its device both use. It lies in guest memory like any other, is mapped for DMA while it lives,
 * and ends byte for byte at guard bytes, so an overrun by either side is seen at the access.
 * Pages: ndis-ndismallocatesharedmemory, ndis-ndismallocatesharedmemoryasyncex, ndis-ndismfreesharedmemory,
 * ndis-ndisallocatesharedmemory, ndis-ndisfreesharedmemory, ndis-ndismgetdmaalignment.
 */
import { pointer } from '../kernel/layout.ts';
import { BOOLEAN, D, failsWith, functionsOf, HANDLE, IN, OUT, P, POINTER, SIZE_T, ULONG } from '../kernel/record.ts';
import { listSize, writeList } from '../kernel/scatter-gather-lists.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import type { Stack } from '../trace/events.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportSharedMemoryAllocateComplete, NDIS_SHARED_MEMORY_PARAMETERS } from './dma-structures.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import type { DmaRegistration } from './scatter-gather-dma.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

/** A cache line, which blocks are aligned to and drivers round up to (assumed; x64 has no stricter need). */
const ALIGNMENT = 64;

interface Request {
  readonly dma: DmaRegistration;
  readonly length: number;
  readonly cached: boolean;
  readonly context: Address;
  /** The system has no memory by then. */
  readonly fails: boolean;
  readonly stack: Stack;
}

export interface Allocation {
  readonly virtual: Address;
  readonly physical: number;
}

export class SharedMemory {
  private readonly ndis: Ndis;
  /** Asynchronous requests that are not completed. */
  private readonly pending = new Set<Request>();
  /** Blocks of NdisAllocateSharedMemory by their handle. */
  private readonly provided = new Map<Handle, Address>();
  private workers = 0;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** A block of its own, mapped for its device. */
  allocate(length: number, stack: Stack): Allocation | undefined {
    if (length === 0) return undefined;
    const { heap, hardware } = this.ndis.kernel;
    const align = length < 4096 ? { align: ALIGNMENT } : {};
    const virtual = heap.allocate(length, 'shared memory', { stack, ...align });
    const physical = hardware.physicalOf(virtual);
    hardware.dma.add({ physical, size: length, what: 'shared memory', direction: 'both' });
    return { virtual, physical };
  }

  /** The mapping goes with the block. */
  free(virtual: Address): void {
    this.ndis.kernel.heap.free(virtual, this.ndis.kernel.stack());
  }

  /** Whether DMA has been registered, as the pages want it; if not, says so as a fact. */
  checkDma(adapter: Adapter, fn: string): boolean {
    if (this.ndis.dma.registered(adapter)) return true;
    emitFact(this.ndis.kernel, 'shared-memory-before-dma', { fn, adapter: hex(adapter.handle) });
    return false;
  }

  /** A system thread allocates and completes. */
  request(request: Request): void {
    this.pending.add(request);
    const { scheduler } = this.ndis.kernel;
    scheduler.startThread(`worker thread of NDIS ${++this.workers} (shared memory)`, this.complete(request));
  }

  private *complete(request: Request): Coroutine<void> {
    // Deregistered or halted in the meantime.
    if (!this.pending.has(request)) return;
    const { heap, invoker, memory, resources } = this.ndis.kernel;
    const { dma, length, cached, context, stack } = request;
    const block = request.fails ? undefined : this.allocate(length, stack);
    const address = heap.allocate(8, 'NDIS_PHYSICAL_ADDRESS', { fill: 0 });
    if (block !== undefined) {
      memory.writePointer(address, block.physical);
      resources.acquire('shared-memory-async', block.virtual, {
        fn: 'NdisMAllocateSharedMemoryAsyncEx',
        owner: dma.handle,
        detail: blockDetail(dma.adapter.handle, length, cached, block.virtual, block.physical),
        stack,
      });
    }
    this.pending.delete(request);
    yield* invoker.invoke(
      MiniportSharedMemoryAllocateComplete,
      dma.sharedMemoryComplete,
      {
        MiniportAdapterContext: dma.adapter.context,
        VirtualAddress: block?.virtual ?? NULL,
        PhysicalAddress: block === undefined ? NULL : address,
        Length: length,
        Context: context,
      },
      dma.adapter.handle,
    );
    heap.free(address);
  }

  /** What NDIS does with a request that is still open then is a gap (contract.md X1): here it is a fact, and forgotten. */
  abandon(which: (request: Request) => boolean, at: 'halt' | 'failed initialize' | 'deregister'): void {
    for (const request of this.pending) {
      if (!which(request)) continue;
      this.pending.delete(request);
      const { dma, length, stack } = request;
      const detail = { dma: hex(dma.handle), adapter: hex(dma.adapter.handle), length, at };
      this.ndis.kernel.trace.emit({ kind: 'fact', what: 'shared-memory-async-pending', detail, stack });
    }
  }

  adapterGone(adapter: Adapter, after: 'halt' | 'failed initialize'): void {
    this.abandon(({ dma }) => dma.adapter === adapter, after);
  }

  provide(length: number): { readonly handle: Handle; readonly block: Allocation } | undefined {
    const block = this.allocate(length, this.ndis.kernel.stack());
    if (block === undefined) return undefined;
    const handle = this.ndis.newHandle('NDIS shared memory handle');
    this.provided.set(handle, block.virtual);
    return { handle, block };
  }

  takeBack(handle: Handle): void {
    const virtual = this.provided.get(handle);
    if (virtual === undefined) return;
    this.provided.delete(handle);
    this.free(virtual);
  }
}

/** What NdisMFreeSharedMemory must repeat. */
function blockDetail(adapter: Handle, Length: number, Cached: boolean, virtual: Address, physical: number) {
  return {
    MiniportAdapterHandle: hex(adapter),
    Length,
    Cached,
    VirtualAddress: hex(virtual),
    PhysicalAddress: hex(physical),
  };
}

const f = functionsOf<Ndis>();

export const sharedMemoryFunctions = {
  NdisMAllocateSharedMemory: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismallocatesharedmemory',
    params: {
      MiniportAdapterHandle: HANDLE,
      Length: ULONG,
      Cached: BOOLEAN,
      VirtualAddress: OUT(pointer),
      PhysicalAddress: OUT(pointer),
    },
    returns: 'void',
    irql: P,
    acquires: {
      type: 'shared-memory',
      key: ({ VirtualAddress }) => VirtualAddress.get(),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      detail: ({ MiniportAdapterHandle, Length, Cached, VirtualAddress, PhysicalAddress }) =>
        blockDetail(MiniportAdapterHandle, Length, Cached, VirtualAddress.get(), PhysicalAddress.get()),
      when: ({ VirtualAddress }) => VirtualAddress.get() !== NULL,
    },
    failures: [
      {
        id: 'null',
        fail({ VirtualAddress, PhysicalAddress }) {
          VirtualAddress.set(NULL);
          PhysicalAddress.set(NULL);
          return undefined;
        },
      },
    ],
    body(ndis, { MiniportAdapterHandle, Length, VirtualAddress, PhysicalAddress }, { fn }) {
      const adapter = ndis.adapterOf(MiniportAdapterHandle);
      const block =
        adapter !== undefined && ndis.sharedMemory.checkDma(adapter, fn)
          ? ndis.sharedMemory.allocate(Length, ndis.kernel.stack())
          : undefined;
      VirtualAddress.set(block?.virtual ?? NULL);
      PhysicalAddress.set((block?.physical ?? 0) as Address);
      return undefined;
    },
  }),

  NdisMAllocateSharedMemoryAsyncEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismallocatesharedmemoryasyncex',
    params: { MiniportDmaHandle: HANDLE, Length: ULONG, Cached: BOOLEAN, Context: POINTER },
    returns: 'status',
    irql: D,
    failures: [
      failsWith('failure', NDIS_STATUS_FAILURE),
      // PENDING, but the completion brings NULL.
      { id: 'null' },
    ],
    body(ndis, { MiniportDmaHandle, Length, Cached, Context }, { fn, soft }) {
      const dma = ndis.dma.named(MiniportDmaHandle, fn);
      if (dma === undefined || dma.sharedMemoryComplete === NULL) return NDIS_STATUS_FAILURE;
      ndis.sharedMemory.request({
        dma,
        length: Length,
        cached: Cached,
        context: Context,
        fails: soft === 'null',
        stack: ndis.kernel.stack(),
      });
      return NDIS_STATUS_PENDING;
    },
  }),

  NdisMFreeSharedMemory: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismfreesharedmemory',
    params: {
      MiniportAdapterHandle: HANDLE,
      Length: ULONG,
      Cached: BOOLEAN,
      VirtualAddress: POINTER,
      PhysicalAddress: SIZE_T,
    },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['shared-memory', 'shared-memory-async'],
      key: ({ VirtualAddress }) => VirtualAddress,
      match: ({ MiniportAdapterHandle, Length, Cached, VirtualAddress, PhysicalAddress }) =>
        blockDetail(MiniportAdapterHandle, Length, Cached, VirtualAddress, PhysicalAddress),
      otherwise: () => undefined,
    },
    body(ndis, { VirtualAddress }) {
      ndis.sharedMemory.free(VirtualAddress);
      return undefined;
    },
  }),

  NdisAllocateSharedMemory: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisallocatesharedmemory',
    params: {
      NdisHandle: HANDLE,
      SharedMemoryParameters: IN(NDIS_SHARED_MEMORY_PARAMETERS),
      pAllocationHandle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'provider-shared-memory',
      key: ({ pAllocationHandle }) => pAllocationHandle.get(),
      owner: ({ NdisHandle }) => NdisHandle,
      detail: ({ NdisHandle, SharedMemoryParameters: { Length, QueueId } }) => ({
        NdisHandle: hex(NdisHandle),
        Length,
        QueueId,
      }),
    },
    failures: (
      [
        ['resources', NDIS_STATUS_RESOURCES],
        ['invalid-parameter', NDIS_STATUS_INVALID_PARAMETER],
        ['failure', NDIS_STATUS_FAILURE],
      ] as const
    ).map(([id, status]) => ({
      id,
      fail({ pAllocationHandle }) {
        pAllocationHandle.set(NULL);
        return status;
      },
    })),
    body(ndis, { NdisHandle, SharedMemoryParameters: parameters, pAllocationHandle }, { fn }) {
      const adapter = ndis.adapterOf(NdisHandle);
      pAllocationHandle.set(NULL);
      if (adapter !== undefined && !ndis.sharedMemory.checkDma(adapter, fn)) return NDIS_STATUS_FAILURE;
      if (parameters.SGListBuffer === NULL || parameters.SGListBufferLength < listSize(1)) {
        return NDIS_STATUS_INVALID_PARAMETER;
      }
      const given = ndis.sharedMemory.provide(parameters.Length);
      if (given === undefined) return NDIS_STATUS_INVALID_PARAMETER;
      const { handle, block } = given;
      parameters.VirtualAddress = block.virtual;
      parameters.SharedMemoryHandle = handle;
      writeList(ndis.kernel.memory, parameters.SGListBuffer, [{ physical: block.physical, size: parameters.Length }]);
      pAllocationHandle.set(handle);
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisFreeSharedMemory: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisfreesharedmemory',
    params: { NdisHandle: HANDLE, AllocationHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['provider-shared-memory'],
      key: ({ AllocationHandle }) => AllocationHandle,
      match: ({ NdisHandle }) => ({ NdisHandle: hex(NdisHandle) }),
      otherwise: () => undefined,
    },
    body(ndis, { AllocationHandle }) {
      ndis.sharedMemory.takeBack(AllocationHandle);
      return undefined;
    },
  }),

  NdisGetSharedDataAlignment: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisgetshareddataalignment',
    params: {},
    returns: 'u32',
    irql: D,
    body: () => ALIGNMENT,
  }),

  NdisMGetDmaAlignment: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismgetdmaalignment',
    params: { MiniportAdapterHandle: HANDLE },
    returns: 'u32',
    irql: P,
    body(ndis, { MiniportAdapterHandle }, { fn }) {
      const adapter = ndis.adapterOf(MiniportAdapterHandle);
      if (adapter !== undefined) ndis.sharedMemory.checkDma(adapter, fn);
      return ALIGNMENT;
    },
  }),
};
