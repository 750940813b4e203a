/**
 * Pool memory. Blocks are exact to the byte and never given out twice (see heap.ts); memory that the real call leaves as it was
 * holds 0xCD, so that a driver that relies on zeroes is found; paged pool may only be touched below DISPATCH_LEVEL.
 * Pages: wdm-exallocatepool2, wdm-exallocatepoolwithtag, ntddk-exfreepool, wdm-exfreepoolwithtag and their neighbours.
 */
import type { Stack } from '../trace/events.ts';
import { type Address, hex, NULL } from '../trace/units.ts';
import { type GuestMemory, Shadow } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { Kernel } from './kernel.ts';
import { RaisedStatus } from './raised-status.ts';
import { D, type Detail, type Failure, functionsOf, POINTER, SIZE_T, ULONG, ULONG64 } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';

/** What fresh pool holds that nobody zeroed. */
const UNINITIALIZED = 0xcd;
/** SYSTEM_CACHE_ALIGNMENT_SIZE on x64. */
const CACHE_LINE = 64;

/** `Ndad` for 0x6461646e: the order in which the characters lie in memory, as poolmon prints them. */
export function tagName(tag: number): string {
  const characters = [0, 8, 16, 24].map((shift) => (tag >>> shift) & 0xff);
  return characters.every((c) => c >= 0x20 && c < 0x7f) ? String.fromCharCode(...characters) : hex(tag);
}

export interface PoolRequest {
  readonly size: number;
  /** As a finding names the block: `pool block 'Ndad'`. */
  readonly what: string;
  readonly paged?: boolean;
  readonly zero?: boolean;
  readonly cacheAligned?: boolean;
}

export class Pool {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly capture: () => Stack;

  constructor(parts: { memory: GuestMemory; heap: Heap; stack: () => Stack }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.capture = parts.stack;
  }

  /** NULL when no machine would have that much. */
  allocate(request: PoolRequest): Address {
    const { size, what } = request;
    if (size > this.memory.size) return NULL;
    return this.heap.allocate(size, what, {
      fill: request.zero ? 0 : UNINITIALIZED,
      stack: this.capture(),
      ...(request.paged ? { shadow: Shadow.Pageable } : {}),
      ...(request.cacheAligned && size < 4096 ? { align: CACHE_LINE } : {}),
    });
  }

  free(address: Address): void {
    this.heap.free(address, this.capture());
  }

  /** For a finding about a pointer that names no live block of its kind: what it points to instead. */
  describe(address: Address): Detail {
    const block = this.heap.explain(address);
    if (block === undefined) return { pointer: 'no memory of this run' };
    const where = block.offset === 0 ? 'the start of' : `${block.offset} bytes into`;
    return { pointer: `${where} ${block.state === 'freed' ? 'the freed' : 'the'} ${block.what}` };
  }
}

// --- pool types and flags ---

const Type = { paged: 1, cacheAligned: 4, quotaFails: 8, raises: 16, zero: 1024 } as const;
const Flag = {
  uninitialized: 2n,
  session: 4n,
  cacheAligned: 8n,
  raises: 0x20n,
  nonPaged: 0x40n,
  executable: 0x80n,
  paged: 0x100n,
} as const;
/** Flags the allocator does not know must be refused when they stand in the low half. */
const KNOWN_FLAGS = 1n | 2n | 4n | 8n | 0x20n | 0x40n | 0x80n | 0x100n;

const raise = (fn: string): never => {
  throw new RaisedStatus(Status.INSUFFICIENT_RESOURCES, fn);
};

/** NULL, or an exception where the caller asked for one. */
const failsAsAsked = <A_>(fn: string, raises: (args: A_) => boolean): Failure<A_, Address>[] => [
  { id: 'null', fail: () => NULL, when: (args) => !raises(args) },
  { id: 'raise', fail: () => raise(fn), when: raises },
];

interface Sized {
  readonly NumberOfBytes: number;
  readonly Tag?: number;
}

const poolDetail = (paged: boolean, args: Sized): Detail => ({
  NumberOfBytes: args.NumberOfBytes,
  pool: paged ? 'paged' : 'nonpaged',
  ...(args.Tag === undefined ? {} : { Tag: tagName(args.Tag) }),
});

