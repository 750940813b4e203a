/**
 * NET_BUFFER_LISTs derived from others: clones, fragments, reassemblies. They have structures of their own and share the data.
 * Parent pointer and child count are the driver's to keep. Pages: network/derived-net-buffer-list-structures,
 * network/relationships-between-net-buffer-list-generations and the six nblapi pages.
 */
import { D, failsNull, functionsOf, HANDLE, POINTER, ULONG } from '../kernel/record.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import type { Ndis } from './ndis.ts';
import type { Segment } from './net-buffer-data.ts';
import type { ListKind } from './net-buffer-lists.ts';
import type { NetPool } from './net-buffer-pools.ts';
import {
  NblInfo,
  NDIS_CLONE_FLAGS_USE_ORIGINAL_MDLS,
  NET_BUFFER_LIST,
  type NetBuffer,
  netBuffersOf,
} from './net-buffer-structures.ts';

/** The pool of an optional handle; NULL is NDIS' own. */
function poolOf(ndis: Ndis, handle: Handle, kind: NetPool['kind']): NetPool | undefined {
  return handle === NULL ? undefined : ndis.netBufferPools.find(handle, kind);
}

/** A NET_BUFFER with new MDLs for pieces of existing data. */
function bufferOn(ndis: Ndis, segments: readonly Segment[], pool: NetPool | undefined): NetBuffer {
  const { mdls, memory } = ndis.kernel;
  const stack = ndis.kernel.stack();
  const made = segments.map(({ address, length }) => mdls.describe(address, length, 'MDL of a derived list', stack));
  for (const [i, mdl] of made.entries()) memory.writePointer(mdl.address, made[i + 1]?.address ?? NULL);
  const dataLength = segments.reduce((sum, { length }) => sum + length, 0);
  return ndis.netBuffers.create(
    { mdlChain: made[0]?.address ?? NULL, dataOffset: 0, dataLength },
    { pool, mdls: made.map((mdl) => mdl.address) },
  );
}

/** A NET_BUFFER on the MDLs of another. */
function bufferLike(ndis: Ndis, original: NetBuffer, pool: NetPool | undefined): NetBuffer {
  return ndis.netBuffers.create(
    { mdlChain: original.MdlChain, dataOffset: original.DataOffset, dataLength: original.DataLength },
    { pool },
  );
}

/** Pieces of at most `most` bytes of the used data from `start` on. */
function pieces(ndis: Ndis, buffer: NetBuffer, start: number, most: number): Segment[][] {
  const found: Segment[][] = [];
  for (let offset = start; offset < buffer.DataLength && most > 0; offset += most) {
    found.push(ndis.netBufferData.segments(buffer, offset, Math.min(most, buffer.DataLength - offset)));
  }
  return found;
}

/** Room in front of the data of a new list, as NDIS' own retreats make it: freed with the list, owed by nobody. */
function makeRoom(ndis: Ndis, buffers: readonly NetBuffer[], delta: number, backFill: number): void {
  if (delta === 0) return;
  const { heap, mdls, memory } = ndis.kernel;
  const stack = ndis.kernel.stack();
  for (const buffer of buffers) {
    const size = delta + backFill;
    const data = heap.allocate(size, 'data space of a derived list', { stack });
    const mdl = mdls.describe(data, size, 'MDL of a derived list', stack).address;
    memory.writePointer(mdl, buffer.MdlChain);
    buffer.MdlChain = mdl;
    buffer.DataOffset = backFill;
    buffer.DataLength += delta;
    ndis.netBufferData.adjustCurrent(buffer);
    ndis.netBuffers.own(buffer.address, mdl, data);
  }
}

const buffersOf = ({ kernel: { memory } }: Ndis, list: Address) =>
  netBuffersOf(memory, NET_BUFFER_LIST.at(memory, list));

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const allocates = {
  ...common,
  returns: 'pointer' as const,
  irql: D,
  failures: [failsNull],
};
const frees = { ...common, returns: 'void' as const, irql: D };

/** What a derived list is entered with, and what its free must repeat. */
const derived = (Kind: ListKind, extra: Readonly<Record<string, number>>) => ({ Kind, ...extra });
const key = (_: unknown, result: Address) => result;

function disposes(ndis: Ndis, list: Address): undefined {
  ndis.netBufferLists.dispose(list);
  return undefined;
}

