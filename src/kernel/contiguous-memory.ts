/**
 * Memory that is contiguous for a device, or not cached. Guest memory is physically contiguous throughout (see hardware.ts), so
 * only the limits on addresses can refuse a request.
 * Pages: wdm-mmallocatecontiguousmemory, wdm-mmfreecontiguousmemory, ntddk-mmallocatenoncachedmemory and their neighbours.
 */
import { type Address, NULL } from '../trace/units.ts';
import { PAGE_SIZE } from './heap.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct } from './layout.ts';
import { A, D, type Detail, failsNull, failsWith, functionsOf, IN, OUT, P, POINTER, SIZE_T, ULONG } from './record.ts';
import { Status } from './status.ts';

interface Request {
  readonly NumberOfBytes: number;
  readonly LowestAcceptableAddress?: number;
  readonly HighestAcceptableAddress: number;
  readonly BoundaryAddressMultiple?: number;
}

/** What fresh pages hold that nobody zeroed. */
const UNINITIALIZED = 0xcd;

function allocate(kernel: Kernel, args: Request): Address {
  const { heap, hardware, memory } = kernel;
  const { NumberOfBytes, LowestAcceptableAddress = 0, HighestAcceptableAddress, BoundaryAddressMultiple = 0 } = args;
  if (NumberOfBytes === 0 || NumberOfBytes > memory.size) return NULL;
  // A block aligned to a power of two that holds it crosses no larger boundary.
  const aligned = 2 ** Math.ceil(Math.log2(NumberOfBytes));
  if (BoundaryAddressMultiple > 0 && NumberOfBytes > BoundaryAddressMultiple) return NULL;
  const align = Math.max(PAGE_SIZE, BoundaryAddressMultiple > 0 ? aligned : 0);
  const address = heap.allocate(NumberOfBytes, 'contiguous memory', {
    align,
    fill: UNINITIALIZED,
    stack: kernel.stack(),
  });
  const physical = hardware.physicalOf(address);
  if (physical >= LowestAcceptableAddress && physical + NumberOfBytes - 1 <= HighestAcceptableAddress) return address;
  heap.free(address);
  return NULL;
}

/** A length passed by its address. */
const LENGTH = struct('SIZE_T', { Length: pointer });

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const acquires = {
  type: 'contiguous-memory',
  key: (_: unknown, result: Address) => result,
  detail: (args: { NumberOfBytes: number; CacheType?: number }): Detail => ({
    NumberOfBytes: args.NumberOfBytes,
    ...(args.CacheType === undefined ? {} : { CacheType: args.CacheType }),
  }),
} as const;
const stray = ({ pool }: Kernel, { BaseAddress }: { BaseAddress: Address }) => pool.describe(BaseAddress);

