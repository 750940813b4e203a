/**
 * DMA adapters of the HAL: what a driver that does without NDIS' DMA gets from IoGetDmaAdapter. The operations are routines of
 * their own behind pointers in DMA_OPERATIONS; those haltex lacks stop the scenario by name when they are called.
 * There are as many map registers as asked for and memory needs none, so nothing ever waits for them unless a scenario says so.
 * Pages: wdm-iogetdmaadapter, wdm-pput_dma_adapter, wdm-pallocate_common_buffer, wdm-pget_scatter_gather_list, …
 */
import type { Stack } from '../trace/events.ts';
import { type Address, at, DISPATCH_LEVEL, hex, NULL } from '../trace/units.ts';
import type { DmaMapping } from './dma-mappings.ts';
import {
  AllocationAction,
  DEVICE_DESCRIPTION,
  DMA_ADAPTER,
  DMA_OPERATIONS,
  DRIVER_CONTROL,
  DRIVER_LIST_CONTROL,
  dmaOperations,
  OPERATIONS_OF_VERSION_2,
} from './dma-structures.ts';
import { PAGE_SIZE } from './heap.ts';
import type { Kernel } from './kernel.ts';
import { pointer, u32 } from './layout.ts';
import { spannedPages } from './mdl.ts';
import {
  BOOLEAN,
  CODE,
  D,
  EXACTLY_D,
  failsNull,
  failsWith,
  functionsOf,
  IN,
  OUT,
  P,
  POINTER,
  SIZE_T,
  ULONG,
} from './record.ts';
import { listSize, type Piece, writeList } from './scatter-gather-lists.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';
import { BugCheck } from './stops.ts';

/** What x64's HAL answers to GetDmaAlignment (assumed). */
const ALIGNMENT = 1;
/** DRIVER_VERIFIER_DMA_VIOLATION. */
const DMA_VIOLATION = 0xe6;

interface DmaAdapter {
  readonly operations: Address;
  /** The device's own buses reach it: IoGetDmaAdapter's Dma64BitAddresses and Dma32BitAddresses. */
  readonly highest: number;
  readonly mapRegisters: number;
  live: boolean;
}

interface List {
  readonly mappings: readonly DmaMapping[];
  /** In a buffer of the driver's. */
  readonly borrowed: boolean;
}

/** What GetScatterGatherList and BuildScatterGatherList are asked for. */
interface Transfer {
  readonly DmaAdapter: Address;
  readonly DeviceObject: Address;
  readonly Mdl: Address;
  readonly CurrentVa: Address;
  readonly Length: number;
  readonly ExecutionRoutine: Address;
  readonly Context: Address;
  readonly WriteToDevice: boolean;
}

export class DmaAdapters {
  private readonly kernel: Kernel;
  private readonly adapters = new Map<Address, DmaAdapter>();
  private readonly lists = new Map<Address, List>();
  /** Mappings of MapTransfer, by map register base. */
  private readonly transfers = new Map<Address, DmaMapping[]>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  open(version: number, highest: number, mapRegisters: number): Address {
    const { heap, memory, code } = this.kernel;
    const count = version >= 3 ? dmaOperations.length : OPERATIONS_OF_VERSION_2;
    const size = DMA_OPERATIONS.offset('Routines') + 8 * count;
    const operations = heap.allocate(size, 'DMA_OPERATIONS', { fill: 0 });
    memory.writeU32(operations, size);
    for (let i = 0; i < count; i++) {
      const routine = code.resolve(dmaOperations[i] as string, 'HAL.dll');
      memory.writePointer(at(operations, DMA_OPERATIONS.offset('Routines') + 8 * i), routine);
    }
    const adapter = heap.allocate(DMA_ADAPTER.size, 'DMA_ADAPTER', { fill: 0 });
    DMA_ADAPTER.write(memory, adapter, { Version: 1, Size: DMA_ADAPTER.size, DmaOperations: operations });
    this.adapters.set(adapter, { operations, highest, mapRegisters, live: true });
    return adapter;
  }

  /** The adapter the driver means; Windows' verifier stops for one that is gone or never was (bug-check-0xe6, 18). */
  named(address: Address, fn: string): DmaAdapter {
    const adapter = this.adapters.get(address);
    if (adapter?.live) return adapter;
    const was = adapter !== undefined ? 'put back' : address === NULL ? 'NULL' : 'no DMA adapter';
    const detail = { fn, handle: hex(address), was };
    this.kernel.trace.emit({ kind: 'fact', what: 'dma-handle-not-valid', detail, stack: this.kernel.stack() });
    throw new BugCheck(DMA_VIOLATION, `${fn} with ${hex(address)}, which is ${was}`);
  }