export const derivedListFunctions = {
  NdisAllocateCloneNetBufferList: f({
    ...allocates,
    page: 'nblapi-ndisallocateclonenetbufferlist',
    params: {
      OriginalNetBufferList: POINTER,
      NetBufferListPoolHandle: HANDLE,
      NetBufferPoolHandle: HANDLE,
      AllocateCloneFlags: ULONG,
    },
    acquires: {
      type: 'clone-nbl',
      key,
      detail: ({ AllocateCloneFlags, OriginalNetBufferList }) => ({
        ...derived('clone', { CloneFlags: AllocateCloneFlags }),
        Original: hex(OriginalNetBufferList),
      }),
    },
    body(ndis, { OriginalNetBufferList, NetBufferListPoolHandle, NetBufferPoolHandle, AllocateCloneFlags }) {
      const pool = poolOf(ndis, NetBufferListPoolHandle, 'NET_BUFFER_LIST');
      const bufferPool = poolOf(ndis, NetBufferPoolHandle, 'NET_BUFFER');
      const share = (AllocateCloneFlags & NDIS_CLONE_FLAGS_USE_ORIGINAL_MDLS) !== 0;
      const originals = [...buffersOf(ndis, OriginalNetBufferList)];
      const netBuffers = originals.map((buffer) =>
        share
          ? bufferLike(ndis, buffer, bufferPool)
          : bufferOn(ndis, ndis.netBufferData.segments(buffer, 0, buffer.DataLength), bufferPool),
      );
      return ndis.netBufferLists.create({ pool, netBuffers, withContext: false }).address;
    },
  }),

  NdisFreeCloneNetBufferList: f({
    ...frees,
    page: 'nblapi-ndisfreeclonenetbufferlist',
    params: { CloneNetBufferList: POINTER, FreeCloneFlags: ULONG },
    undoes: {
      types: ['clone-nbl', 'nbl'],
      key: ({ CloneNetBufferList }) => CloneNetBufferList,
      match: ({ FreeCloneFlags }) => derived('clone', { CloneFlags: FreeCloneFlags }),
      otherwise: () => undefined,
    },
    body: (ndis, { CloneNetBufferList }) => disposes(ndis, CloneNetBufferList),
  }),

  NdisAllocateFragmentNetBufferList: f({
    ...allocates,
    page: 'nblapi-ndisallocatefragmentnetbufferlist',
    params: {
      OriginalNetBufferList: POINTER,
      NetBufferListPool: HANDLE,
      NetBufferPool: HANDLE,
      StartOffset: ULONG,
      MaximumLength: ULONG,
      DataOffsetDelta: ULONG,
      DataBackFill: ULONG,
      AllocateFragmentFlags: ULONG,
    },
    acquires: {
      type: 'clone-nbl',
      key,
      detail: ({ DataOffsetDelta, OriginalNetBufferList }) => ({
        ...derived('fragment', { DataOffsetDelta }),
        Original: hex(OriginalNetBufferList),
      }),
    },
    body(ndis, args) {
      const pool = poolOf(ndis, args.NetBufferListPool, 'NET_BUFFER_LIST');
      const bufferPool = poolOf(ndis, args.NetBufferPool, 'NET_BUFFER');
      const originals = [...buffersOf(ndis, args.OriginalNetBufferList)];
      const netBuffers = originals.flatMap((buffer) =>
        pieces(ndis, buffer, args.StartOffset, args.MaximumLength).map((piece) => bufferOn(ndis, piece, bufferPool)),
      );
      makeRoom(ndis, netBuffers, args.DataOffsetDelta, args.DataBackFill);
      return ndis.netBufferLists.create({ pool, netBuffers, withContext: false }).address;
    },
  }),

  NdisFreeFragmentNetBufferList: f({
    ...frees,
    page: 'nblapi-ndisfreefragmentnetbufferlist',
    params: { FragmentNetBufferList: POINTER, DataOffsetDelta: ULONG, FreeFragmentFlags: ULONG },
    undoes: {
      types: ['clone-nbl', 'nbl'],
      key: ({ FragmentNetBufferList }) => FragmentNetBufferList,
      match: ({ DataOffsetDelta }) => derived('fragment', { DataOffsetDelta }),
      otherwise: () => undefined,
    },
    body: (ndis, { FragmentNetBufferList }) => disposes(ndis, FragmentNetBufferList),
  }),

  NdisAllocateReassembledNetBufferList: f({
    ...allocates,
    page: 'nblapi-ndisallocatereassemblednetbufferlist',
    params: {
      FragmentNetBufferList: POINTER,
      NetBufferAndNetBufferListPoolHandle: HANDLE,
      StartOffset: ULONG,
      DataOffsetDelta: ULONG,
      DataBackFill: ULONG,
      AllocateReassembleFlags: ULONG,
    },
    acquires: {
      type: 'clone-nbl',
      key,
      detail: ({ DataOffsetDelta, FragmentNetBufferList }) => ({
        ...derived('reassembled', { DataOffsetDelta }),
        Original: hex(FragmentNetBufferList),
      }),
    },
    body(ndis, args) {
      const pool = poolOf(ndis, args.NetBufferAndNetBufferListPoolHandle, 'NET_BUFFER_LIST');
      const parts = [...buffersOf(ndis, args.FragmentNetBufferList)];
      const segments = parts.flatMap((buffer) =>
        ndis.netBufferData.segments(buffer, args.StartOffset, Math.max(0, buffer.DataLength - args.StartOffset)),
      );
      const netBuffers = [bufferOn(ndis, segments, pool)];
      makeRoom(ndis, netBuffers, args.DataOffsetDelta, args.DataBackFill);
      return ndis.netBufferLists.create({ pool, netBuffers, withContext: false }).address;
    },
  }),

  NdisFreeReassembledNetBufferList: f({
    ...frees,
    page: 'nblapi-ndisfreereassemblednetbufferlist',
    params: { ReassembledNetBufferList: POINTER, DataOffsetDelta: ULONG, FreeReassembleFlags: ULONG },
    undoes: {
      types: ['clone-nbl', 'nbl'],
      key: ({ ReassembledNetBufferList }) => ReassembledNetBufferList,
      match: ({ DataOffsetDelta }) => derived('reassembled', { DataOffsetDelta }),
      otherwise: () => undefined,
    },
    body: (ndis, { ReassembledNetBufferList }) => disposes(ndis, ReassembledNetBufferList),
  }),

  NdisCopySendNetBufferListInfo: f({
    ...frees,
    page: 'nblapi-ndiscopysendnetbufferlistinfo',
    params: { DestNetBufferList: POINTER, SrcNetBufferList: POINTER },
    body: (ndis, { DestNetBufferList, SrcNetBufferList }) =>
      copyInfo(ndis, SrcNetBufferList, DestNetBufferList, sendInfo),
  }),

  NdisCopyReceiveNetBufferListInfo: f({
    ...frees,
    page: 'nblapi-ndiscopyreceivenetbufferlistinfo',
    params: { DestNetBufferList: POINTER, SrcNetBufferList: POINTER },
    body: (ndis, { DestNetBufferList, SrcNetBufferList }) =>
      copyInfo(ndis, SrcNetBufferList, DestNetBufferList, receiveInfo),
  }),
};

const bothWays: readonly number[] = [
  NblInfo.TcpIpChecksum,
  NblInfo.IPsecOffloadV1,
  NblInfo.TcpLargeSend,
  NblInfo.Ieee8021Q,
  NblInfo.MediaSpecificInformation,
  NblInfo.FrameType,
  NblInfo.IPsecOffloadV2Tunnel,
  NblInfo.IPsecOffloadV2Header,
  NblInfo.VirtualSubnetInfo,
  NblInfo.FilteringInfo,
];
const sendInfo = [...bothWays, NblInfo.CancelId];
const receiveInfo = [...bothWays, NblInfo.HashValue, NblInfo.HashInfo];

/** The documented members. What NDIS copies of its private ones is not in memory here. */
function copyInfo({ kernel: { memory } }: Ndis, from: Address, to: Address, which: readonly number[]): undefined {
  const list = NET_BUFFER_LIST.at(memory, to);
  const source = NET_BUFFER_LIST.at(memory, from).NetBufferListInfo;
  const target = list.NetBufferListInfo;
  for (const index of which) target[index] = source[index] as bigint;
  list.NetBufferListInfo = target;
  return undefined;
}
