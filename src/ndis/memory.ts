/**
 * Memory by NDIS: pool under NDIS' names. Pages: ndis-ndisallocatememorywithtagpriority, ndis-ndisfreememory,
 * ndis-ndisfreememorywithtagpriority. NdisAllocateMemoryWithTag and NdisAllocateMemory are of NDIS 5, and NDIS 6 drivers
 * still import them; they have no live page.
 */

import { PAGE_SIZE } from '../kernel/heap.ts';
import { pointer } from '../kernel/layout.ts';
import { tagName } from '../kernel/pool.ts';
import {
  D,
  type Detail,
  failsNull,
  failsWith,
  functionsOf,
  HANDLE,
  OUT,
  POINTER,
  SIZE_T,
  ULONG,
} from '../kernel/record.ts';
import { type Address, hex, NULL } from '../trace/units.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_SUCCESS } from './status.ts';

/** NDIS_MEMORY_CONTIGUOUS and NDIS_MEMORY_NONCACHED (ndis.h): whole pages. */
const PAGES = 3;

/**
 * What NdisFreeMemory may be given. All of it is pool underneath, and so is the WDM allocator's: freeing that one through NDIS
 * works on Windows (observed); the undo's `type` and `fn` tell a rule that allocator and free differ.
 */
const FREED_BY_NDIS = ['memory', 'string', 'adapter-instance-name', 'pool'] as const;

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS', irql: D } as const;
const stray = ({ kernel }: Ndis, { VirtualAddress }: { VirtualAddress: Address }): Detail =>
  kernel.pool.describe(VirtualAddress);

function free({ kernel }: Ndis, address: Address): undefined {
  kernel.pool.free(address);
  return undefined;
}

export const memoryFunctions = {
  NdisAllocateMemoryWithTagPriority: f({
    ...common,
    page: 'ndis-ndisallocatememorywithtagpriority',
    params: { NdisHandle: HANDLE, Length: ULONG, Tag: ULONG, Priority: ULONG },
    returns: 'pointer',
    acquires: {
      type: 'memory',
      key: (_, result) => result,
      owner: ({ NdisHandle }) => NdisHandle,
      detail: ({ NdisHandle, Length, Tag }) => ({
        Length,
        Tag: tagName(Tag),
        NdisHandle: hex(NdisHandle),
        MemoryFlags: 0,
      }),
    },
    failures: [failsNull],
    body(ndis, { NdisHandle, Length, Tag }, { fn }) {
      checkHandle(ndis, NdisHandle, fn);
      return ndis.kernel.pool.allocate({ size: Length, what: `NDIS memory '${tagName(Tag)}'` });
    },
  }),

  NdisFreeMemoryWithTagPriority: f({
    ...common,
    page: 'ndis-ndisfreememorywithtagpriority',
    params: { NdisHandle: HANDLE, VirtualAddress: POINTER, Tag: ULONG },
    returns: 'void',
    undoes: {
      types: FREED_BY_NDIS,
      key: ({ VirtualAddress }) => VirtualAddress,
      match: ({ NdisHandle, Tag }) => ({ NdisHandle: hex(NdisHandle), Tag: tagName(Tag) }),
      stray,
      otherwise: () => undefined,
    },
    body: (ndis, { VirtualAddress }) => free(ndis, VirtualAddress),
  }),

  NdisFreeMemory: f({
    ...common,
    page: 'ndis-ndisfreememory',
    params: { VirtualAddress: POINTER, Length: ULONG, MemoryFlags: ULONG },
    returns: 'void',
    undoes: {
      types: FREED_BY_NDIS,
      key: ({ VirtualAddress }) => VirtualAddress,
      // The length counts for whole pages only; for pool the page says that it is ignored.
      match: ({ Length, MemoryFlags }): Detail => (MemoryFlags === 0 ? { MemoryFlags } : { MemoryFlags, Length }),
      stray,
      otherwise: () => undefined,
    },
    body: (ndis, { VirtualAddress }) => free(ndis, VirtualAddress),
  }),

  NdisAllocateMemoryWithTag: f({
    ...common,
    page: 'ndis-ndisallocatememorywithtagpriority',
    params: { VirtualAddress: OUT(pointer), Length: ULONG, Tag: ULONG },
    returns: 'status',
    acquires: {
      type: 'memory',
      key: ({ VirtualAddress }) => VirtualAddress.get(),
      detail: ({ Length, Tag }) => ({ Length, Tag: tagName(Tag), MemoryFlags: 0 }),
    },
    failures: [failsWith('failure', NDIS_STATUS_FAILURE)],
    body({ kernel }, { VirtualAddress, Length, Tag }) {
      const address = kernel.pool.allocate({ size: Length, what: `NDIS memory '${tagName(Tag)}'` });
      VirtualAddress.set(address);
      return address === NULL ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
    },
  }),

  NdisFreeMemoryWithTag: f({
    ...common,
    page: 'ndis-ndisfreememory',
    params: { VirtualAddress: POINTER, Tag: ULONG },
    returns: 'void',
    undoes: {
      types: FREED_BY_NDIS,
      key: ({ VirtualAddress }) => VirtualAddress,
      match: ({ Tag }) => ({ Tag: tagName(Tag) }),
      stray,
      otherwise: () => undefined,
    },
    body: (ndis, { VirtualAddress }) => free(ndis, VirtualAddress),
  }),

  NdisAllocateMemory: f({
    ...common,
    page: 'ndis-ndisallocatememorywithtagpriority',
    params: { VirtualAddress: OUT(pointer), Length: ULONG, MemoryFlags: ULONG, HighestAcceptableAddress: SIZE_T },
    returns: 'status',
    acquires: {
      type: 'memory',
      key: ({ VirtualAddress }) => VirtualAddress.get(),
      detail: ({ Length, MemoryFlags }) => ({ Length, MemoryFlags }),
    },
    failures: [failsWith('failure', NDIS_STATUS_FAILURE)],
    body({ kernel }, { VirtualAddress, Length, MemoryFlags }) {
      const size = (MemoryFlags & PAGES) === 0 ? Length : Math.ceil(Length / PAGE_SIZE) * PAGE_SIZE;
      const address = kernel.pool.allocate({ size, what: 'NDIS memory' });
      VirtualAddress.set(address);
      return address === NULL ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
    },
  }),
};