  close(address: Address, fn: string): void {
    const adapter = this.named(address, fn);
    adapter.live = false;
    this.kernel.heap.free(adapter.operations, this.kernel.stack());
    this.kernel.heap.free(address, this.kernel.stack());
  }

  /** Memory for the driver and the device; zeroed, as HAL gives it (observed). */
  commonBuffer(fn: string, DmaAdapter: Address, length: number, highest: number): Address {
    const adapter = this.named(DmaAdapter, fn);
    if (length === 0) return NULL;
    const { heap, hardware } = this.kernel;
    const address = heap.allocate(length, 'common buffer', { align: PAGE_SIZE, fill: 0, stack: this.kernel.stack() });
    const physical = hardware.physicalOf(address);
    if (physical + length - 1 > Math.min(highest, adapter.highest)) {
      heap.free(address);
      return NULL;
    }
    hardware.dma.add({ physical, size: length, what: 'common buffer', direction: 'both' });
    return address;
  }

  /** The pieces of an MDL chain from an address of its first MDL on: pages that follow one another are one. */
  pieces(first: Address, current: Address, length: number): Piece[] | undefined {
    const { mdls } = this.kernel;
    const pieces: { physical: number; size: number }[] = [];
    let left = length;
    let skip = current - mdls.addressOf(mdls.at(first));
    for (let next = first; next !== NULL && left > 0; next = mdls.at(next).Next) {
      const mdl = mdls.at(next);
      const pages = mdls.pages(mdl);
      const end = Math.min(mdl.ByteCount, skip + left);
      for (let offset = skip; offset < end; ) {
        const inPages = mdl.ByteOffset + offset;
        const inPage = inPages % PAGE_SIZE;
        const size = Math.min(PAGE_SIZE - inPage, end - offset);
        const physical = (pages[Math.floor(inPages / PAGE_SIZE)] as number) * PAGE_SIZE + inPage;
        const last = pieces.at(-1);
        if (last !== undefined && last.physical + last.size === physical) last.size += size;
        else pieces.push({ physical, size });
        offset += size;
      }
      left -= end - skip;
      skip = 0;
    }
    return left > 0 || skip < 0 ? undefined : pieces;
  }

  /** Makes a list and hands it to the driver's routine, now or a little later. */
  *list(fn: string, transfer: Transfer, buffer: { address: Address; size: number } | undefined, late: boolean) {
    this.named(transfer.DmaAdapter, fn);
    const { dpcs } = this.kernel;
    const pieces = this.pieces(transfer.Mdl, transfer.CurrentVa, transfer.Length);
    if (pieces === undefined) return Status.BUFFER_TOO_SMALL;
    if (buffer !== undefined && buffer.size < listSize(pieces.length)) return Status.BUFFER_TOO_SMALL;
    const stack = this.kernel.stack();
    const give = () => this.give({ fn, stack }, transfer, pieces, buffer?.address);
    if (late) dpcs.queue({ name: 'DMA adapter', source: transfer, start: give });
    else yield* give();
    return Status.SUCCESS;
  }

  private *give(
    by: { readonly fn: string; readonly stack: Stack },
    transfer: Transfer,
    pieces: readonly Piece[],
    buffer: Address | undefined,
  ): Coroutine<void> {
    const { heap, hardware, memory, resources, invoker } = this.kernel;
    const { DmaAdapter, WriteToDevice, DeviceObject, Context } = transfer;
    const { stack } = by;
    const list = buffer ?? heap.allocate(listSize(pieces.length), 'scatter/gather list', { stack });
    writeList(memory, list, pieces);
    const direction = WriteToDevice ? 'read' : 'write';
    const mappings = pieces.map((piece) => hardware.dma.add({ ...piece, what: 'scatter/gather list', direction }));
    this.lists.set(list, { mappings, borrowed: buffer !== undefined });
    const detail = { DmaAdapter: hex(DmaAdapter), WriteToDevice, elements: pieces.length };
    resources.acquire('hal-sg-list', list, { ...by, detail });
    // The IRP is the device object's current one, which a miniport's device object does not have.
    const args = { DeviceObject, Irp: NULL, ScatterGather: list, Context };
    yield* this.atDispatch(() => invoker.invoke(DRIVER_LIST_CONTROL, transfer.ExecutionRoutine, args));
  }

