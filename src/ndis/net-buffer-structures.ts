/**
 * NET_BUFFER_LIST, NET_BUFFER and what belongs to them. Drivers reach into these through macros of the kit, so every offset
 * is the header's: ndis.h of the 10.0.16299 kit for x64, as net-buffer-structures.test.ts pins them.
 * Pages: ns-nbl-net_buffer_list, ns-nbl-net_buffer, ns-nbl-net_buffer_list_context, ns-nblapi-net_buffer_list_pool_parameters.
 */
import {
  array,
  bool8,
  bytes,
  type CType,
  i32,
  pointer,
  struct,
  u8,
  u16,
  u32,
  u64,
  type View,
} from '../kernel/layout.ts';
import type { Address } from '../trace/units.ts';
import { NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { NDIS_OBJECT_HEADER } from './object-header.ts';

/** MEMORY_ALLOCATION_ALIGNMENT on x64. */
export const MEMORY_ALLOCATION_ALIGNMENT = 16;
const aligned = <T, I>(type: CType<T, I>): CType<T, I> => ({ ...type, align: MEMORY_ALLOCATION_ALIGNMENT });

export const NET_BUFFER = struct('NET_BUFFER', {
  Next: pointer,
  CurrentMdl: pointer,
  CurrentMdlOffset: u32,
  /** A union with the SIZE_T stDataLength. */
  DataLength: { ...u32, size: 8, align: 8 } as CType<number>,
  MdlChain: pointer,
  DataOffset: u32,
  ChecksumBias: aligned(u16),
  Reserved: u16,
  NdisPoolHandle: pointer,
  NdisReserved: aligned(array(u64, 2)),
  ProtocolReserved: aligned(array(u64, 6)),
  MiniportReserved: aligned(array(u64, 4)),
  DataPhysicalAddress: pointer,
  /** A union with ScatterGatherList. */
  SharedMemoryInfo: pointer,
});
/** A NET_BUFFER in guest memory, by its fields. */
export type NetBuffer = View<typeof NET_BUFFER.fields>;

/** Members of NetBufferListInfo by index (NDIS_NET_BUFFER_LIST_INFO for AMD64, NDIS 6.80). */
export const NblInfo = {
  TcpIpChecksum: 0,
  IPsecOffloadV1: 1,
  TcpLargeSend: 2,
  ClassificationHandle: 3,
  Ieee8021Q: 4,
  CancelId: 5,
  MediaSpecificInformation: 6,
  FrameType: 7,
  HashValue: 8,
  HashInfo: 9,
  Wfp: 10,
  IPsecOffloadV2Tunnel: 11,
  IPsecOffloadV2Header: 12,
  CorrelationId: 13,
  FilteringInfo: 14,
  MediaSpecificInformationEx: 15,
  OriginalInterfaceIfIndex: 16,
  TcpReceiveBytesTransferred: 17,
  SwitchForwardingReserved: 18,
  SwitchForwardingDetail: 19,
  VirtualSubnetInfo: 20,
  IMReserved: 21,
  TcpRecvSegCoalesceInfo: 22,
  RscTcpTimestampDelta: 23,
  GftOffloadInformation: 24,
  GftFlowEntryId: 25,
} as const;

/** Elements NDIS' own build of the array has: 27 of NDIS 6.80 and two for itself. A driver's build may know fewer. */
const INFO_COUNT = 29;

export const NET_BUFFER_LIST = struct('NET_BUFFER_LIST', {
  Next: pointer,
  FirstNetBuffer: pointer,
  Context: pointer,
  ParentNetBufferList: pointer,
  NdisPoolHandle: pointer,
  NdisReserved: aligned(array(u64, 2)),
  ProtocolReserved: aligned(array(u64, 4)),
  MiniportReserved: aligned(array(u64, 2)),
  Scratch: pointer,
  SourceHandle: pointer,
  NblFlags: u32,
  ChildRefCount: i32,
  Flags: u32,
  Status: u32,
  NetBufferListInfo: array(u64, INFO_COUNT),
});
/** A NET_BUFFER_LIST in guest memory, by its fields. */
export type NetBufferList = View<typeof NET_BUFFER_LIST.fields>;

export const NET_BUFFER_LIST_CONTEXT = struct('NET_BUFFER_LIST_CONTEXT', {
  Next: pointer,
  /** Bytes of ContextData, used and unused. */
  Size: u16,
  /** Bytes of ContextData before the used ones. */
  Offset: u16,
  ContextData: bytes(0, MEMORY_ALLOCATION_ALIGNMENT),
});

export const NET_BUFFER_LIST_POOL_PARAMETERS = struct('NET_BUFFER_LIST_POOL_PARAMETERS', {
  Header: NDIS_OBJECT_HEADER,
  ProtocolId: u8,
  fAllocateNetBuffer: bool8,
  ContextSize: u16,
  PoolTag: u32,
  DataSize: u32,
});

export const NET_BUFFER_POOL_PARAMETERS = struct('NET_BUFFER_POOL_PARAMETERS', {
  Header: NDIS_OBJECT_HEADER,
  PoolTag: u32,
  DataSize: u32,
});

/** NDIS_XXX_FLAGS_DISPATCH_LEVEL of sends, completions, indications and returns are all this bit. */
export const FLAGS_DISPATCH_LEVEL = 0x1;
export const NDIS_RECEIVE_FLAGS_RESOURCES = 0x2;
export const NDIS_CLONE_FLAGS_USE_ORIGINAL_MDLS = 0x2;

/** The NET_BUFFERs of a list, in order. A ring of them would hang Windows; here it ends where it closes. */
export function* netBuffersOf(memory: GuestMemory, list: NetBufferList): Generator<NetBuffer> {
  const seen = new Set<Address>();
  for (let next = list.FirstNetBuffer; next !== NULL && !seen.has(next); ) {
    seen.add(next);
    const buffer = NET_BUFFER.at(memory, next);
    next = buffer.Next;
    yield buffer;
  }
}
