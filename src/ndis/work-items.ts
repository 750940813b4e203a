/**
 * NDIS I/O work items: the kernel's work items (kernel/io-work-items.ts) with NDIS' handles and callback. Pages:
 * ndis-ndisallocateioworkitem, ndis-ndisqueueioworkitem, ndis-ndisfreeioworkitem, network/ndis-i-o-work-items.
 */
import { CODE, callback, D, failsNull, functionsOf, HANDLE, P, POINTER } from '../kernel/record.ts';
import { type Handle, hex, NULL } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import { adapterFor, checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';

export const NDIS_IO_WORKITEM_FUNCTION = callback({
  name: 'NDIS_IO_WORKITEM_FUNCTION',
  page: 'ndis-ndisqueueioworkitem',
  params: { WorkItemContext: POINTER, NdisIoWorkItemHandle: HANDLE },
  returns: 'void',
  irql: P,
});

export class NdisWorkItems {
  private readonly ndis: Ndis;
  /** The NDIS handle each was allocated with. */
  private readonly owners = new Map<Handle, Handle>();
  private readonly freed = new Set<Handle>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  allocate(owner: Handle): Handle {
    const item = this.ndis.newHandle('NDIS work item');
    this.owners.set(item, owner);
    this.ndis.kernel.workItems.initialize(item);
    return item;
  }

  ownerOf(item: Handle): Handle | undefined {
    return this.owners.get(item);
  }

  wasFreed(item: Handle): boolean {
    return this.freed.has(item);
  }

  free(item: Handle): void {
    const { kernel } = this.ndis;
    kernel.workItems.free(item);
    this.owners.delete(item);
    this.freed.add(item);
    kernel.heap.free(item, kernel.stack());
  }
}

const f = functionsOf<Ndis>();

export const workItemFunctions = {
  NdisAllocateIoWorkItem: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisallocateioworkitem',
    params: { NdisObjectHandle: HANDLE },
    returns: 'pointer',
    irql: D,
    acquires: { type: 'work-item', key: (_, result) => result, owner: ({ NdisObjectHandle }) => NdisObjectHandle },
    failures: [failsNull],
    body(ndis, { NdisObjectHandle }, { fn }) {
      if (!checkHandle(ndis, NdisObjectHandle, fn, ['adapter', 'driver', 'device'])) return NULL;
      return ndis.workItems.allocate(NdisObjectHandle);
    },
  }),
  NdisQueueIoWorkItem: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisqueueioworkitem',
    params: { NdisIoWorkItemHandle: HANDLE, Routine: CODE, WorkItemContext: POINTER },
    returns: 'void',
    irql: D,
    body(ndis, { NdisIoWorkItemHandle: item, Routine, WorkItemContext }, { fn }) {
      const { kernel } = ndis;
      const owner = ndis.workItems.ownerOf(item);
      if (owner === undefined) {
        const what = ndis.workItems.wasFreed(item) ? 'work-item-call-on-freed' : 'work-item-call-on-unknown';
        emitFact(kernel, what, { fn, item: hex(item) });
        // NDIS looks into the item: freed ones, NULL and stray pointers fault here.
        kernel.memory.readU8(item);
        return undefined;
      }
      kernel.workItems.queue(item, `NDIS work item ${hex(item)}`, () =>
        kernel.invoker.invoke(
          NDIS_IO_WORKITEM_FUNCTION,
          Routine,
          { WorkItemContext, NdisIoWorkItemHandle: item },
          adapterFor(ndis, owner),
        ),
      );
      return undefined;
    },
  }),
  NdisFreeIoWorkItem: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisfreeioworkitem',
    params: { NdisIoWorkItemHandle: HANDLE },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['work-item'],
      key: ({ NdisIoWorkItemHandle }) => NdisIoWorkItemHandle,
      otherwise: () => undefined,
    },
    body(ndis, { NdisIoWorkItemHandle }) {
      ndis.workItems.free(NdisIoWorkItemHandle);
      return undefined;
    },
  }),
};
