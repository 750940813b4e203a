/**
 * Lookaside lists. Allocating and freeing entries is inlined into the driver, so the list's memory is the interface: head,
 * counters, and the routines for a miss. Entries are never kept: with a depth of 0 every one goes back to the pool when it is
 * freed, as under Driver Verifier's pool checks (assumed), so that a stale entry is caught like any freed block.
 * Pages: wdm-exinitializenpagedlookasidelist, wdm-exinitializelookasidelistex and their neighbours.
 */
import { type Address, at, hex, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { HostCode } from './host-code.ts';
import type { SLists } from './interlocked-lists.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { array, bytes, pointer, struct, u16, u32 } from './layout.ts';
import type { LiveObjects } from './live-objects.ts';
import { once } from './processes.ts';
import { A, CODE, callback, D, functionsOf, POINTER, SIZE_T, ULONG, USHORT } from './record.ts';
import type { Coroutine } from './scheduler.ts';
import { InternalError } from './stops.ts';
import { LIST_ENTRY } from './structures.ts';

/** GENERAL_LOOKASIDE_POOL, which LOOKASIDE_LIST_EX is; the others are the same, padded to a cache line. */
export const GENERAL_LOOKASIDE = struct('GENERAL_LOOKASIDE', {
  ListHead: bytes(16, 16),
  Depth: u16,
  MaximumDepth: u16,
  TotalAllocates: u32,
  AllocateMisses: u32,
  TotalFrees: u32,
  FreeMisses: u32,
  Type: u32,
  Tag: u32,
  Size: u32,
  Allocate: pointer,
  Free: pointer,
  ListEntry: LIST_ENTRY,
  LastTotalAllocates: u32,
  LastAllocateMisses: u32,
  Future: array(u32, 2),
});
export const NPAGED_LOOKASIDE_LIST_SIZE = 0x80;

/** The most entries a list may keep, in a fresh list (observed). */
const MAXIMUM_DEPTH = 256;
const STATUS_INVALID_PARAMETER_5 = 0xc00000f3;
const NonPagedPoolNx = 512;
const PagedPool = 1;
const RAISE_ON_FAIL = 1;
const FAIL_NO_RAISE = 2;
const POOL_RAISE_IF_ALLOCATION_FAILURE = 16;

export const FREE_FUNCTION_EX = callback({
  name: 'LookasideListFreeEx',
  page: 'wdm-free_function_ex',
  params: { Buffer: POINTER, Lookaside: POINTER },
  returns: 'void',
  irql: D,
});
export const ALLOCATE_FUNCTION = callback({
  name: 'LookasideListAllocate',
  page: 'wdm-allocate_function',
  params: { PoolType: ULONG, NumberOfBytes: SIZE_T, Tag: ULONG, Lookaside: POINTER },
  returns: 'pointer',
  irql: D,
});

export interface LookasideOptions {
  readonly poolType: number;
  readonly size: number;
  readonly tag: number;
  /** The driver's own routines; NULL for the pool's. */
  readonly allocate: Address;
  readonly free: Address;
}

export class Lookasides {
  private readonly memory: GuestMemory;
  private readonly code: HostCode;
  private readonly slists: SLists;
  private readonly live: LiveObjects;
  private readonly invoker: () => Invoker;
  /** ExAllocatePoolWithTag as lists without a routine of their own call it: what it gives is known for an entry. */
  readonly fromPool: () => Address;

  constructor(parts: {
    memory: GuestMemory;
    code: HostCode;
    slists: SLists;
    live: LiveObjects;
    invoker: () => Invoker;
  }) {
    this.memory = parts.memory;
    this.code = parts.code;
    this.slists = parts.slists;
    this.live = parts.live;
    this.invoker = parts.invoker;
    this.fromPool = once(() => {
      const plain = this.code.function('ExAllocatePoolWithTag');
      if (plain === undefined) throw new InternalError('lookaside-without-pool', 'no ExAllocatePoolWithTag');
      const { name, record, services } = plain;
      const acquires = record.acquires && {
        ...record.acquires,
        detail: (args: never, result: never) => ({ ...record.acquires?.detail?.(args, result), lookaside: true }),
      };
      return this.code.variant(name, { ...record, ...(acquires === undefined ? {} : { acquires }) }, services);
    });
  }

  initialize(list: Address, options: LookasideOptions): void {
    const { allocate, free } = options;
    this.memory.fill(list, GENERAL_LOOKASIDE.size, 0);
    GENERAL_LOOKASIDE.write(this.memory, list, {
      Depth: 0,
      MaximumDepth: MAXIMUM_DEPTH,
      Type: options.poolType,
      Tag: options.tag,
      Size: options.size,
      Allocate: allocate === NULL ? this.fromPool() : allocate,
      Free: free === NULL ? this.code.resolve('ExFreePool', 'ntoskrnl.exe') : free,
    });
    const links = at(list, GENERAL_LOOKASIDE.offset('ListEntry'));
    LIST_ENTRY.write(this.memory, links, { Flink: links, Blink: links });
    this.live.add(list, GENERAL_LOOKASIDE.size, 'lookaside list');
  }

  /** What the inlined allocation does. */
  *allocate(list: Address): Coroutine<Address> {
    const view = GENERAL_LOOKASIDE.at(this.memory, list);
    view.TotalAllocates++;
    const entry = this.slists.pop(list);
    if (entry !== NULL) return entry;
    view.AllocateMisses++;
    const { Type, Size, Tag } = view;
    const args = { PoolType: Type, NumberOfBytes: Size, Tag, Lookaside: list };
    return yield* this.invoker().invoke(ALLOCATE_FUNCTION, view.Allocate, args);
  }

  /** What the inlined free does. */
  *free(list: Address, entry: Address): Coroutine<void> {
    const view = GENERAL_LOOKASIDE.at(this.memory, list);
    view.TotalFrees++;
    if (this.slists.depth(list) < view.Depth) {
      this.slists.push(list, entry);
      return;
    }
    view.FreeMisses++;
    yield* this.freeEntry(list, entry);
  }

  private *freeEntry(list: Address, entry: Address): Coroutine<void> {
    const args = { Buffer: entry, Lookaside: list };
    yield* this.invoker().invoke(FREE_FUNCTION_EX, GENERAL_LOOKASIDE.at(this.memory, list).Free, args);
  }

  /** Frees what the list keeps. */
  *flush(list: Address): Coroutine<void> {
    for (let entry = this.slists.pop(list); entry !== NULL; entry = this.slists.pop(list)) {
      yield* this.freeEntry(list, entry);
    }
  }

  /** Ends the list; entries that are out stay the driver's to account for. */
  *delete(list: Address): Coroutine<void> {
    yield* this.flush(list);
    this.live.remove(list, 'lookaside list');
  }
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const owed = {
  type: 'ex-lookaside',
  key: ({ Lookaside }: { Lookaside: Address }) => Lookaside,
  detail: ({ Size, Tag }: { Size: number; Tag: number }) => ({ Size, Tag: hex(Tag) }),
} as const;

const initializing = (page: string, poolType: number) =>
  f({
    module,
    page,
    params: {
      Lookaside: POINTER,
      Allocate: CODE,
      Free: CODE,
      Flags: ULONG,
      Size: SIZE_T,
      Tag: ULONG,
      Depth: USHORT,
    },
    returns: 'void',
    irql: D,
    acquires: owed,
    body({ lookasides }, { Lookaside, Allocate, Free, Flags, Size, Tag }) {
      lookasides.initialize(Lookaside, {
        poolType: poolType | (Flags & (NonPagedPoolNx | POOL_RAISE_IF_ALLOCATION_FAILURE)),
        size: Size,
        tag: Tag,
        allocate: Allocate,
        free: Free,
      });
      return undefined;
    },
  });
const deleting = (page: string, irql: typeof D) =>
  f({
    module,
    page,
    params: { Lookaside: POINTER },
    returns: 'void',
    irql,
    undoes: {
      // NDIS' list is the same structure, and its delete is this function by a macro.
      types: ['ex-lookaside', 'lookaside-list'],
      key: ({ Lookaside }) => Lookaside,
      stray: ({ pool }, { Lookaside }) => pool.describe(Lookaside),
      otherwise: () => undefined,
    },
    *body({ lookasides }, { Lookaside }) {
      yield* lookasides.delete(Lookaside);
      return undefined;
    },
  });
/** Inlined into C drivers; here for miniports in TypeScript. */
const allocating = (page: string) =>
  f({
    module,
    page,
    params: { Lookaside: POINTER },
    returns: 'pointer',
    irql: D,
    body: ({ lookasides }, { Lookaside }) => lookasides.allocate(Lookaside),
  });
const freeing = (page: string) =>
  f({
    module,
    page,
    params: { Lookaside: POINTER, Entry: POINTER },
    returns: 'void',
    irql: D,
    *body({ lookasides }, { Lookaside, Entry }) {
      yield* lookasides.free(Lookaside, Entry);
      return undefined;
    },
  });

export const lookasideFunctions = {
  ExInitializeNPagedLookasideList: initializing('wdm-exinitializenpagedlookasidelist', 0),
  ExDeleteNPagedLookasideList: deleting('wdm-exdeletenpagedlookasidelist', D),
  ExAllocateFromNPagedLookasideList: allocating('wdm-exallocatefromnpagedlookasidelist'),
  ExFreeToNPagedLookasideList: freeing('wdm-exfreetonpagedlookasidelist'),
  ExInitializePagedLookasideList: initializing('wdm-exinitializepagedlookasidelist', PagedPool),
  ExDeletePagedLookasideList: deleting('wdm-exdeletepagedlookasidelist', A),
  ExAllocateFromPagedLookasideList: allocating('wdm-exallocatefrompagedlookasidelist'),
  ExFreeToPagedLookasideList: freeing('wdm-exfreetopagedlookasidelist'),
  ExInitializeLookasideListEx: f({
    module,
    page: 'wdm-exinitializelookasidelistex',
    params: {
      Lookaside: POINTER,
      Allocate: CODE,
      Free: CODE,
      PoolType: ULONG,
      Flags: ULONG,
      Size: SIZE_T,
      Tag: ULONG,
      Depth: USHORT,
    },
    returns: 'status',
    irql: D,
    acquires: owed,
    body({ lookasides }, { Lookaside, Allocate, Free, PoolType, Flags, Size, Tag }) {
      if ((Flags & ~(RAISE_ON_FAIL | FAIL_NO_RAISE)) !== 0) return STATUS_INVALID_PARAMETER_5;
      const raises = (Flags & RAISE_ON_FAIL) !== 0 ? POOL_RAISE_IF_ALLOCATION_FAILURE : 0;
      lookasides.initialize(Lookaside, {
        poolType: PoolType | raises,
        size: Size,
        tag: Tag,
        allocate: Allocate,
        free: Free,
      });
      return 0;
    },
  }),
  ExDeleteLookasideListEx: deleting('wdm-exdeletelookasidelistex', D),
  ExFlushLookasideListEx: f({
    module,
    page: 'wdm-exflushlookasidelistex',
    params: { Lookaside: POINTER },
    returns: 'void',
    irql: D,
    *body({ lookasides }, { Lookaside }) {
      yield* lookasides.flush(Lookaside);
      return undefined;
    },
  }),
  ExAllocateFromLookasideListEx: allocating('wdm-exallocatefromlookasidelistex'),
  ExFreeToLookasideListEx: freeing('wdm-exfreetolookasidelistex'),
};
