/**
 * NPAGED_LOOKASIDE_LIST by NDIS' names: the kernel's lists (kernel/lookaside.ts) with NDIS' inventory. In drivers built with
 * today's kit all of them are inlined. Entries are never kept, so an entry of a list without routines of its own is pool that knows what it is for.
 * Pages: ndis-ndisinitializenpagedlookasidelist, ndis-ndisdeletenpagedlookasidelist,
 * ndis-ndisallocatefromnpagedlookasidelist, ndis-ndisfreetonpagedlookasidelist.
 */
import { lookasideFunctions as ex, GENERAL_LOOKASIDE } from '../kernel/lookaside.ts';
import { tagName } from '../kernel/pool.ts';
import { D, failsNull, functionsOf, POINTER } from '../kernel/record.ts';
import { type Address, hex } from '../trace/units.ts';
import { fromKernel } from './from-kernel.ts';
import type { Ndis } from './ndis.ts';

/** Whether the list allocates from pool; the driver gave no routines. */
function isPlain({ kernel }: Ndis, list: Address): boolean {
  const { Allocate } = GENERAL_LOOKASIDE.at(kernel.memory, list);
  return Allocate === kernel.lookasides.fromPool();
}

const f = functionsOf<Ndis>();
const keyed = { key: ({ Lookaside }: { Lookaside: Address }) => Lookaside };

export const lookasideFunctions = {
  NdisInitializeNPagedLookasideList: fromKernel(
    ex.ExInitializeNPagedLookasideList,
    'ndis-ndisinitializenpagedlookasidelist',
    {
      acquires: {
        ...keyed,
        type: 'lookaside-list',
        detail: ({ Size, Tag }) => ({ Size, Tag: tagName(Tag) }),
      },
    },
  ),
  NdisDeleteNPagedLookasideList: fromKernel(ex.ExDeleteNPagedLookasideList, 'ndis-ndisdeletenpagedlookasidelist'),

  NdisAllocateFromNPagedLookasideList: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisallocatefromnpagedlookasidelist',
    params: { Lookaside: POINTER },
    returns: 'pointer',
    irql: D,
    acquires: {
      type: 'lookaside-entry',
      key: (_, result) => result,
      detail: ({ Lookaside }) => ({ Lookaside: hex(Lookaside) }),
    },
    failures: [failsNull],
    *body(ndis, { Lookaside }) {
      if (!isPlain(ndis, Lookaside)) return yield* ndis.kernel.lookasides.allocate(Lookaside);
      const list = GENERAL_LOOKASIDE.at(ndis.kernel.memory, Lookaside);
      list.TotalAllocates++;
      list.AllocateMisses++;
      return ndis.kernel.pool.allocate({ size: list.Size, what: `lookaside entry '${tagName(list.Tag)}'` });
    },
  }),
  NdisFreeToNPagedLookasideList: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisfreetonpagedlookasidelist',
    params: { Lookaside: POINTER, Entry: POINTER },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['lookaside-entry'],
      key: ({ Entry }) => Entry,
      match: ({ Lookaside }) => ({ Lookaside: hex(Lookaside) }),
      stray: ({ kernel }, { Entry }) => kernel.pool.describe(Entry),
      otherwise: () => undefined,
    },
    *body(ndis, { Lookaside, Entry }) {
      if (!isPlain(ndis, Lookaside)) {
        yield* ndis.kernel.lookasides.free(Lookaside, Entry);
        return undefined;
      }
      const list = GENERAL_LOOKASIDE.at(ndis.kernel.memory, Lookaside);
      list.TotalFrees++;
      list.FreeMisses++;
      ndis.kernel.pool.free(Entry);
      return undefined;
    },
  }),
};
