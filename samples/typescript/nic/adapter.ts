/**
 * What this driver keeps for one adapter. It lies in guest memory, as a C driver's does, so that haltex sees every access to
 * it: nothing of an adapter is kept in JavaScript variables.
 */
import {
  type Address,
  array,
  at,
  bool8,
  bytes,
  i32,
  NDIS_EVENT,
  NDIS_PORT,
  NDIS_SPIN_LOCK,
  pointer,
  struct,
  u32,
  u64,
  type View,
  type Wdk,
} from 'haltex';
import type { Parts } from './parts.ts';

/** 'Hnic', as pool dumps show it. */
export const NIC_TAG = 0x6369_6e48;

export const RX_DESCRIPTORS = 8;
export const TX_DESCRIPTORS = 16;
/** Receive buffers of the block that initialize allocates, and of the one that comes later. */
export const RX_SLOTS = 6;
export const EXTRA_SLOTS = 2;
export const BUFFER_LENGTH = 2048;
export const MAX_FRAME = 1514;
export const MAX_MULTICAST = 32;
export const ADDRESS_LENGTH = 6;

/** The data path's states. */
export const State = { Paused: 0, Running: 1, Pausing: 2 } as const;

/** Things under way that somebody may have to wait for. The adapter's Lock guards Count. */
export const NIC_PENDING = struct('NIC_PENDING', {
  Count: i32,
  /** Set while Count is zero. */
  None: NDIS_EVENT,
});
export type Pending = View<typeof NIC_PENDING.fields>;

/** Memory shared with the NIC, with all that giving it back takes (rule shared-memory-free-mismatch). */
export const NIC_SHARED_BLOCK = struct('NIC_SHARED_BLOCK', {
  Address: pointer,
  PhysicalAddress: pointer,
  Length: u32,
  Cached: bool8,
});
export type SharedBlock = View<typeof NIC_SHARED_BLOCK.fields>;

/** A receive buffer: a part of a shared block, and what describes it to NDIS. */
export const NIC_SLOT = struct('NIC_SLOT', {
  NextFree: pointer,
  Data: pointer,
  PhysicalAddress: pointer,
  Mdl: pointer,
  NetBuffer: pointer,
  NetBufferList: pointer,
});
export type Slot = View<typeof NIC_SLOT.fields>;

export const NIC_ADAPTER = struct('NIC_ADAPTER', {
  AdapterHandle: pointer,
  /** Guards all that follows and changes after initialize. */
  Lock: NDIS_SPIN_LOCK,

  State: u32,
  /** MiniportPause returned NDIS_STATUS_PENDING. */
  PausePending: bool8,
  /** The DPC may unmask the NIC; timers may be set; work may be queued. */
  InterruptsOn: bool8,
  TimersOn: bool8,
  WorkOn: bool8,
  WorkQueued: bool8,
  /** MiniportHaltEx has begun: shutdown must leave the hardware alone. */
  Halting: bool8,
  /** Surprise removal: nobody answers on the bus. */
  Removed: bool8,
  /** In D3: registers do not answer. */
  Asleep: bool8,

  /** Receive lists that are up, sends not completed, indications under way. */
  DataPath: NIC_PENDING,
  /** Callbacks of the one-shot timer that are to come or run. */
  WatchdogCallbacks: NIC_PENDING,
  Work: NIC_PENDING,
  SharedAllocations: NIC_PENDING,

  // io-space.ts, io-ports.ts
  Registers: pointer,
  RegistersAddress: pointer,
  RegistersLength: u32,
  PortOffset: pointer,
  PortsAddress: u32,
  PortsLength: u32,
  // interrupts.ts
  InterruptHandle: pointer,
  /** NDIS_INTERRUPT_TYPE: messages or the line. */
  InterruptType: u32,
  /** Taken from ICR by the ISR, not yet handled. */
  Causes: u32,
  // timers.ts, work-items.ts
  PollTimer: pointer,
  WatchdogTimer: pointer,
  WorkItem: pointer,
  // ports.ts
  Port: NDIS_PORT,
  PortAllocated: bool8,
  PortActive: bool8,
  DefaultPortActive: bool8,
  // memory.ts, pools.ts, dma.ts, shared-memory.ts, async-memory.ts
  Slots: pointer,
  MulticastList: pointer,
  MulticastCount: u32,
  NetBufferListPool: pointer,
  NetBufferPool: pointer,
  DmaHandle: pointer,
  Rings: NIC_SHARED_BLOCK,
  Buffers: NIC_SHARED_BLOCK,
  Extra: NIC_SHARED_BLOCK,
  // receive.ts
  RxOwner: array(pointer, RX_DESCRIPTORS),
  FreeSlots: pointer,
  /** The next descriptor the NIC fills, and the next to hand over to it. */
  RxClean: u32,
  RxTail: u32,
  // send.ts
  /** The NET_BUFFER at the last descriptor of its frame. */
  TxOwner: array(pointer, TX_DESCRIPTORS),
  TxClean: u32,
  TxTail: u32,
  // oids.ts, link.ts, configuration.ts
  PermanentAddress: bytes(ADDRESS_LENGTH),
  CurrentAddress: bytes(ADDRESS_LENGTH),
  PacketFilter: u32,
  Lookahead: u32,
  LinkUp: bool8,
  LinkSpeed: u32,
  /** What NDIS was told. */
  ReportedUp: bool8,
  WantExtraBuffers: bool8,
  RxFrames: u64,
  TxFrames: u64,
});
export type Adapter = View<typeof NIC_ADAPTER.fields>;

/** One loaded driver: NDIS and the kernel, and the driver's own parts, any of which a broken twin replaces. */
export interface Nic {
  readonly wdk: Wdk;
  readonly parts: Parts;
}

/** The adapter a MiniportAdapterContext stands for. */
export const adapterAt = ({ wdk }: Nic, context: Address): Adapter => NIC_ADAPTER.at(wdk.memory, context);

export const slotAt = ({ wdk }: Nic, adapter: Adapter, index: number): Slot =>
  NIC_SLOT.at(wdk.memory, at(adapter.Slots, index * NIC_SLOT.size));

/** Where an element of one of the adapter's arrays of pointers lies. */
export const elementOf = (adapter: Adapter, field: 'RxOwner' | 'TxOwner', index: number): Address =>
  at(adapter.address, NIC_ADAPTER.offset(field) + index * pointer.size);
