/** Nonpaged memory: the adapter itself, the receive slots, the multicast list. */
import {
  type Address,
  type Coroutine,
  type Handle,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NormalPoolPriority,
  NULL,
} from 'haltex';
import {
  ADDRESS_LENGTH,
  type Adapter,
  EXTRA_SLOTS,
  MAX_MULTICAST,
  NIC_ADAPTER,
  NIC_SLOT,
  NIC_TAG,
  type Nic,
  RX_SLOTS,
} from './adapter.ts';

export const SLOTS_LENGTH = (RX_SLOTS + EXTRA_SLOTS) * NIC_SLOT.size;
export const MULTICAST_LENGTH = MAX_MULTICAST * ADDRESS_LENGTH;

/** NULL when there is no memory; else zeroed. */
export function* allocate({ wdk }: Nic, NdisHandle: Handle, Length: number): Coroutine<Address> {
  const memory = yield* wdk.NdisAllocateMemoryWithTagPriority({
    NdisHandle,
    Length,
    // Rule memory-tag-missing.
    Tag: NIC_TAG,
    Priority: NormalPoolPriority,
  });
  if (memory !== NULL) wdk.memory.fill(memory, Length, 0);
  return memory;
}

/** Rule free-memory-bad-args: the address that was given, and no flags. */
export function* free({ wdk }: Nic, VirtualAddress: Address): Coroutine<void> {
  yield* wdk.NdisFreeMemory({ VirtualAddress, Length: 0, MemoryFlags: 0 });
}

export const memory = {
  *allocateAdapter(nic: Nic, AdapterHandle: Handle): Coroutine<Adapter | undefined> {
    const adapter = yield* nic.wdk.allocate(NIC_ADAPTER, { NdisHandle: AdapterHandle, Tag: NIC_TAG });
    if (adapter === undefined) return undefined;
    adapter.AdapterHandle = AdapterHandle;
    yield* nic.wdk.NdisAllocateSpinLock({ SpinLock: adapter.Lock.address });
    const { DataPath, WatchdogCallbacks, Work, SharedAllocations } = adapter;
    for (const what of [DataPath, WatchdogCallbacks, Work, SharedAllocations]) {
      yield* nic.parts.pending.initialize(nic, what);
    }
    return adapter;
  },

  /** Rules halt-leaks-memory, halt-frees-context-early: the adapter goes last, when nothing can run any more. */
  *freeAdapter(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.NdisFreeSpinLock({ SpinLock: adapter.Lock.address });
    yield* free(nic, adapter.address);
  },

  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    adapter.Slots = yield* allocate(nic, adapter.AdapterHandle, SLOTS_LENGTH);
    if (adapter.Slots === NULL) return NDIS_STATUS_RESOURCES;
    adapter.MulticastList = yield* allocate(nic, adapter.AdapterHandle, MULTICAST_LENGTH);
    if (adapter.MulticastList === NULL) {
      // Rule init-fail-leaks-memory.
      yield* free(nic, adapter.Slots);
      return NDIS_STATUS_RESOURCES;
    }
    return NDIS_STATUS_SUCCESS;
  },

  /** Rules halt-leaks-memory, memory-double-free. */
  *release(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* free(nic, adapter.MulticastList);
    yield* free(nic, adapter.Slots);
  },
};
