/**
 * Memory descriptor lists. An MDL names pages by their physical numbers, which are those of `hardware.physicalOf`, so a device
 * that follows one reads what the driver wrote. Locked pages stay where they are in the one kernel address space there is:
 * a system mapping is the address the pages have already, but owed like a real one (`mapping`, `locked-pages`).
 * Pages: wdm-ioallocatemdl, wdm-mmbuildmdlfornonpagedpool, wdm-mmprobeandlockpages, wdm-mmmaplockedpagesspecifycache, …
 */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, hex, NULL } from '../trace/units.ts';
import { type GuestMemory, MemoryFault, Shadow } from '../x64/memory.ts';
import type { Hardware } from './hardware.ts';
import { type Heap, PAGE_SIZE } from './heap.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u16, u32, type View } from './layout.ts';
import { RaisedStatus } from './raised-status.ts';
import { A, ANY, BOOLEAN, D, failsNull, functionsOf, IN, POINTER, SIZE_T, ULONG } from './record.ts';
import { Status } from './status.ts';
import { BugCheck, Unsupported } from './stops.ts';

export const MDL = struct('MDL', {
  Next: pointer,
  Size: u16,
  MdlFlags: u16,
  AllocationProcessorNumber: u16,
  Reserved: u16,
  Process: pointer,
  MappedSystemVa: pointer,
  StartVa: pointer,
  ByteCount: u32,
  ByteOffset: u32,
});
export type Mdl = View<typeof MDL.fields>;

export const MdlFlag = {
  MAPPED_TO_SYSTEM_VA: 0x0001,
  PAGES_LOCKED: 0x0002,
  SOURCE_IS_NONPAGED_POOL: 0x0004,
  ALLOCATED_FIXED_SIZE: 0x0008,
  PARTIAL: 0x0010,
  PARTIAL_HAS_BEEN_MAPPED: 0x0020,
  WRITE_OPERATION: 0x0080,
  NETWORK_HEADER: 0x1000,
} as const;

/** NO_MORE_SYSTEM_PTES: a mapping that may not fail did. */
const NO_MORE_SYSTEM_PTES = 0x3f;
const USER_MODE = 1;

/** Pages that `[address, address + length)` touches. */
export function spannedPages(address: Address, length: number): number {
  return Math.ceil(((address & (PAGE_SIZE - 1)) + length) / PAGE_SIZE);
}

export class Mdls {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly hardware: Hardware;
  private readonly trace: Recorder;
  /** Bytes that were pageable before their pages were locked, by MDL. */
  private readonly pagedIn = new Map<Address, { start: Address; size: number }[]>();

  constructor(parts: { memory: GuestMemory; heap: Heap; hardware: Hardware; trace: Recorder }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.hardware = parts.hardware;
    this.trace = parts.trace;
  }

  at(address: Address): Mdl {
    return MDL.at(this.memory, address);
  }

  /** An MDL for a range, its page numbers not yet filled in: what IoAllocateMdl gives. */
  allocate(address: Address, length: number, what: string, stack: Stack = []): Mdl {
    const size = MDL.size + 8 * spannedPages(address, length);
    const mdl = this.at(this.heap.allocate(size, what, { stack, fill: 0 }));
    mdl.Size = size;
    mdl.MdlFlags = MdlFlag.ALLOCATED_FIXED_SIZE;
    this.aim(mdl, address, length);
    return mdl;
  }

  /** Lets a header name another range: what MmInitializeMdl does inline. */
  aim(mdl: Mdl, address: Address, length: number): void {
    const offset = address & (PAGE_SIZE - 1);
    mdl.StartVa = at(address, -offset);
    mdl.ByteOffset = offset;
    mdl.ByteCount = length;
  }

  /** An MDL that describes nonpaged memory: what NdisAllocateMdl and NET_BUFFERs are made of. */
  describe(address: Address, length: number, what: string, stack: Stack = []): Mdl {
    const mdl = this.allocate(address, length, what, stack);
    this.buildForNonPaged(mdl);
    return mdl;
  }

