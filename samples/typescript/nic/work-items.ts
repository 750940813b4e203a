/** A work item that sets the LEDs: port access is slow, so not at DISPATCH_LEVEL. */
import { type Coroutine, type Handler, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { type Adapter, adapterAt, type Nic } from './adapter.ts';
import { Port, writePort } from './hardware.ts';

const Led = { LINK: 1, ON: 2 } as const;

/** PASSIVE_LEVEL. */
const setLeds = (nic: Nic): Handler<'NDIS_IO_WORKITEM_FUNCTION'> =>
  function* NicSetLeds({ WorkItemContext }) {
    const adapter = adapterAt(nic, WorkItemContext);
    writePort(nic, adapter, Port.LED, Led.ON | (adapter.LinkUp ? Led.LINK : 0));
    yield* nic.wdk.locked(adapter.Lock, function* () {
      adapter.WorkQueued = false;
      // Last: who waits goes on from here.
      yield* nic.parts.pending.remove(nic, adapter.Work, 1);
    });
  };

export const workItems = {
  *acquire({ wdk }: Nic, adapter: Adapter): Coroutine<number> {
    adapter.WorkItem = yield* wdk.NdisAllocateIoWorkItem({ NdisObjectHandle: adapter.AdapterHandle });
    return adapter.WorkItem === NULL ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS;
  },

  *start(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.WorkOn = true;
    });
    yield* nic.parts.workItems.queue(nic, adapter);
  },

  /** Queued once at a time. */
  *queue(nic: Nic, adapter: Adapter): Coroutine<void> {
    const queue = yield* nic.wdk.locked(adapter.Lock, function* () {
      if (!adapter.WorkOn || adapter.WorkQueued) return false;
      adapter.WorkQueued = true;
      yield* nic.parts.pending.add(nic, adapter.Work, 1);
      return true;
    });
    if (!queue) return;
    yield* nic.wdk.NdisQueueIoWorkItem({
      NdisIoWorkItemHandle: adapter.WorkItem,
      Routine: setLeds(nic),
      WorkItemContext: adapter.address,
    });
  },

  /** PASSIVE_LEVEL. Rule halt-returns-with-async-work: no more is queued, and what is queued has run. */
  *stop(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, () => {
      adapter.WorkOn = false;
    });
    yield* nic.parts.pending.wait(nic, adapter, adapter.Work);
  },

  /** Rules halt-leaks-work-item, work-item-freed-while-queued. */
  *release({ wdk }: Nic, adapter: Adapter): Coroutine<void> {
    yield* wdk.NdisFreeIoWorkItem({ NdisIoWorkItemHandle: adapter.WorkItem });
  },
};
