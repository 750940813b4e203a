/**
 * Pools of NET_BUFFER_LISTs and of NET_BUFFERs. A pool is a handle and what it says about its members; the members themselves
 * are blocks of their own, so that a stale pointer into one is caught. Pages: nblapi-ndisallocatenetbufferlistpool,
 * nblapi-ndisfreenetbufferlistpool, nblapi-ndisallocatenetbufferpool, nblapi-ndisfreenetbufferpool.
 */
import { tagName } from '../kernel/pool.ts';
import { D, failsNull, functionsOf, HANDLE, IN } from '../kernel/record.ts';
import { type Address, type Handle, hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS } from './net-buffer-structures.ts';
import { type Header, headerFault, ObjectType } from './object-header.ts';

export interface NetPool {
  readonly handle: Handle;
  readonly kind: 'NET_BUFFER_LIST' | 'NET_BUFFER';
  /** As a finding names it: `Ndnb`. */
  readonly tag: string;
  /** Bytes of the data buffer that comes with a NET_BUFFER; 0 for none. */
  readonly dataSize: number;
  /** Lists only: each comes with a NET_BUFFER. */
  readonly withNetBuffer: boolean;
  /** Lists only: bytes of context each comes with. */
  readonly contextSize: number;
  readonly protocolId: number;
  /** What was allocated from it and not freed yet. */
  readonly members: Set<Address>;
}

export class NetBufferPools {
  private readonly ndis: Ndis;
  private readonly pools = new Map<Handle, NetPool>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  create(pool: Omit<NetPool, 'handle' | 'members'>): Handle {
    const handle = this.ndis.newHandle(`${pool.kind} pool '${pool.tag}'`);
    this.pools.set(handle, { ...pool, handle, members: new Set() });
    return handle;
  }

  /**
   * The pool a driver allocates from or frees to. NDIS looks into it: a handle of a pool that is gone faults, as the pool's
   * memory would. Undefined, and a fact, for what never was such a pool.
   */
  find(handle: Handle, kind: NetPool['kind']): NetPool | undefined {
    const pool = this.pools.get(handle);
    if (pool?.kind === kind) return pool;
    if (pool === undefined) this.ndis.kernel.memory.readU64(handle);
    emitFact(this.ndis.kernel, 'pool-handle-not-valid', { handle: hex(handle), wanted: kind, is: pool?.kind ?? null });
    return undefined;
  }

  /** The pool goes, whatever is still out of it: whoever holds a member frees it to a pool that is gone. */
  free(handle: Handle): void {
    const { kernel, receives } = this.ndis;
    const pool = this.pools.get(handle);
    if (pool === undefined) return;
    if (pool.members.size > 0) {
      emitFact(kernel, 'pool-freed-with-members', {
        pool: hex(handle),
        kind: pool.kind,
        tag: pool.tag,
        members: pool.members.size,
      });
      for (const member of pool.members) receives.freed(member, 'its pool was freed');
    }
    this.pools.delete(handle);
    kernel.heap.free(handle, kernel.stack());
  }
}

/** NDIS takes the parameters as they are (assumed); what is wrong with them is a fact. */
function checkParameters(ndis: Ndis, header: Header, size: number): void {
  const fault = headerFault(header, ObjectType.DEFAULT, [size]);
  if (fault !== undefined) emitFact(ndis.kernel, 'pool-parameters-malformed', { reason: fault });
}

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;

export const netBufferPoolFunctions = {
  NdisAllocateNetBufferListPool: f({
    ...common,
    page: 'nblapi-ndisallocatenetbufferlistpool',
    params: { NdisHandle: HANDLE, Parameters: IN(NET_BUFFER_LIST_POOL_PARAMETERS) },
    returns: 'pointer',
    irql: D,
    acquires: {
      type: 'nbl-pool',
      key: (_, result) => result,
      owner: ({ NdisHandle }) => NdisHandle,
      detail: ({ Parameters }) => ({
        Tag: tagName(Parameters.PoolTag),
        fAllocateNetBuffer: Parameters.fAllocateNetBuffer,
        DataSize: Parameters.DataSize,
      }),
    },
    failures: [failsNull],
    body(ndis, { Parameters }) {
      checkParameters(ndis, Parameters.Header, NET_BUFFER_LIST_POOL_PARAMETERS.end);
      if (Parameters.DataSize !== 0 && !Parameters.fAllocateNetBuffer) {
        emitFact(ndis.kernel, 'nbl-pool-kind-mismatch', {
          fn: 'NdisAllocateNetBufferListPool',
          reason: 'DataSize without fAllocateNetBuffer',
        });
      }
      return ndis.netBufferPools.create({
        kind: 'NET_BUFFER_LIST',
        tag: tagName(Parameters.PoolTag),
        dataSize: Parameters.fAllocateNetBuffer ? Parameters.DataSize : 0,
        withNetBuffer: Parameters.fAllocateNetBuffer,
        contextSize: Parameters.ContextSize,
        protocolId: Parameters.ProtocolId,
      });
    },
  }),

  NdisFreeNetBufferListPool: f({
    ...common,
    page: 'nblapi-ndisfreenetbufferlistpool',
    params: { PoolHandle: HANDLE },
    returns: 'void',
    irql: D,
    undoes: { types: ['nbl-pool'], key: ({ PoolHandle }) => PoolHandle, otherwise: () => undefined },
    body(ndis, { PoolHandle }) {
      ndis.netBufferPools.free(PoolHandle);
      return undefined;
    },
  }),

  NdisAllocateNetBufferPool: f({
    ...common,
    page: 'nblapi-ndisallocatenetbufferpool',
    params: { NdisHandle: HANDLE, Parameters: IN(NET_BUFFER_POOL_PARAMETERS) },
    returns: 'pointer',
    irql: D,
    acquires: {
      type: 'nb-pool',
      key: (_, result) => result,
      owner: ({ NdisHandle }) => NdisHandle,
      detail: ({ Parameters }) => ({ Tag: tagName(Parameters.PoolTag), DataSize: Parameters.DataSize }),
    },
    failures: [failsNull],
    body(ndis, { Parameters }) {
      checkParameters(ndis, Parameters.Header, NET_BUFFER_POOL_PARAMETERS.end);
      return ndis.netBufferPools.create({
        kind: 'NET_BUFFER',
        tag: tagName(Parameters.PoolTag),
        dataSize: Parameters.DataSize,
        withNetBuffer: false,
        contextSize: 0,
        protocolId: 0,
      });
    },
  }),

  NdisFreeNetBufferPool: f({
    ...common,
    page: 'nblapi-ndisfreenetbufferpool',
    params: { PoolHandle: HANDLE },
    returns: 'void',
    irql: D,
    undoes: { types: ['nb-pool'], key: ({ PoolHandle }) => PoolHandle, otherwise: () => undefined },
    body(ndis, { PoolHandle }) {
      ndis.netBufferPools.free(PoolHandle);
      return undefined;
    },
  }),
};
