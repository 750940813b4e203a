/**
 * NET_BUFFER_LISTs and their context space. A list that comes with a NET_BUFFER has it for life; other NET_BUFFERs on it are
 * not freed with it. Pages: nblapi-ndisallocatenetbufferlist, nblapi-ndisallocatenetbufferandnetbufferlist,
 * nblapi-ndisfreenetbufferlist, nblapi-ndisallocatenetbufferlistcontext, nblapi-ndisfreenetbufferlistcontext.
 */
import { D, failsNull, failsWith, functionsOf, HANDLE, POINTER, SIZE_T, ULONG, USHORT } from '../kernel/record.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import type { Ndis } from './ndis.ts';
import type { NetPool } from './net-buffer-pools.ts';
import {
  NblInfo,
  NET_BUFFER_LIST,
  NET_BUFFER_LIST_CONTEXT,
  type NetBuffer,
  type NetBufferList,
} from './net-buffer-structures.ts';
import { refuse } from './net-buffers.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS } from './status.ts';

/** How a list was made, which is how it must be freed. */
export type ListKind = 'list' | 'clone' | 'fragment' | 'reassembled';

interface Origin {
  readonly pool: NetPool | undefined;
  /** The NET_BUFFERs that go with it. */
  readonly netBuffers: readonly Address[];
  /** The context block it was made with. */
  readonly context: Address;
}

export interface ListRequest {
  readonly pool?: NetPool | undefined;
  readonly contextSize?: number;
  readonly contextBackFill?: number;
  /** False: no context block, whatever the pool has for its lists. */
  readonly withContext?: boolean;
  /** On it from the start, and freed with it. */
  readonly netBuffers?: readonly NetBuffer[];
}

export class NetBufferLists {
  private readonly ndis: Ndis;
  private readonly origins = new Map<Address, Origin>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  create({
    pool,
    contextSize = 0,
    contextBackFill = 0,
    withContext = true,
    netBuffers = [],
  }: ListRequest): NetBufferList {
    const { kernel, netBuffers: buffers } = this.ndis;
    const what = pool === undefined ? 'NET_BUFFER_LIST of NDIS' : `NET_BUFFER_LIST of pool '${pool.tag}'`;
    const address = kernel.heap.allocate(NET_BUFFER_LIST.size, what, { fill: 0, stack: kernel.stack() });
    const list = NET_BUFFER_LIST.at(kernel.memory, address);
    list.NdisPoolHandle = pool?.handle ?? buffers.internal;
    list.FirstNetBuffer = netBuffers[0]?.address ?? NULL;
    netBuffers.forEach((buffer, i) => {
      buffer.Next = netBuffers[i + 1]?.address ?? NULL;
    });
    if (pool !== undefined && pool.protocolId !== 0) {
      const info = list.NetBufferListInfo;
      info[NblInfo.FrameType] = BigInt(pool.protocolId);
      list.NetBufferListInfo = info;
    }
    const space = Math.max(pool?.contextSize ?? 0, contextSize + contextBackFill);
    if (withContext && space > 0) this.pushContext(list, space, space - contextSize);
    this.origins.set(address, {
      pool,
      netBuffers: netBuffers.map((buffer) => buffer.address),
      context: list.Context,
    });
    if (pool?.kind === 'NET_BUFFER_LIST') pool.members.add(address);
    return list;
  }

  isAllocated(address: Address): boolean {
    return this.origins.has(address);
  }

  /** Frees a list with what came with it. NDIS looks into its pool: one that was freed before faults. */
  dispose(address: Address): void {
    const { kernel, netBufferPools, netBuffers } = this.ndis;
    const origin = this.origins.get(address);
    if (origin === undefined) return;
    this.ndis.receives.freed(address, 'it was freed');
    const { pool } = origin;
    if (pool !== undefined && netBufferPools.find(pool.handle, pool.kind) !== undefined) pool.members.delete(address);
    this.origins.delete(address);
    for (const buffer of origin.netBuffers) netBuffers.dispose(buffer);
    const stack = kernel.stack();
    if (origin.context !== NULL) kernel.heap.free(origin.context, stack);
    kernel.heap.free(address, stack);
  }

  private pushContext(list: NetBufferList, size: number, offset: number): void {
    const { heap, memory } = this.ndis.kernel;
    const address = heap.allocate(NET_BUFFER_LIST_CONTEXT.size + size, 'NET_BUFFER_LIST_CONTEXT', {
      fill: 0,
      stack: this.ndis.kernel.stack(),
    });
    NET_BUFFER_LIST_CONTEXT.write(memory, address, { Next: list.Context, Size: size, Offset: offset });
    list.Context = address;
  }

  /** Context space from what the first block has unused, or from a new block in front of it. */
  reserveContext(list: NetBufferList, size: number, backFill: number): void {
    const { memory } = this.ndis.kernel;
    const context = list.Context === NULL ? undefined : NET_BUFFER_LIST_CONTEXT.at(memory, list.Context);
    if (context !== undefined && context.Offset >= size) context.Offset -= size;
    else this.pushContext(list, size + backFill, backFill);
  }

  /** Gives context space back; a block that a reserve made goes when all of it is unused. */
  releaseContext(list: NetBufferList, size: number): void {
    if (list.Context === NULL) return;
    const { memory, heap } = this.ndis.kernel;
    const context = NET_BUFFER_LIST_CONTEXT.at(memory, list.Context);
    context.Offset = Math.min(context.Size, context.Offset + size);
    if (context.Offset < context.Size || this.origins.get(list.address)?.context === context.address) return;
    list.Context = context.Next;
    heap.free(context.address, this.ndis.kernel.stack());
  }
}

