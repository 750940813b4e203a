/**
 * NET_BUFFERs: where they come from, and what drivers ask about their data. A NET_BUFFER that comes with data has its MDL and
 * buffer for life. Pages: nblapi-ndisallocatenetbuffer, nblapi-ndisallocatenetbuffermdlanddata, nblapi-ndisfreenetbuffer,
 * nblapi-ndisgetdatabuffer, nblapi-ndiscopyfromnetbuffertonetbuffer and their neighbours.
 */
import { u32 } from '../kernel/layout.ts';
import { ANY, D, failsNull, failsWith, functionsOf, HANDLE, OUT, POINTER, SIZE_T, ULONG } from '../kernel/record.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import type { NetPool } from './net-buffer-pools.ts';
import { NET_BUFFER, type NetBuffer } from './net-buffer-structures.ts';
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS } from './status.ts';

/** What a new NET_BUFFER describes. */
export interface NetBufferContents {
  readonly mdlChain: Address;
  readonly dataOffset: number;
  readonly dataLength: number;
}

const EMPTY: NetBufferContents = { mdlChain: NULL, dataOffset: 0, dataLength: 0 };

interface Origin {
  readonly pool: NetPool | undefined;
  /** The MDLs and buffers that NDIS made with it. */
  readonly mdls: Address[];
  readonly buffers: Address[];
}

export class NetBuffers {
  private readonly ndis: Ndis;
  private readonly origins = new Map<Address, Origin>();
  private internalPool: Handle | undefined;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** The pool handle in what NDIS allocated for itself. */
  get internal(): Handle {
    this.internalPool ??= this.ndis.newHandle('internal pool of NDIS');
    return this.internalPool;
  }

  /** A NET_BUFFER on a chain of MDLs. `mdls` and `buffers` go when it goes. */
  create(
    contents: NetBufferContents,
    owner: { pool?: NetPool | undefined; mdls?: readonly Address[]; buffers?: readonly Address[] } = {},
  ): NetBuffer {
    const { heap, memory } = this.ndis.kernel;
    const { pool, mdls = [], buffers = [] } = owner;
    const what = pool === undefined ? 'NET_BUFFER of NDIS' : `NET_BUFFER of pool '${pool.tag}'`;
    const buffer = NET_BUFFER.at(
      memory,
      heap.allocate(NET_BUFFER.size, what, { fill: 0, stack: this.ndis.kernel.stack() }),
    );
    buffer.MdlChain = contents.mdlChain;
    buffer.DataOffset = contents.dataOffset;
    buffer.DataLength = contents.dataLength;
    buffer.NdisPoolHandle = pool?.handle ?? this.internal;
    this.ndis.netBufferData.adjustCurrent(buffer);
    this.origins.set(buffer.address, { pool, mdls: [...mdls], buffers: [...buffers] });
    if (pool?.kind === 'NET_BUFFER') pool.members.add(buffer.address);
    return buffer;
  }

  /**
   * A NET_BUFFER as its pool says: with a data buffer and its MDL, or with nothing. All of the buffer is unused data space at
   * first: drivers retreat into it (observed in drivers that do so without asking for memory).
   */
  createFrom(pool: NetPool): NetBuffer {
    if (pool.dataSize === 0) return this.create(EMPTY, { pool });
    const { heap, mdls } = this.ndis.kernel;
    const stack = this.ndis.kernel.stack();
    const data = heap.allocate(pool.dataSize, `data buffer of pool '${pool.tag}'`, { stack });
    const mdl = mdls.describe(data, pool.dataSize, `MDL of pool '${pool.tag}'`, stack).address;
    return this.create(
      { mdlChain: mdl, dataOffset: pool.dataSize, dataLength: 0 },
      { pool, mdls: [mdl], buffers: [data] },
    );
  }

  /** An MDL and its memory go when the NET_BUFFER goes. */
  own(buffer: Address, mdl: Address, data: Address): void {
    const origin = this.origins.get(buffer);
    origin?.mdls.push(mdl);
    origin?.buffers.push(data);
  }

  /** Frees it with what came with it. NDIS looks into its pool: one that was freed before faults. */
  dispose(address: Address): void {
    const { kernel } = this.ndis;
    const origin = this.origins.get(address);
    if (origin === undefined) return;
    const { pool } = origin;
    if (pool?.kind === 'NET_BUFFER' && this.ndis.netBufferPools.find(pool.handle, pool.kind) !== undefined) {
      pool.members.delete(address);
    }
    this.origins.delete(address);
    const stack = kernel.stack();
    for (const block of [...origin.mdls, ...origin.buffers, address]) kernel.heap.free(block, stack);
  }
}

/** A pool of the wrong make for a call: a fact, and NULL (assumed; the kit's NDIS asserts). */
export function refuse(ndis: Ndis, fn: string, reason: string): Address {
  emitFact(ndis.kernel, 'nbl-pool-kind-mismatch', { fn, reason });
  return NULL;
}

/** A driver's NET_BUFFER. Calls take it as a pointer, not as a structure: freeing one twice must not fault on its fields. */
const bufferAt = (ndis: Ndis, address: Address) => NET_BUFFER.at(ndis.kernel.memory, address);

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const acquiresNetBuffer = {
  type: 'nb',
  key: (_: unknown, result: Address) => result,
  detail: ({ PoolHandle }: { PoolHandle: Handle }) => ({ PoolHandle: hex(PoolHandle) }),
};