  free(mdl: Address, stack: Stack = []): void {
    this.heap.free(mdl, stack);
  }

  /** The address of the first byte an MDL was made for. */
  addressOf(mdl: Mdl): Address {
    return at(mdl.StartVa, mdl.ByteOffset);
  }

  /** Physical page numbers, in order. */
  pages(mdl: Mdl): number[] {
    const count = spannedPages(this.addressOf(mdl), mdl.ByteCount);
    return Array.from({ length: count }, (_, i) => this.memory.readPointer(at(mdl.address, MDL.size + 8 * i)));
  }

  fillPages(mdl: Mdl, start: Address): void {
    const count = spannedPages(this.addressOf(mdl), mdl.ByteCount);
    for (let i = 0; i < count; i++) {
      const physical = this.hardware.physicalOf(at(start, i * PAGE_SIZE));
      this.memory.writePointer(at(mdl.address, MDL.size + 8 * i), Math.floor(physical / PAGE_SIZE));
    }
  }

  buildForNonPaged(mdl: Mdl): void {
    const start = this.addressOf(mdl);
    this.probe(start, mdl.ByteCount, 'read');
    this.fillPages(mdl, mdl.StartVa);
    mdl.MdlFlags |= MdlFlag.SOURCE_IS_NONPAGED_POOL;
    mdl.Process = NULL;
    mdl.MappedSystemVa = start;
  }

  /** Faults at the first byte that is no memory. Pageable memory is memory. */
  private probe(start: Address, size: number, access: 'read' | 'write'): void {
    if (access === 'read' ? this.memory.readable(start, size) : this.memory.writable(start, size)) return;
    const refused: readonly number[] = [Shadow.Unmapped, Shadow.Freed, Shadow.Guard, Shadow.StackGuard];
    for (let i = 0; i < size; i++) {
      const shadow = this.memory.shadowAt(at(start, i));
      const readOnly = shadow === Shadow.ReadOnly || shadow === Shadow.PageableReadOnly;
      if (refused.includes(shadow) || (access === 'write' && readOnly)) {
        throw new MemoryFault(access, at(start, i), 1, shadow);
      }
    }
  }

  /** Brings the pages in and holds them there: until they are unlocked, pageable bytes are ordinary ones. */
  lock(mdl: Mdl, write: boolean): void {
    const start = this.addressOf(mdl);
    this.probe(start, mdl.ByteCount, write ? 'write' : 'read');
    const spans: { start: Address; size: number }[] = [];
    for (let i = 0; i < mdl.ByteCount; i++) {
      if (this.memory.shadowAt(at(start, i)) !== Shadow.Pageable) continue;
      const last = spans.at(-1);
      if (last !== undefined && last.start + last.size === start + i) last.size++;
      else spans.push({ start: at(start, i), size: 1 });
    }
    for (const span of spans) this.memory.setShadow(span.start, span.size, Shadow.ReadWrite);
    this.pagedIn.set(mdl.address, spans);
    this.fillPages(mdl, mdl.StartVa);
    mdl.MdlFlags |= MdlFlag.PAGES_LOCKED | (write ? MdlFlag.WRITE_OPERATION : 0);
  }

  unlock(mdl: Mdl): void {
    for (const { start, size } of this.pagedIn.get(mdl.address) ?? []) {
      if (this.memory.shadowAt(start) === Shadow.ReadWrite) this.memory.setShadow(start, size, Shadow.Pageable);
    }
    this.pagedIn.delete(mdl.address);
    mdl.MdlFlags &= ~(MdlFlag.PAGES_LOCKED | MdlFlag.WRITE_OPERATION);
  }