  putList(list: Address): void {
    const known = this.lists.get(list);
    if (known === undefined) return;
    const stack = this.kernel.stack();
    for (const mapping of known.mappings) this.kernel.hardware.dma.end(mapping, stack);
    this.lists.delete(list);
    if (!known.borrowed) this.kernel.heap.free(list, stack);
  }

  /** Hands map registers to the driver's routine, which says what it keeps. */
  *channel(device: Address, routine: Address, context: Address): Coroutine<void> {
    const { heap, invoker } = this.kernel;
    const base = heap.allocate(16, 'map registers', { fill: 0 });
    this.transfers.set(base, []);
    const args = { DeviceObject: device, Irp: NULL, MapRegisterBase: base, Context: context };
    const action = yield* this.atDispatch(() => invoker.invoke(DRIVER_CONTROL, routine, args));
    if (action === AllocationAction.DeallocateObject) this.freeRegisters(base);
  }

  map(base: Address, piece: Piece, write: boolean): void {
    const direction = write ? 'read' : 'write';
    const mapping = this.kernel.hardware.dma.add({ ...piece, what: 'transfer mapped by MapTransfer', direction });
    this.transfers.get(base)?.push(mapping);
  }

  flush(base: Address): boolean {
    const mapped = this.transfers.get(base);
    if (mapped === undefined) return false;
    for (const mapping of mapped.splice(0)) this.kernel.hardware.dma.end(mapping, this.kernel.stack());
    return true;
  }

  freeRegisters(base: Address): void {
    this.flush(base);
    if (this.transfers.delete(base)) this.kernel.heap.free(base, this.kernel.stack());
  }

  private *atDispatch<T>(body: () => Coroutine<T>): Coroutine<T> {
    const { scheduler } = this.kernel;
    const irql = scheduler.irql;
    if (irql < DISPATCH_LEVEL) scheduler.setIrql(DISPATCH_LEVEL);
    const result = yield* body();
    scheduler.setIrql(irql);
    return result;
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'HAL.dll' } as const;
const DmaAdapter = POINTER;
const resources = failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES);
const HIGHEST_32 = 0xffff_ffff;
/** ISA's DMA controller, which is all a device without these flags is thought to reach (DEVICE_DESCRIPTION page). */
const HIGHEST_24 = 0xff_ffff;

const transfer = {
  DmaAdapter,
  DeviceObject: POINTER,
  Mdl: POINTER,
  CurrentVa: POINTER,
  Length: ULONG,
  ExecutionRoutine: CODE,
  Context: POINTER,
  WriteToDevice: BOOLEAN,
};

const bufferDetail = (adapter: Address, Length: number, LogicalAddress: number, CacheEnabled: boolean) => ({
  DmaAdapter: hex(adapter),
  Length,
  LogicalAddress: hex(LogicalAddress),
  CacheEnabled,
});

