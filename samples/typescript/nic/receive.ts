/** Receive: the ring, the indication, the return. */
import {
  type Address,
  at,
  type Coroutine,
  type Handler,
  NDIS_DEFAULT_PORT_NUMBER,
  NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL,
  NDIS_STATUS_SUCCESS,
  NET_BUFFER,
  NET_BUFFER_LIST,
  NULL,
} from 'haltex';
import {
  type Adapter,
  adapterAt,
  BUFFER_LENGTH,
  elementOf,
  MAX_FRAME,
  NIC_SLOT,
  type Nic,
  RX_DESCRIPTORS,
  type Slot,
  State,
} from './adapter.ts';
import { DESCRIPTOR, Descriptor, Register, write } from './hardware.ts';

const HEADER_LENGTH = 14;
const next = (index: number) => (index + 1) % RX_DESCRIPTORS;
const descriptorAt = ({ wdk }: Nic, adapter: Adapter, index: number) =>
  DESCRIPTOR.at(wdk.memory, at(adapter.Rings.Address, index * DESCRIPTOR.size));

/** Lock held. */
function push(adapter: Adapter, slot: Slot): void {
  slot.NextFree = adapter.FreeSlots;
  adapter.FreeSlots = slot.address;
}

/** Lock held. Hands free slots to the NIC; one descriptor stays empty, so that full and empty differ. */
function post(nic: Nic, adapter: Adapter): void {
  const { memory } = nic.wdk;
  while (adapter.FreeSlots !== NULL && next(adapter.RxTail) !== adapter.RxClean) {
    const slot = NIC_SLOT.at(memory, adapter.FreeSlots);
    adapter.FreeSlots = slot.NextFree;
    const { address } = descriptorAt(nic, adapter, adapter.RxTail);
    DESCRIPTOR.write(memory, address, { Buffer: slot.PhysicalAddress, Length: BUFFER_LENGTH, Status: 0 });
    memory.writePointer(elementOf(adapter, 'RxOwner', adapter.RxTail), slot.address);
    adapter.RxTail = next(adapter.RxTail);
  }
  write(nic, adapter, Register.RX_TAIL, adapter.RxTail);
}

/** Lock held. The slot's list describes the frame, and may go up. */
function fill({ wdk }: Nic, adapter: Adapter, slot: Slot, length: number): Address {
  NET_BUFFER.write(wdk.memory, slot.NetBuffer, {
    Next: NULL,
    MdlChain: slot.Mdl,
    CurrentMdl: slot.Mdl,
    CurrentMdlOffset: 0,
    DataOffset: 0,
    DataLength: length,
  });
  NET_BUFFER_LIST.write(wdk.memory, slot.NetBufferList, {
    Next: NULL,
    FirstNetBuffer: slot.NetBuffer,
    Status: NDIS_STATUS_SUCCESS,
    SourceHandle: adapter.AdapterHandle,
  });
  adapter.RxFrames += 1n;
  return slot.NetBufferList;
}

/** Lock held. Takes what the NIC has filled out of the ring; gives the lists that may go up. */
function take(nic: Nic, adapter: Adapter): Address[] {
  const { memory } = nic.wdk;
  const lists: Address[] = [];
  while (adapter.RxClean !== adapter.RxTail) {
    const { Status, Length } = descriptorAt(nic, adapter, adapter.RxClean);
    if ((Status & Descriptor.DONE) === 0) break;
    const owner = elementOf(adapter, 'RxOwner', adapter.RxClean);
    const slot = NIC_SLOT.at(memory, memory.readPointer(owner));
    memory.writePointer(owner, NULL);
    adapter.RxClean = next(adapter.RxClean);
    const good = (Status & Descriptor.END) !== 0 && Length >= HEADER_LENGTH && Length <= MAX_FRAME;
    // Rule receive-indicated-while-paused: the frame is dropped, its slot goes back to the ring.
    if (good && adapter.State === State.Running) lists.push(fill(nic, adapter, slot, Length));
    else push(adapter, slot);
  }
  post(nic, adapter);
  lists.forEach((list, i) => {
    NET_BUFFER_LIST.at(memory, list).Next = lists[i + 1] ?? NULL;
  });
  return lists;
}

export const receive = {
  *addFreeSlot(nic: Nic, adapter: Adapter, slot: Slot): Coroutine<void> {
    yield* nic.wdk.locked(adapter.Lock, () => push(adapter, slot));
  },

  /** The NIC was reset and begins at descriptor 0: what was posted is posted anew. */
  *resetRing(nic: Nic, adapter: Adapter): Coroutine<void> {
    const { memory } = nic.wdk;
    yield* nic.wdk.locked(adapter.Lock, () => {
      for (let index = 0; index < RX_DESCRIPTORS; index++) {
        const owner = elementOf(adapter, 'RxOwner', index);
        const slot = memory.readPointer(owner);
        memory.writePointer(owner, NULL);
        if (slot !== NULL) push(adapter, NIC_SLOT.at(memory, slot));
      }
      adapter.RxClean = 0;
      adapter.RxTail = 0;
      post(nic, adapter);
    });
  },

  /** DISPATCH_LEVEL. */
  *handle(nic: Nic, adapter: Adapter): Coroutine<void> {
    const { wdk, parts } = nic;
    // One more for the indication itself: the lists may all be back before the call returns, and a pause may not complete
    // while it runs (rule pause-completes-before-nbls-returned).
    const lists = yield* wdk.locked(adapter.Lock, function* () {
      const taken = take(nic, adapter);
      if (taken.length > 0) yield* parts.pending.add(nic, adapter.DataPath, taken.length + 1);
      return taken;
    });
    const [first] = lists;
    if (first === undefined) return;
    // Rule wait-holding-lock: no lock is held here; the lists may come back inside this very call.
    yield* wdk.NdisMIndicateReceiveNetBufferLists({
      MiniportAdapterHandle: adapter.AdapterHandle,
      NetBufferList: first,
      PortNumber: NDIS_DEFAULT_PORT_NUMBER,
      NumberOfNetBufferLists: lists.length,
      ReceiveFlags: NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL,
    });
    yield* parts.pausing.dataPathRemove(nic, adapter, 1);
  },

  /** Up to DISPATCH_LEVEL. */
  returned: (nic: Nic): Handler<'MiniportReturnNetBufferLists'> =>
    function* MiniportReturnNetBufferLists({ MiniportAdapterContext, NetBufferLists }) {
      const adapter = adapterAt(nic, MiniportAdapterContext);
      const { memory } = nic.wdk;
      const count = yield* nic.wdk.locked(adapter.Lock, () => {
        let returned = 0;
        for (let list = NetBufferLists; list !== NULL; returned++) {
          const { Next, MiniportReserved } = NET_BUFFER_LIST.at(memory, list);
          push(adapter, NIC_SLOT.at(memory, Number(BigInt.asIntN(64, MiniportReserved[0] ?? 0n)) as Address));
          list = Next;
        }
        post(nic, adapter);
        return returned;
      });
      // Last: a pause, and after it a halt, may go on from here.
      yield* nic.parts.pausing.dataPathRemove(nic, adapter, count);
    },
};