  /** The system address of the MDL's pages. */
  map(mdl: Mdl): Address {
    if ((mdl.MdlFlags & (MdlFlag.MAPPED_TO_SYSTEM_VA | MdlFlag.SOURCE_IS_NONPAGED_POOL)) !== 0) {
      this.trace.emit({ kind: 'fact', what: 'mdl-mapped-again', detail: { mdl: hex(mdl.address) } });
      return mdl.MappedSystemVa;
    }
    const pages = this.pages(mdl);
    if (pages.some((page, i) => page !== (pages[0] as number) + i)) {
      throw new Unsupported('MmMapLockedPages', 'a mapping of pages that do not follow one another');
    }
    const start = at(this.hardware.virtualOf((pages[0] ?? 0) * PAGE_SIZE), mdl.ByteOffset);
    mdl.MappedSystemVa = start;
    mdl.MdlFlags |= MdlFlag.MAPPED_TO_SYSTEM_VA;
    if ((mdl.MdlFlags & MdlFlag.PARTIAL) !== 0) mdl.MdlFlags |= MdlFlag.PARTIAL_HAS_BEEN_MAPPED;
    return start;
  }

  unmap(mdl: Mdl): void {
    mdl.MdlFlags &= ~(MdlFlag.MAPPED_TO_SYSTEM_VA | MdlFlag.PARTIAL_HAS_BEEN_MAPPED);
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;

interface MappingCall {
  readonly MemoryDescriptorList: Mdl;
  readonly AccessMode: number;
  readonly BugCheckOnFailure?: number;
}

/** A mapping of an MDL that has one already is not another one. */
const acquiresMapping = {
  type: 'mapping',
  key: ({ MemoryDescriptorList }: MappingCall) => MemoryDescriptorList.address,
  when: ({ MemoryDescriptorList }: MappingCall, result: Address) =>
    result !== NULL && (MemoryDescriptorList.MdlFlags & MdlFlag.MAPPED_TO_SYSTEM_VA) !== 0,
  detail: (_: MappingCall, result: Address) => ({ BaseAddress: hex(result) }),
};

function map(kernel: Kernel, { MemoryDescriptorList, AccessMode }: MappingCall): Address {
  if ((AccessMode & 0xff) === USER_MODE) {
    throw new Unsupported('MmMapLockedPages', 'a mapping into user mode', kernel.stack());
  }
  return kernel.mdls.map(MemoryDescriptorList);
}

/** Ends the mapping that goes with the MDL's lock or life, as documented for MmUnlockPages and IoFreeMdl. */
function endMapping(kernel: Kernel, mdl: Mdl, fn: string): void {
  kernel.mdls.unmap(mdl);
  kernel.resources.end(['mapping'], mdl.address, fn);
}

/** IRP.MdlAddress. */
const IRP_MDL_ADDRESS = 8;

/** All or nothing (wdm.h, wdm-mmallocatepagesformdlex). */
const MM_ALLOCATE_FULLY_REQUIRED = 0x4;

/** Soft: the MDL describes fewer bytes than were asked for, and it is for the driver to look (wdm-mmallocatepagesformdlex). */
const fewerPages = {
  id: 'fewer-pages',
  when: ({ TotalBytes }: { TotalBytes: number }): boolean => TotalBytes >= 2 * PAGE_SIZE,
};

export const mdlFunctions = {
  KeFlushIoBuffers: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-keflushiobuffers',
    params: { Mdl: IN(MDL), ReadOperation: BOOLEAN, DmaOperation: BOOLEAN },
    returns: 'void',
    irql: D,
    /** An x64 machine's caches are coherent with DMA; the MDL is read all the same. */
    body({ mdls }, { Mdl: mdl }) {
      mdls.pages(mdl);
      return undefined;
    },
  }),
  IoAllocateMdl: f({
    ...common,
    page: 'wdm-ioallocatemdl',
    params: { VirtualAddress: POINTER, Length: ULONG, SecondaryBuffer: BOOLEAN, ChargeQuota: BOOLEAN, Irp: POINTER },
    returns: 'pointer',
    irql: D,
    acquires: {
      type: 'io-mdl',
      key: (_, result) => result,
      detail: ({ VirtualAddress, Length }) => ({ VirtualAddress: hex(VirtualAddress), Length }),
    },
    failures: [failsNull],
    body(kernel, { VirtualAddress, Length, SecondaryBuffer, Irp }) {
      const { memory, mdls } = kernel;
      const mdl = mdls.allocate(VirtualAddress, Length, 'MDL', kernel.stack()).address;
      if (Irp === NULL) return mdl;
      let slot = at(Irp, IRP_MDL_ADDRESS);
      if (SecondaryBuffer) while (memory.readPointer(slot) !== NULL) slot = memory.readPointer(slot);
      memory.writePointer(slot, mdl);
      return mdl;
    },
  }),
  IoFreeMdl: f({
    ...common,
    page: 'wdm-iofreemdl',
    params: { Mdl: IN(MDL) },
    returns: 'void',
    irql: D,
    undoes: { types: ['io-mdl'], key: ({ Mdl: { address } }) => address, otherwise: () => undefined },
    body(kernel, { Mdl: mdl }, { fn }) {
      if ((mdl.MdlFlags & MdlFlag.PAGES_LOCKED) !== 0 && (mdl.MdlFlags & MdlFlag.PARTIAL) === 0) {
        const detail = { mdl: hex(mdl.address) };
        kernel.trace.emit({ kind: 'fact', what: 'mdl-freed-while-locked', detail, stack: kernel.stack() });
      }
      if ((mdl.MdlFlags & MdlFlag.PARTIAL_HAS_BEEN_MAPPED) !== 0) endMapping(kernel, mdl, fn);
      kernel.mdls.free(mdl.address, kernel.stack());
      return undefined;
    },
  }),
  MmSizeOfMdl: f({
    ...common,
    page: 'wdm-mmsizeofmdl',
    params: { Base: POINTER, Length: SIZE_T },
    returns: 'u64',
    irql: ANY,
    body: (_, { Base, Length }) => BigInt(MDL.size + 8 * spannedPages(Base, Length)),
  }),
  MmBuildMdlForNonPagedPool: f({
    ...common,
    page: 'wdm-mmbuildmdlfornonpagedpool',
    params: { MemoryDescriptorList: IN(MDL) },
    returns: 'void',
    irql: D,
    body({ mdls }, { MemoryDescriptorList }) {
      mdls.buildForNonPaged(MemoryDescriptorList);
      return undefined;
    },
  }),
  MmProbeAndLockPages: f({
    ...common,
    page: 'wdm-mmprobeandlockpages',
    params: { MemoryDescriptorList: IN(MDL), AccessMode: ULONG, Operation: ULONG },
    returns: 'void',
    irql: D,
    acquires: { type: 'locked-pages', key: ({ MemoryDescriptorList: { address } }) => address },
    failures: [
      {
        id: 'access-violation',
        fail() {
          throw new RaisedStatus(Status.ACCESS_VIOLATION, 'MmProbeAndLockPages');
        },
      },
    ],
    body({ mdls }, { MemoryDescriptorList, Operation }) {
      mdls.lock(MemoryDescriptorList, Operation !== 0);
      return undefined;
    },
  }),
  MmUnlockPages: f({
    ...common,
    page: 'wdm-mmunlockpages',
    params: { MemoryDescriptorList: IN(MDL) },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['locked-pages'],
      key: ({ MemoryDescriptorList: { address } }) => address,
      otherwise: () => undefined,
    },
    body(kernel, { MemoryDescriptorList: mdl }, { fn }) {
      if ((mdl.MdlFlags & MdlFlag.MAPPED_TO_SYSTEM_VA) !== 0) endMapping(kernel, mdl, fn);
      kernel.mdls.unlock(mdl);
      return undefined;
    },
  }),
  MmMapLockedPages: f({
    ...common,
    page: 'wdm-mmmaplockedpages',
    params: { MemoryDescriptorList: IN(MDL), AccessMode: ULONG },
    returns: 'pointer',
    irql: D,
    acquires: acquiresMapping,
    body: (kernel, args) => map(kernel, args),
  }),
  MmMapLockedPagesSpecifyCache: f({
    ...common,
    page: 'wdm-mmmaplockedpagesspecifycache',
    params: {
      MemoryDescriptorList: IN(MDL),
      AccessMode: ULONG,
      CacheType: ULONG,
      RequestedAddress: POINTER,
      BugCheckOnFailure: ULONG,
      Priority: ULONG,
    },
    returns: 'pointer',
    irql: D,
    acquires: acquiresMapping,
    failures: [
      {
        id: 'null',
        fail({ BugCheckOnFailure }) {
          if (BugCheckOnFailure === 0) return NULL;
          throw new BugCheck(NO_MORE_SYSTEM_PTES, 'a mapping with BugCheckOnFailure set fails');
        },
      },
    ],
    body: (kernel, args) => map(kernel, args),
  }),
  MmUnmapLockedPages: f({
    ...common,
    page: 'wdm-mmunmaplockedpages',
    params: { BaseAddress: POINTER, MemoryDescriptorList: IN(MDL) },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['mapping'],
      key: ({ MemoryDescriptorList: { address } }) => address,
      match: ({ BaseAddress }) => ({ BaseAddress: hex(BaseAddress) }),
      otherwise: () => undefined,
    },
    body({ mdls }, { MemoryDescriptorList }) {
      mdls.unmap(MemoryDescriptorList);
      return undefined;
    },
  }),
  IoBuildPartialMdl: f({
    ...common,
    page: 'wdm-iobuildpartialmdl',
    params: { SourceMdl: IN(MDL), TargetMdl: IN(MDL), VirtualAddress: POINTER, Length: ULONG },
    returns: 'void',
    irql: D,
    body({ memory, mdls }, { SourceMdl: source, TargetMdl: target, VirtualAddress, Length }) {
      const skipped = VirtualAddress - mdls.addressOf(source);
      const length = Length === 0 ? source.ByteCount - skipped : Length;
      if (target.Size < MDL.size + 8 * spannedPages(VirtualAddress, length)) {
        throw new BugCheck(TARGET_MDL_TOO_SMALL, 'the target MDL of IoBuildPartialMdl has room for fewer pages');
      }
      mdls.aim(target, VirtualAddress, length);
      const firstPage = (target.StartVa - source.StartVa) / PAGE_SIZE;
      const pages = mdls.pages(source).slice(firstPage, firstPage + spannedPages(VirtualAddress, length));
      for (const [i, page] of pages.entries()) memory.writePointer(at(target.address, MDL.size + 8 * i), page);
      const inherited = MdlFlag.MAPPED_TO_SYSTEM_VA | MdlFlag.SOURCE_IS_NONPAGED_POOL;
      target.Process = source.Process;
      target.MdlFlags = (target.MdlFlags & MdlFlag.ALLOCATED_FIXED_SIZE) | MdlFlag.PARTIAL;
      if ((source.MdlFlags & inherited) !== 0) {
        target.MdlFlags |= MdlFlag.SOURCE_IS_NONPAGED_POOL;
        target.MappedSystemVa = at(source.MappedSystemVa, skipped);
      }
      return undefined;
    },
  }),
  MmAllocatePagesForMdl: f({
    ...common,
    page: 'wdm-mmallocatepagesformdl',
    params: { LowAddress: SIZE_T, HighAddress: SIZE_T, SkipBytes: SIZE_T, TotalBytes: SIZE_T },
    returns: 'pointer',
    irql: A,
    acquires: { type: 'mdl-pages', key: (_, result) => result, detail: ({ TotalBytes }) => ({ TotalBytes }) },
    failures: [failsNull, fewerPages],
    body: (kernel, { HighAddress, TotalBytes }, { fn, soft }) =>
      allocatePages(kernel, HighAddress, granted(TotalBytes, soft), fn),
  }),
  MmAllocatePagesForMdlEx: f({
    ...common,
    page: 'wdm-mmallocatepagesformdlex',
    params: {
      LowAddress: SIZE_T,
      HighAddress: SIZE_T,
      SkipBytes: SIZE_T,
      TotalBytes: SIZE_T,
      CacheType: ULONG,
      Flags: ULONG,
    },
    returns: 'pointer',
    irql: A,
    acquires: { type: 'mdl-pages', key: (_, result) => result, detail: ({ TotalBytes }) => ({ TotalBytes }) },
    failures: [
      failsNull,
      { ...fewerPages, when: (args) => fewerPages.when(args) && (args.Flags & MM_ALLOCATE_FULLY_REQUIRED) === 0 },
    ],
    body: (kernel, { HighAddress, TotalBytes }, { fn, soft }) =>
      allocatePages(kernel, HighAddress, granted(TotalBytes, soft), fn),
  }),
  MmAllocateNodePagesForMdlEx: f({
    ...common,
    page: 'wdm-mmallocatenodepagesformdlex',
    params: {
      LowAddress: SIZE_T,
      HighAddress: SIZE_T,
      SkipBytes: SIZE_T,
      TotalBytes: SIZE_T,
      CacheType: ULONG,
      IdealNode: ULONG,
      Flags: ULONG,
    },
    returns: 'pointer',
    irql: A,
    acquires: { type: 'mdl-pages', key: (_, result) => result, detail: ({ TotalBytes }) => ({ TotalBytes }) },
    failures: [
      failsNull,
      { ...fewerPages, when: (args) => fewerPages.when(args) && (args.Flags & MM_ALLOCATE_FULLY_REQUIRED) === 0 },
    ],
    body: (kernel, { HighAddress, TotalBytes }, { fn, soft }) =>
      allocatePages(kernel, HighAddress, granted(TotalBytes, soft), fn),
  }),
  MmFreePagesFromMdl: f({
    ...common,
    page: 'wdm-mmfreepagesfrommdl',
    params: { MemoryDescriptorList: IN(MDL) },
    returns: 'void',
    irql: A,
    undoes: {
      types: ['mdl-pages'],
      key: ({ MemoryDescriptorList: { address } }) => address,
      otherwise: () => undefined,
    },
    body(kernel, { MemoryDescriptorList: mdl }) {
      const first = kernel.mdls.pages(mdl)[0];
      if (first !== undefined) kernel.heap.free(kernel.hardware.virtualOf(first * PAGE_SIZE), kernel.stack());
      return undefined;
    },
  }),
  MmGetPhysicalAddress: f({
    ...common,
    page: 'ntddk-mmgetphysicaladdress',
    params: { BaseAddress: POINTER },
    returns: 'u64',
    irql: ANY,
    body: ({ memory, hardware }, { BaseAddress }) =>
      memory.contains(BaseAddress) && memory.shadowAt(BaseAddress) !== Shadow.Unmapped
        ? BigInt(hardware.physicalOf(BaseAddress))
        : 0n,
  }),
};