const nameOf = (tag: number | undefined) => (tag === undefined ? 'pool block' : `pool block '${tagName(tag)}'`);

/** Allocates by a POOL_TYPE. */
function byType({ pool, trace }: Kernel, type: number, args: Sized, fn: string): Address {
  if (args.NumberOfBytes === 0) trace.emit({ kind: 'fact', what: 'pool-zero-bytes', detail: { fn } });
  return pool.allocate({
    size: args.NumberOfBytes,
    what: nameOf(args.Tag),
    paged: (type & Type.paged) !== 0,
    zero: (type & Type.zero) !== 0,
    cacheAligned: (type & Type.cacheAligned) !== 0,
  });
}

/** Allocates by POOL_FLAGS; NULL or an exception for flags or a tag that are not valid. */
function byFlags({ pool, trace }: Kernel, flags: bigint, args: Required<Sized>, fn: string): Address {
  const kinds = [Flag.nonPaged, Flag.executable, Flag.paged].filter((flag) => (flags & flag) !== 0n);
  const unknown = flags & 0xffff_ffffn & ~KNOWN_FLAGS;
  if (kinds.length !== 1 || unknown !== 0n || args.Tag === 0) {
    return (flags & Flag.raises) !== 0n ? raise(fn) : NULL;
  }
  if (args.NumberOfBytes === 0) trace.emit({ kind: 'fact', what: 'pool-zero-bytes', detail: { fn } });
  return pool.allocate({
    size: args.NumberOfBytes,
    what: nameOf(args.Tag),
    paged: (flags & Flag.paged) !== 0n,
    zero: (flags & Flag.uninitialized) === 0n,
    cacheAligned: (flags & Flag.cacheAligned) !== 0n,
  });
}

/** NDIS memory is pool too: freeing it here works on Windows (observed); the undo's `type` and `fn` tell a rule that they differ. */
const FREED_AS_POOL = ['pool', 'memory'] as const;

const f = functionsOf<Kernel>();
const raisesType = ({ PoolType }: { PoolType: number }) => (PoolType & Type.raises) !== 0;
const raisesQuota = ({ PoolType }: { PoolType: number }) => (PoolType & Type.quotaFails) === 0;
const raisesFlags = ({ Flags }: { Flags: bigint }) => (Flags & Flag.raises) !== 0n;
const common = { module: 'ntoskrnl.exe', irql: D } as const;

const acquiresByType = {
  type: 'pool',
  key: (_: unknown, result: Address) => result,
  detail: (args: Sized & { PoolType: number }) => poolDetail((args.PoolType & Type.paged) !== 0, args),
} as const;
const acquiresByFlags = {
  type: 'pool',
  key: (_: unknown, result: Address) => result,
  detail: (args: Sized & { Flags: bigint }) => poolDetail((args.Flags & Flag.paged) !== 0n, args),
} as const;
/** With tag 0 the call frees a block of any tag (observed; the page asks for the same tag). */
const tagToMatch = ({ Tag }: { Tag: number }): Detail => (Tag === 0 ? {} : { Tag: tagName(Tag) });
const stray = ({ pool }: Kernel, { P }: { P: Address }): Detail => pool.describe(P);