export const contiguousMemoryFunctions = {
  MmAllocateContiguousMemory: f({
    module,
    page: 'ntddk-mmallocatecontiguousmemory',
    params: { NumberOfBytes: SIZE_T, HighestAcceptableAddress: SIZE_T },
    returns: 'pointer',
    irql: D,
    acquires,
    failures: [failsNull],
    body: allocate,
  }),
  MmAllocateContiguousMemorySpecifyCache: f({
    module,
    page: 'ntddk-mmallocatecontiguousmemoryspecifycache',
    params: {
      NumberOfBytes: SIZE_T,
      LowestAcceptableAddress: SIZE_T,
      HighestAcceptableAddress: SIZE_T,
      BoundaryAddressMultiple: SIZE_T,
      CacheType: ULONG,
    },
    returns: 'pointer',
    irql: D,
    acquires,
    failures: [failsNull],
    body: allocate,
  }),
  MmAllocateContiguousMemorySpecifyCacheNode: f({
    module,
    page: 'ntddk-mmallocatecontiguousmemoryspecifycachenode',
    params: {
      NumberOfBytes: SIZE_T,
      LowestAcceptableAddress: SIZE_T,
      HighestAcceptableAddress: SIZE_T,
      BoundaryAddressMultiple: SIZE_T,
      CacheType: ULONG,
      PreferredNode: ULONG,
    },
    returns: 'pointer',
    irql: D,
    acquires,
    failures: [failsNull],
    body: allocate,
  }),
  MmAllocateContiguousMemoryEx: f({
    module,
    page: 'wdm-mmallocatecontiguousmemoryex',
    params: {
      NumberOfBytes: IN(LENGTH),
      LowestAcceptableAddress: SIZE_T,
      HighestAcceptableAddress: SIZE_T,
      BoundaryAddressMultiple: SIZE_T,
      PreferredNode: ULONG,
      Protect: ULONG,
      PartitionObject: POINTER,
      Tag: ULONG,
      Flags: ULONG,
      BaseAddress: OUT(pointer),
    },
    returns: 'status',
    irql: D,
    acquires: { type: 'contiguous-memory', key: ({ BaseAddress }) => BaseAddress.get() },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body(kernel, { NumberOfBytes, BaseAddress, ...limits }) {
      const address = allocate(kernel, { ...limits, NumberOfBytes: NumberOfBytes.Length });
      if (address === NULL) return Status.INSUFFICIENT_RESOURCES;
      BaseAddress.set(address);
      return Status.SUCCESS;
    },
  }),
  MmAllocateContiguousNodeMemory: f({
    module,
    page: 'ntddk-mmallocatecontiguousnodememory',
    params: {
      NumberOfBytes: SIZE_T,
      LowestAcceptableAddress: SIZE_T,
      HighestAcceptableAddress: SIZE_T,
      BoundaryAddressMultiple: SIZE_T,
      Protect: ULONG,
      PreferredNode: ULONG,
    },
    returns: 'pointer',
    irql: D,
    acquires,
    failures: [failsNull],
    body: allocate,
  }),
  MmFreeContiguousMemory: f({
    module,
    page: 'ntddk-mmfreecontiguousmemory',
    params: { BaseAddress: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['contiguous-memory'], key: (args) => args.BaseAddress, stray, otherwise: () => undefined },
    body({ pool }, { BaseAddress }) {
      pool.free(BaseAddress);
      return undefined;
    },
  }),
  MmFreeContiguousMemorySpecifyCache: f({
    module,
    page: 'ntddk-mmfreecontiguousmemoryspecifycache',
    params: { BaseAddress: POINTER, NumberOfBytes: SIZE_T, CacheType: ULONG },
    returns: 'void',
    irql: A,
    undoes: {
      types: ['contiguous-memory'],
      key: (args) => args.BaseAddress,
      match: ({ NumberOfBytes, CacheType }) => ({ NumberOfBytes, CacheType }),
      stray,
      otherwise: () => undefined,
    },
    body({ pool }, { BaseAddress }) {
      pool.free(BaseAddress);
      return undefined;
    },
  }),
  MmAllocateNonCachedMemory: f({
    module,
    page: 'ntddk-mmallocatenoncachedmemory',
    params: { NumberOfBytes: SIZE_T },
    returns: 'pointer',
    irql: P,
    acquires: { ...acquires, type: 'noncached-memory' },
    failures: [failsNull],
    body: (kernel, { NumberOfBytes }) => allocate(kernel, { NumberOfBytes, HighestAcceptableAddress: 2 ** 63 }),
  }),
  MmFreeNonCachedMemory: f({
    module,
    page: 'ntddk-mmfreenoncachedmemory',
    params: { BaseAddress: POINTER, NumberOfBytes: SIZE_T },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['noncached-memory'],
      key: (args) => args.BaseAddress,
      match: ({ NumberOfBytes }) => ({ NumberOfBytes }),
      stray,
      otherwise: () => undefined,
    },
    body({ pool }, { BaseAddress }) {
      pool.free(BaseAddress);
      return undefined;
    },
  }),
};
