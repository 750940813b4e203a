/**
 * Bus-master DMA: the registration everything else is made with, and scatter/gather lists of NET_BUFFERs. A list's memory is
 * mapped for the device from MiniportProcessSGList's call until NdisMFreeNetBufferSGList.
 * Pages: ndis-ndismregisterscattergatherdma, ndis-ndismallocatenetbuffersglist, nc-ndis-miniport_process_sg_list.
 */
import type { DmaMapping } from '../kernel/dma-mappings.ts';
import { PAGE_SIZE } from '../kernel/heap.ts';
import { pointer } from '../kernel/layout.ts';
import { EXACTLY_D, failsWith, functionsOf, HANDLE, IN, OUT, P, POINTER, ULONG } from '../kernel/record.ts';
import { listSize, type Piece, writeList } from '../kernel/scatter-gather-lists.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import type { Stack } from '../trace/events.ts';
import { type Address, DISPATCH_LEVEL, type Handle, hex, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportProcessSGList, NDIS_SG_DMA_DESCRIPTION, WRITE_TO_DEVICE } from './dma-structures.ts';
import { Attributes } from './driver-structures.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { NET_BUFFER, type NetBuffer } from './net-buffer-structures.ts';
import { headerFault, ObjectType } from './object-header.ts';
import {
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

/** One NdisMRegisterScatterGatherDma. */
export interface DmaRegistration {
  readonly adapter: Adapter;
  readonly handle: Handle;
  readonly processList: Address;
  readonly sharedMemoryComplete: Address;
  /** What MiniportProcessSGList gets for a device object; drivers ignore it (page). */
  readonly deviceObject: Handle;
  live: boolean;
}

interface List {
  readonly mappings: readonly DmaMapping[];
  /** Storage that is NDIS' own. */
  readonly own: boolean;
}

interface Request {
  readonly dma: DmaRegistration;
  readonly netBuffer: NetBuffer;
  readonly context: Address;
  readonly flags: number;
  readonly storage: Address;
  readonly storageSize: number;
  readonly stack: Stack;
}

export class ScatterGatherDma {
  private readonly ndis: Ndis;
  private readonly registrations: DmaRegistration[] = [];
  /** Lists the driver has, by address. */
  private readonly lists = new Map<Address, List>();
  /** Lists whose MiniportProcessSGList is still to come. */
  private readonly pending = new Set<Request>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  register(adapter: Adapter, processList: Address, sharedMemoryComplete: Address): Handle {
    const handle = this.ndis.newHandle('NDIS DMA handle');
    const deviceObject = this.ndis.newHandle('DEVICE_OBJECT');
    this.registrations.push({ adapter, handle, processList, sharedMemoryComplete, deviceObject, live: true });
    return handle;
  }

  registered(adapter: Adapter): boolean {
    return this.registrations.some((registration) => registration.live && registration.adapter === adapter);
  }

  /** The registration a handle names; a fact when it names none. */
  named(handle: Handle, fn: string): DmaRegistration | undefined {
    const registration = this.registrations.find((candidate) => candidate.handle === handle);
    if (registration?.live) return registration;
    const was = registration !== undefined ? 'deregistered' : handle === NULL ? 'NULL' : 'never registered';
    emitFact(this.ndis.kernel, 'dma-handle-not-valid', { fn, handle: hex(handle), was });
    return undefined;
  }

  deregister(handle: Handle): void {
    const registration = this.registrations.find((candidate) => candidate.handle === handle);
    if (registration === undefined) return;
    this.abandon((request) => request.dma === registration, 'deregister');
    this.ndis.sharedMemory.abandon((request) => request.dma === registration, 'deregister');
    registration.live = false;
  }

  /** The adapter is halted: no callback comes any more. */
  adapterGone(adapter: Adapter, after: 'halt' | 'failed initialize'): void {
    this.abandon(({ dma }) => dma.adapter === adapter, after);
    for (const registration of this.registrations) if (registration.adapter === adapter) registration.live = false;
  }

  /** What NDIS does with a request that is still open then is a gap (contract.md X1): here it is a fact, and forgotten. */
  private abandon(which: (request: Request) => boolean, at: string): void {
    for (const request of this.pending) {
      if (!which(request)) continue;
      this.pending.delete(request);
      const { dma, netBuffer, stack } = request;
      const detail = { dma: hex(dma.handle), adapter: hex(dma.adapter.handle), netBuffer: hex(netBuffer.address), at };
      this.ndis.kernel.trace.emit({ kind: 'fact', what: 'sg-list-pending', detail, stack });
    }
  }

  /** Calls MiniportProcessSGList, now or, when HAL has to wait for map registers, a little later. */
  *allocate(request: Request, late: boolean): Coroutine<number> {
    const { dpcs } = this.ndis.kernel;
    this.pending.add(request);
    if (late) {
      dpcs.queue({ name: 'DMA adapter', source: request, start: () => this.process(request) });
      return NDIS_STATUS_SUCCESS;
    }
    yield* this.process(request);
    return NDIS_STATUS_SUCCESS;
  }

  private *process(request: Request): Coroutine<void> {
    // Deregistered or halted in the meantime.
    if (!this.pending.delete(request)) return;
    const { invoker, scheduler } = this.ndis.kernel;
    const { dma } = request;
    const list = this.build(request);
    const irql = scheduler.irql;
    if (irql < DISPATCH_LEVEL) scheduler.setIrql(DISPATCH_LEVEL);
    yield* invoker.invoke(
      MiniportProcessSGList,
      dma.processList,
      { pDO: dma.deviceObject, Reserved: NULL, pSGL: list, Context: request.context },
      dma.adapter.handle,
    );
    scheduler.setIrql(irql);
  }

  private build(request: Request): Address {
    const { heap, hardware, memory, resources } = this.ndis.kernel;
    const { dma, netBuffer, storage, storageSize, flags, stack } = request;
    const pieces = this.piecesOf(netBuffer);
    const size = listSize(pieces.length);
    const own = storage === NULL || storageSize < size;
    const list = own ? heap.allocate(size, 'scatter/gather list', { stack }) : storage;
    writeList(memory, list, pieces);
    const direction = (flags & WRITE_TO_DEVICE) !== 0 ? 'read' : 'write';
    const mappings = pieces.map((piece) =>
      hardware.dma.add({ ...piece, what: 'scatter/gather list of a NET_BUFFER', direction }),
    );
    this.lists.set(list, { mappings, own });
    resources.acquire('sg-list', list, {
      fn: 'NdisMAllocateNetBufferSGList',
      owner: dma.handle,
      detail: { NdisMiniportDmaHandle: hex(dma.handle), NetBuffer: hex(netBuffer.address), elements: pieces.length },
      stack,
    });
    return list;
  }

  /** From the beginning of CurrentMdl, not of the data (page); one piece a physically contiguous MDL. */
  private piecesOf(netBuffer: NetBuffer): Piece[] {
    const { mdls, hardware } = this.ndis.kernel;
    const pieces: Piece[] = [];
    let left = netBuffer.CurrentMdlOffset + netBuffer.DataLength;
    for (let next = netBuffer.CurrentMdl; next !== NULL && left > 0; ) {
      const mdl = mdls.at(next);
      const size = Math.min(mdl.ByteCount, left);
      if (size > 0) pieces.push({ physical: hardware.physicalOf(mdls.addressOf(mdl)), size });
      left -= size;
      next = mdl.Next;
    }
    if (left > 0) {
      emitFact(this.ndis.kernel, 'net-buffer-data-short', { netBuffer: hex(netBuffer.address), missing: left });
    }
    return pieces;
  }

  free(address: Address): void {
    const list = this.lists.get(address);
    if (list === undefined) return;
    const { hardware, heap } = this.ndis.kernel;
    const stack = this.ndis.kernel.stack();
    for (const mapping of list.mappings) hardware.dma.end(mapping, stack);
    this.lists.delete(address);
    if (list.own) heap.free(address, stack);
  }
}

const f = functionsOf<Ndis>();

export const scatterGatherDmaFunctions = {
  NdisMRegisterScatterGatherDma: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismregisterscattergatherdma',
    params: {
      MiniportAdapterHandle: HANDLE,
      DmaDescription: IN(NDIS_SG_DMA_DESCRIPTION),
      NdisMiniportDmaHandle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'sg-dma',
      key: ({ NdisMiniportDmaHandle }) => NdisMiniportDmaHandle.get(),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      detail: ({ DmaDescription }) => ({ MaximumPhysicalMapping: DmaDescription.MaximumPhysicalMapping }),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('not-supported', NDIS_STATUS_NOT_SUPPORTED),
      failsWith('bad-version', NDIS_STATUS_BAD_VERSION),
    ],
    body(ndis, { MiniportAdapterHandle, DmaDescription: description, NdisMiniportDmaHandle }) {
      const adapter = ndis.adapterOf(MiniportAdapterHandle);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      if (headerFault(description.Header, ObjectType.SG_DMA_DESCRIPTION, [NDIS_SG_DMA_DESCRIPTION.end]) !== undefined) {
        return NDIS_STATUS_BAD_VERSION;
      }
      if ((adapter.attributeFlags & Attributes.BUS_MASTER) === 0) return NDIS_STATUS_NOT_SUPPORTED;
      // Room for the largest packet that begins anywhere in a page (assumed; HAL's own number is larger).
      description.ScatterGatherListSize = listSize(Math.ceil(description.MaximumPhysicalMapping / PAGE_SIZE) + 1);
      NdisMiniportDmaHandle.set(
        ndis.dma.register(adapter, description.ProcessSGListHandler, description.SharedMemAllocateCompleteHandler),
      );
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisMDeregisterScatterGatherDma: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismderegisterscattergatherdma',
    params: { NdisMiniportDmaHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['sg-dma'],
      key: ({ NdisMiniportDmaHandle }) => NdisMiniportDmaHandle,
      otherwise: () => undefined,
    },
    body(ndis, { NdisMiniportDmaHandle }) {
      ndis.dma.deregister(NdisMiniportDmaHandle);
      return undefined;
    },
  }),

  NdisMAllocateNetBufferSGList: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismallocatenetbuffersglist',
    params: {
      NdisMiniportDmaHandle: HANDLE,
      NetBuffer: IN(NET_BUFFER),
      Context: POINTER,
      Flags: ULONG,
      ScatterGatherListBuffer: POINTER,
      ScatterGatherListBufferSize: ULONG,
    },
    returns: 'status',
    irql: EXACTLY_D,
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      // SUCCESS, but MiniportProcessSGList comes after the call has returned.
      { id: 'late' },
      // SUCCESS, but the list is not in the caller's buffer.
      { id: 'other-buffer', when: ({ ScatterGatherListBuffer }) => ScatterGatherListBuffer !== NULL },
    ],
    *body(ndis, args, { soft, fn }): Coroutine<number> {
      const dma = ndis.dma.named(args.NdisMiniportDmaHandle, fn);
      if (dma === undefined) return NDIS_STATUS_FAILURE;
      return yield* ndis.dma.allocate(
        {
          dma,
          netBuffer: args.NetBuffer,
          context: args.Context,
          flags: args.Flags,
          storage: soft === 'other-buffer' ? NULL : args.ScatterGatherListBuffer,
          storageSize: args.ScatterGatherListBufferSize,
          stack: ndis.kernel.stack(),
        },
        soft === 'late',
      );
    },
  }),

  NdisMFreeNetBufferSGList: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismfreenetbuffersglist',
    params: { NdisMiniportDmaHandle: HANDLE, pSGL: POINTER, NetBuffer: POINTER },
    returns: 'void',
    irql: EXACTLY_D,
    undoes: {
      types: ['sg-list'],
      key: ({ pSGL }) => pSGL,
      match: ({ NdisMiniportDmaHandle, NetBuffer }) => ({
        NdisMiniportDmaHandle: hex(NdisMiniportDmaHandle),
        NetBuffer: hex(NetBuffer),
      }),
      otherwise: () => undefined,
    },
    body(ndis, { NdisMiniportDmaHandle, pSGL }, { fn }) {
      ndis.dma.named(NdisMiniportDmaHandle, fn);
      ndis.dma.free(pSGL);
      return undefined;
    },
  }),
};