export const poolFunctions = {
  ExAllocatePool: f({
    ...common,
    page: 'wdm-exallocatepool',
    params: { PoolType: ULONG, NumberOfBytes: SIZE_T },
    returns: 'pointer',
    acquires: acquiresByType,
    failures: failsAsAsked('ExAllocatePool', raisesType),
    body: (kernel, args, { fn }) => byType(kernel, args.PoolType, args, fn),
  }),
  ExAllocatePoolWithTag: f({
    ...common,
    page: 'wdm-exallocatepoolwithtag',
    params: { PoolType: ULONG, NumberOfBytes: SIZE_T, Tag: ULONG },
    returns: 'pointer',
    acquires: acquiresByType,
    failures: failsAsAsked('ExAllocatePoolWithTag', raisesType),
    body: (kernel, args, { fn }) => byType(kernel, args.PoolType, args, fn),
  }),
  ExAllocatePoolWithTagPriority: f({
    ...common,
    page: 'wdm-exallocatepoolwithtagpriority',
    params: { PoolType: ULONG, NumberOfBytes: SIZE_T, Tag: ULONG, Priority: ULONG },
    returns: 'pointer',
    acquires: acquiresByType,
    failures: failsAsAsked('ExAllocatePoolWithTagPriority', raisesType),
    body: (kernel, args, { fn }) => byType(kernel, args.PoolType, args, fn),
  }),
  ExAllocatePoolWithQuota: f({
    ...common,
    page: 'wdm-exallocatepoolwithquota',
    params: { PoolType: ULONG, NumberOfBytes: SIZE_T },
    returns: 'pointer',
    acquires: acquiresByType,
    failures: failsAsAsked('ExAllocatePoolWithQuota', raisesQuota),
    body: (kernel, args, { fn }) => byType(kernel, args.PoolType, args, fn),
  }),
  ExAllocatePoolWithQuotaTag: f({
    ...common,
    page: 'wdm-exallocatepoolwithquotatag',
    params: { PoolType: ULONG, NumberOfBytes: SIZE_T, Tag: ULONG },
    returns: 'pointer',
    acquires: acquiresByType,
    failures: failsAsAsked('ExAllocatePoolWithQuotaTag', raisesQuota),
    body: (kernel, args, { fn }) => byType(kernel, args.PoolType, args, fn),
  }),
  ExAllocatePoolZero: f({
    ...common,
    page: 'wdm-exallocatepoolzero',
    params: { PoolType: ULONG, NumberOfBytes: SIZE_T, Tag: ULONG },
    returns: 'pointer',
    acquires: acquiresByType,
    failures: failsAsAsked('ExAllocatePoolZero', raisesType),
    body: (kernel, args, { fn }) => byType(kernel, args.PoolType | Type.zero, args, fn),
  }),
  ExAllocatePool2: f({
    ...common,
    page: 'wdm-exallocatepool2',
    params: { Flags: ULONG64, NumberOfBytes: SIZE_T, Tag: ULONG },
    returns: 'pointer',
    acquires: acquiresByFlags,
    failures: failsAsAsked('ExAllocatePool2', raisesFlags),
    body: (kernel, args, { fn }) => byFlags(kernel, args.Flags, args, fn),
  }),
  ExAllocatePool3: f({
    ...common,
    page: 'wdm-exallocatepool3',
    params: {
      Flags: ULONG64,
      NumberOfBytes: SIZE_T,
      Tag: ULONG,
      ExtendedParameters: POINTER,
      ExtendedParametersCount: ULONG,
    },
    returns: 'pointer',
    acquires: acquiresByFlags,
    failures: failsAsAsked('ExAllocatePool3', raisesFlags),
    body(kernel, args, { fn }) {
      if (args.ExtendedParametersCount > 0) {
        throw new Unsupported(fn, 'ExAllocatePool3 with extended parameters', kernel.stack());
      }
      return byFlags(kernel, args.Flags, args, fn);
    },
  }),
  ExFreePool: f({
    ...common,
    page: 'ntddk-exfreepool',
    params: { P: POINTER },
    returns: 'void',
    undoes: { types: FREED_AS_POOL, key: ({ P }) => P, stray, otherwise: () => undefined },
    body({ pool }, { P }) {
      pool.free(P);
      return undefined;
    },
  }),
  ExFreePoolWithTag: f({
    ...common,
    page: 'wdm-exfreepoolwithtag',
    params: { P: POINTER, Tag: ULONG },
    returns: 'void',
    undoes: { types: FREED_AS_POOL, key: ({ P }) => P, match: tagToMatch, stray, otherwise: () => undefined },
    body({ pool }, { P }) {
      pool.free(P);
      return undefined;
    },
  }),
  ExFreePool2: f({
    ...common,
    page: 'wdm-exfreepool2',
    params: { P: POINTER, Tag: ULONG, ExtendedParameters: POINTER, ExtendedParametersCount: ULONG },
    returns: 'void',
    undoes: { types: FREED_AS_POOL, key: ({ P }) => P, match: tagToMatch, stray, otherwise: () => undefined },
    body({ pool }, { P }) {
      pool.free(P);
      return undefined;
    },
  }),
};