/** TARGET_MDL_TOO_SMALL. */
const TARGET_MDL_TOO_SMALL = 0x40;

/** Zeroed pages that no address shows until they are mapped; the MDL is the caller's to free with ExFreePool. */
/** What is left of a request when there are not that many free pages. */
function granted(bytes: number, soft: string | undefined): number {
  return soft === fewerPages.id ? Math.floor(bytes / PAGE_SIZE / 2) * PAGE_SIZE : bytes;
}

function allocatePages(kernel: Kernel, highest: number, bytes: number, fn: string): Address {
  const { heap, mdls, hardware, resources } = kernel;
  const size = Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
  if (size === 0) return NULL;
  const stack = kernel.stack();
  const start = heap.allocate(size, 'pages of MmAllocatePagesForMdl', { align: PAGE_SIZE, fill: 0, stack });
  if (hardware.physicalOf(start) + size > highest) {
    heap.free(start);
    return NULL;
  }
  const mdl = mdls.allocate(NULL, size, 'MDL of MmAllocatePagesForMdl', stack);
  mdls.fillPages(mdl, start);
  mdl.MdlFlags = MdlFlag.PAGES_LOCKED;
  resources.acquire('pool', mdl.address, { fn, stack, detail: { NumberOfBytes: mdl.Size } });
  return mdl.address;
}