export const dmaAdapterFunctions = {
  IoGetDmaAdapter: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-iogetdmaadapter',
    params: {
      PhysicalDeviceObject: POINTER,
      DeviceDescription: IN(DEVICE_DESCRIPTION),
      NumberOfMapRegisters: OUT(u32),
    },
    returns: 'pointer',
    irql: P,
    acquires: { type: 'dma-adapter', key: (_, result) => result },
    failures: [failsNull],
    body({ dmaAdapters }, { DeviceDescription: description, NumberOfMapRegisters }) {
      const { Version, Dma64BitAddresses, Dma32BitAddresses, MaximumLength } = description;
      if (Version > 3) return NULL;
      const count = Math.ceil(MaximumLength / PAGE_SIZE) + 1;
      NumberOfMapRegisters.set(count);
      const highest = Dma64BitAddresses ? 2 ** 52 : Dma32BitAddresses ? HIGHEST_32 : HIGHEST_24;
      return dmaAdapters.open(Version, highest, count);
    },
  }),
  PutDmaAdapter: f({
    ...common,
    page: 'wdm-pput_dma_adapter',
    params: { DmaAdapter },
    returns: 'void',
    irql: D,
    undoes: { types: ['dma-adapter'], key: (args) => args.DmaAdapter },
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.close(args.DmaAdapter, fn);
      return undefined;
    },
  }),
  AllocateCommonBuffer: f({
    ...common,
    page: 'wdm-pallocate_common_buffer',
    params: { DmaAdapter, Length: ULONG, LogicalAddress: OUT(pointer), CacheEnabled: BOOLEAN },
    returns: 'pointer',
    irql: P,
    acquires: {
      type: 'common-buffer',
      key: (_, result) => result,
      detail: (args) => bufferDetail(args.DmaAdapter, args.Length, args.LogicalAddress.get(), args.CacheEnabled),
    },
    failures: [failsNull],
    body({ dmaAdapters, hardware }, args, { fn }) {
      const buffer = dmaAdapters.commonBuffer(fn, args.DmaAdapter, args.Length, Number.POSITIVE_INFINITY);
      if (buffer !== NULL) args.LogicalAddress.set(hardware.physicalOf(buffer) as Address);
      return buffer;
    },
  }),
  AllocateCommonBufferEx: f({
    ...common,
    page: 'wdm-pallocate_common_buffer_ex',
    params: {
      DmaAdapter,
      MaximumAddress: POINTER,
      Length: ULONG,
      LogicalAddress: OUT(pointer),
      CacheEnabled: BOOLEAN,
      PreferredNode: ULONG,
    },
    returns: 'pointer',
    irql: P,
    acquires: {
      type: 'common-buffer',
      key: (_, result) => result,
      detail: (args) => bufferDetail(args.DmaAdapter, args.Length, args.LogicalAddress.get(), args.CacheEnabled),
    },
    failures: [failsNull],
    body({ dmaAdapters, hardware, memory }, args, { fn }) {
      const { MaximumAddress } = args;
      const highest = MaximumAddress === NULL ? Number.POSITIVE_INFINITY : Number(memory.readU64(MaximumAddress));
      const buffer = dmaAdapters.commonBuffer(fn, args.DmaAdapter, args.Length, highest);
      if (buffer !== NULL) args.LogicalAddress.set(hardware.physicalOf(buffer) as Address);
      return buffer;
    },
  }),
  FreeCommonBuffer: f({
    ...common,
    page: 'wdm-pfree_common_buffer',
    params: { DmaAdapter, Length: ULONG, LogicalAddress: SIZE_T, VirtualAddress: POINTER, CacheEnabled: BOOLEAN },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['common-buffer'],
      key: ({ VirtualAddress }) => VirtualAddress,
      match: (args) => bufferDetail(args.DmaAdapter, args.Length, args.LogicalAddress, args.CacheEnabled),
      stray: ({ pool }, { VirtualAddress }) => pool.describe(VirtualAddress),
      otherwise: () => undefined,
    },
    body(kernel, args, { fn }) {
      kernel.dmaAdapters.named(args.DmaAdapter, fn);
      kernel.heap.free(args.VirtualAddress, kernel.stack());
      return undefined;
    },
  }),
  GetDmaAlignment: f({
    ...common,
    page: 'wdm-pget_dma_alignment',
    params: { DmaAdapter },
    returns: 'u32',
    irql: P,
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      return ALIGNMENT;
    },
  }),
  GetScatterGatherList: f({
    ...common,
    page: 'wdm-pget_scatter_gather_list',
    params: transfer,
    returns: 'status',
    irql: EXACTLY_D,
    // `late`: HAL waits for map registers, and the routine is called after this has returned.
    failures: [resources, { id: 'late' }],
    *body({ dmaAdapters }, args, { fn, soft }) {
      return yield* dmaAdapters.list(fn, args, undefined, soft === 'late');
    },
  }),
  BuildScatterGatherList: f({
    ...common,
    page: 'wdm-pbuild_scatter_gather_list',
    params: { ...transfer, ScatterGatherBuffer: POINTER, ScatterGatherLength: ULONG },
    returns: 'status',
    irql: EXACTLY_D,
    failures: [resources, { id: 'late' }],
    *body({ dmaAdapters }, args, { fn, soft }) {
      const buffer = { address: args.ScatterGatherBuffer, size: args.ScatterGatherLength };
      return yield* dmaAdapters.list(fn, args, buffer, soft === 'late');
    },
  }),
  PutScatterGatherList: f({
    ...common,
    page: 'wdm-pput_scatter_gather_list',
    params: { DmaAdapter, ScatterGather: POINTER, WriteToDevice: BOOLEAN },
    returns: 'void',
    irql: EXACTLY_D,
    undoes: {
      types: ['hal-sg-list'],
      key: ({ ScatterGather }) => ScatterGather,
      match: (args) => ({ DmaAdapter: hex(args.DmaAdapter), WriteToDevice: args.WriteToDevice }),
      otherwise: () => undefined,
    },
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      dmaAdapters.putList(args.ScatterGather);
      return undefined;
    },
  }),
  CalculateScatterGatherList: f({
    ...common,
    page: 'wdm-pcalculate_scatter_gather_list_size',
    params: {
      DmaAdapter,
      Mdl: POINTER,
      CurrentVa: POINTER,
      Length: ULONG,
      ScatterGatherListSize: OUT(u32),
      NumberOfMapRegisters: OUT(u32),
    },
    returns: 'status',
    irql: D,
    /** Room for every page in a piece of its own (assumed). */
    body({ dmaAdapters, mdls }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      let pages = args.Mdl === NULL ? spannedPages(args.CurrentVa, args.Length) : 0;
      for (let next = args.Mdl; next !== NULL; next = mdls.at(next).Next) {
        const mdl = mdls.at(next);
        pages += spannedPages(mdls.addressOf(mdl), mdl.ByteCount);
      }
      args.ScatterGatherListSize.set(listSize(pages));
      if (args.NumberOfMapRegisters.present) args.NumberOfMapRegisters.set(pages);
      return Status.SUCCESS;
    },
  }),
  AllocateAdapterChannel: f({
    ...common,
    page: 'wdm-pallocate_adapter_channel',
    params: {
      DmaAdapter,
      DeviceObject: POINTER,
      NumberOfMapRegisters: ULONG,
      ExecutionRoutine: CODE,
      Context: POINTER,
    },
    returns: 'status',
    irql: EXACTLY_D,
    failures: [resources],
    *body({ dmaAdapters }, args, { fn }) {
      const adapter = dmaAdapters.named(args.DmaAdapter, fn);
      if (args.NumberOfMapRegisters > adapter.mapRegisters) return Status.INSUFFICIENT_RESOURCES;
      yield* dmaAdapters.channel(args.DeviceObject, args.ExecutionRoutine, args.Context);
      return Status.SUCCESS;
    },
  }),
  FreeAdapterChannel: f({
    ...common,
    page: 'wdm-pfree_adapter_channel',
    params: { DmaAdapter },
    returns: 'void',
    irql: EXACTLY_D,
    /** A bus master's channel is never in anybody's way. */
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      return undefined;
    },
  }),
  FreeMapRegisters: f({
    ...common,
    page: 'wdm-pfree_map_registers',
    params: { DmaAdapter, MapRegisterBase: POINTER, NumberOfMapRegisters: ULONG },
    returns: 'void',
    irql: EXACTLY_D,
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      dmaAdapters.freeRegisters(args.MapRegisterBase);
      return undefined;
    },
  }),
  MapTransfer: f({
    ...common,
    page: 'wdm-pmap_transfer',
    params: {
      DmaAdapter,
      Mdl: POINTER,
      MapRegisterBase: POINTER,
      CurrentVa: POINTER,
      Length: OUT(u32),
      WriteToDevice: BOOLEAN,
    },
    returns: 'pointer',
    irql: D,
    /** One contiguous piece a call; Length says how much of what was asked it is (page). */
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      const [piece] = dmaAdapters.pieces(args.Mdl, args.CurrentVa, args.Length.get()) ?? [];
      if (piece === undefined) return NULL;
      args.Length.set(piece.size);
      dmaAdapters.map(args.MapRegisterBase, piece, args.WriteToDevice);
      return piece.physical as Address;
    },
  }),
  FlushAdapterBuffers: f({
    ...common,
    page: 'wdm-pflush_adapter_buffers',
    params: {
      DmaAdapter,
      Mdl: POINTER,
      MapRegisterBase: POINTER,
      CurrentVa: POINTER,
      Length: ULONG,
      WriteToDevice: BOOLEAN,
    },
    returns: 'bool',
    irql: D,
    body({ dmaAdapters }, args, { fn }) {
      dmaAdapters.named(args.DmaAdapter, fn);
      return dmaAdapters.flush(args.MapRegisterBase);
    },
  }),
};