export const netBufferFunctions = {
  NdisAllocateNetBuffer: f({
    ...common,
    page: 'nblapi-ndisallocatenetbuffer',
    params: { PoolHandle: HANDLE, MdlChain: POINTER, DataOffset: ULONG, DataLength: SIZE_T },
    returns: 'pointer',
    irql: D,
    acquires: acquiresNetBuffer,
    failures: [failsNull],
    body(ndis, { PoolHandle, MdlChain, DataOffset, DataLength }, { fn }) {
      const pool = ndis.netBufferPools.find(PoolHandle, 'NET_BUFFER');
      if (pool === undefined) return NULL;
      if (pool.dataSize !== 0)
        refuse(ndis, fn, 'the pool has data buffers: NdisAllocateNetBufferMdlAndData is its call');
      const contents = { mdlChain: MdlChain, dataOffset: DataOffset, dataLength: DataLength };
      return ndis.netBuffers.create(contents, { pool }).address;
    },
  }),

  NdisAllocateNetBufferMdlAndData: f({
    ...common,
    page: 'nblapi-ndisallocatenetbuffermdlanddata',
    params: { PoolHandle: HANDLE },
    returns: 'pointer',
    irql: D,
    acquires: acquiresNetBuffer,
    failures: [failsNull],
    body(ndis, { PoolHandle }, { fn }) {
      const pool = ndis.netBufferPools.find(PoolHandle, 'NET_BUFFER');
      if (pool === undefined) return NULL;
      if (pool.dataSize === 0) return refuse(ndis, fn, 'the pool has no data buffers');
      return ndis.netBuffers.createFrom(pool).address;
    },
  }),

  NdisFreeNetBuffer: f({
    ...common,
    page: 'nblapi-ndisfreenetbuffer',
    params: { NetBuffer: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['nb'], key: ({ NetBuffer }) => NetBuffer, otherwise: () => undefined },
    body(ndis, { NetBuffer }) {
      ndis.netBuffers.dispose(NetBuffer);
      return undefined;
    },
  }),

  NdisGetPoolFromNetBuffer: f({
    ...common,
    page: 'nblapi-ndisgetpoolfromnetbuffer',
    params: { NetBuffer: POINTER },
    returns: 'pointer',
    irql: D,
    body: (ndis, { NetBuffer }) => bufferAt(ndis, NetBuffer).NdisPoolHandle,
  }),

  NdisGetDataBuffer: f({
    ...common,
    page: 'nblapi-ndisgetdatabuffer',
    params: {
      NetBuffer: POINTER,
      BytesNeeded: ULONG,
      Storage: POINTER,
      AlignMultiple: ULONG,
      AlignOffset: ULONG,
    },
    returns: 'pointer',
    irql: D,
    body(ndis, { NetBuffer, BytesNeeded, Storage, AlignMultiple, AlignOffset }) {
      const buffer = bufferAt(ndis, NetBuffer);
      if (buffer.DataLength < BytesNeeded) return NULL;
      const segments = ndis.netBufferData.segments(buffer, 0, BytesNeeded);
      const [only, ...more] = segments;
      // Contiguous means within one MDL, even where the next one begins at the next address (assumed).
      if (only !== undefined && more.length === 0 && isAligned(only.address, AlignMultiple, AlignOffset))
        return only.address;
      if (Storage === NULL) return NULL;
      const data = ndis.netBufferData.gather(segments);
      if (data.length < BytesNeeded) return NULL;
      ndis.kernel.memory.write(Storage, data);
      return Storage;
    },
  }),

  NdisAdjustNetBufferCurrentMdl: f({
    ...common,
    page: 'nblapi-ndisadjustnetbuffercurrentmdl',
    params: { NetBuffer: POINTER },
    returns: 'void',
    irql: ANY,
    body(ndis, { NetBuffer }) {
      ndis.netBufferData.adjustCurrent(bufferAt(ndis, NetBuffer));
      return undefined;
    },
  }),

  NdisCopyFromNetBufferToNetBuffer: f({
    ...common,
    page: 'nblapi-ndiscopyfromnetbuffertonetbuffer',
    params: {
      Destination: POINTER,
      DestinationOffset: ULONG,
      BytesToCopy: ULONG,
      Source: POINTER,
      SourceOffset: ULONG,
      BytesCopied: OUT(u32),
    },
    returns: 'status',
    irql: D,
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES)],
    body(ndis, { Destination, DestinationOffset, BytesToCopy, Source, SourceOffset, BytesCopied }) {
      const source = bufferAt(ndis, Source);
      const destination = bufferAt(ndis, Destination);
      BytesCopied.set(ndis.netBufferData.copy(source, SourceOffset, destination, DestinationOffset, BytesToCopy));
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisQueryNetBufferPhysicalCount: f({
    ...common,
    page: 'nblapi-ndisquerynetbufferphysicalcount',
    params: { NetBuffer: POINTER },
    returns: 'u32',
    irql: D,
    body: (ndis, { NetBuffer }) => ndis.netBufferData.physicalCount(bufferAt(ndis, NetBuffer)),
  }),
};

/** AlignMultiple is a power of two; the low bits of an address are those of its number even where that is negative. */
function isAligned(address: Address, multiple: number, offset: number): boolean {
  return multiple <= 1 || ((address % multiple) + multiple) % multiple === offset % multiple;
}