/** A driver's list. Calls take it as a pointer, not as a structure: freeing one twice must not fault on its fields. */
const listAt = (ndis: Ndis, address: Address) => NET_BUFFER_LIST.at(ndis.kernel.memory, address);

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const acquiresList = {
  type: 'nbl',
  key: (_: unknown, result: Address) => result,
  detail: ({ PoolHandle }: { PoolHandle: Handle }) => ({ Kind: 'list', PoolHandle: hex(PoolHandle) }),
};

export const netBufferListFunctions = {
  NdisAllocateNetBufferList: f({
    ...common,
    page: 'nblapi-ndisallocatenetbufferlist',
    params: { PoolHandle: HANDLE, ContextSize: USHORT, ContextBackFill: USHORT },
    returns: 'pointer',
    irql: D,
    acquires: acquiresList,
    failures: [failsNull],
    body(ndis, { PoolHandle, ContextSize, ContextBackFill }) {
      const pool = ndis.netBufferPools.find(PoolHandle, 'NET_BUFFER_LIST');
      if (pool === undefined) return NULL;
      const netBuffers = pool.withNetBuffer ? [ndis.netBuffers.createFrom(pool)] : [];
      const request = { pool, contextSize: ContextSize, contextBackFill: ContextBackFill, netBuffers };
      return ndis.netBufferLists.create(request).address;
    },
  }),

  NdisAllocateNetBufferAndNetBufferList: f({
    ...common,
    page: 'nblapi-ndisallocatenetbufferandnetbufferlist',
    params: {
      PoolHandle: HANDLE,
      ContextSize: USHORT,
      ContextBackFill: USHORT,
      MdlChain: POINTER,
      DataOffset: ULONG,
      DataLength: SIZE_T,
    },
    returns: 'pointer',
    irql: D,
    acquires: acquiresList,
    failures: [failsNull],
    body(ndis, { PoolHandle, ContextSize, ContextBackFill, MdlChain, DataOffset, DataLength }, { fn }) {
      const pool = ndis.netBufferPools.find(PoolHandle, 'NET_BUFFER_LIST');
      if (pool === undefined) return NULL;
      if (!pool.withNetBuffer) return refuse(ndis, fn, 'the pool was made without fAllocateNetBuffer');
      if (pool.dataSize !== 0) return refuse(ndis, fn, 'the pool was made with a DataSize');
      const contents = { mdlChain: MdlChain, dataOffset: DataOffset, dataLength: DataLength };
      const netBuffers = [ndis.netBuffers.create(contents, { pool })];
      const request = { pool, contextSize: ContextSize, contextBackFill: ContextBackFill, netBuffers };
      return ndis.netBufferLists.create(request).address;
    },
  }),

  NdisFreeNetBufferList: f({
    ...common,
    page: 'nblapi-ndisfreenetbufferlist',
    params: { NetBufferList: POINTER },
    returns: 'void',
    irql: D,
    undoes: {
      // A derived list has a call of its own; its Kind differs then.
      types: ['nbl', 'clone-nbl'],
      key: ({ NetBufferList }) => NetBufferList,
      match: () => ({ Kind: 'list' }),
      otherwise: () => undefined,
    },
    body(ndis, { NetBufferList }) {
      ndis.netBufferLists.dispose(NetBufferList);
      return undefined;
    },
  }),

  NdisAllocateNetBufferListContext: f({
    ...common,
    page: 'nblapi-ndisallocatenetbufferlistcontext',
    params: { NetBufferList: POINTER, ContextSize: USHORT, ContextBackFill: USHORT, PoolTag: ULONG },
    returns: 'status',
    irql: D,
    acquires: {
      type: 'nbl-context',
      key: ({ NetBufferList }) => NetBufferList,
      detail: ({ ContextSize }) => ({ ContextSize }),
    },
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES), failsWith('failure', NDIS_STATUS_FAILURE)],
    body(ndis, { NetBufferList, ContextSize, ContextBackFill }) {
      ndis.netBufferLists.reserveContext(listAt(ndis, NetBufferList), ContextSize, ContextBackFill);
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisFreeNetBufferListContext: f({
    ...common,
    page: 'nblapi-ndisfreenetbufferlistcontext',
    params: { NetBufferList: POINTER, ContextSize: USHORT },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['nbl-context'],
      key: ({ NetBufferList }) => NetBufferList,
      match: ({ ContextSize }) => ({ ContextSize }),
      otherwise: () => undefined,
    },
    body(ndis, { NetBufferList, ContextSize }) {
      ndis.netBufferLists.releaseContext(listAt(ndis, NetBufferList), ContextSize);
      return undefined;
    },
  }),

  NdisGetPoolFromNetBufferList: f({
    ...common,
    page: 'nblapi-ndisgetpoolfromnetbufferlist',
    params: { NetBufferList: POINTER },
    returns: 'pointer',
    irql: D,
    body: (ndis, { NetBufferList }) => listAt(ndis, NetBufferList).NdisPoolHandle,
  }),

  NdisGetNetBufferListProtocolId: f({
    ...common,
    page: 'nblapi-ndisgetnetbufferlistprotocolid',
    params: { NetBufferList: POINTER },
    returns: 'u8',
    irql: D,
    body: (ndis, { NetBufferList }) =>
      Number((listAt(ndis, NetBufferList).NetBufferListInfo[NblInfo.FrameType] as bigint) & 0xffn),
  }),
};
