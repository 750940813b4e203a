/**
 * Send: map, hand to the NIC, complete.
 *
 * NET_BUFFER_LIST.MiniportReserved: [0] NET_BUFFERs not finished, plus one while the list is walked; [1] the adapter.
 * NET_BUFFER.MiniportReserved:      [0] its list; [1] its scatter/gather list.
 */
import {
  type Address,
  at,
  type Coroutine,
  type Handler,
  NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL,
  NDIS_SG_LIST_WRITE_TO_DEVICE,
  NDIS_STATUS_INVALID_LENGTH,
  NDIS_STATUS_NOT_ACCEPTED,
  NDIS_STATUS_PAUSED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NET_BUFFER,
  NET_BUFFER_LIST,
  NULL,
  SCATTER_GATHER_ELEMENT,
  SCATTER_GATHER_LIST,
} from 'haltex';
import {
  type Adapter,
  adapterAt,
  elementOf,
  MAX_FRAME,
  type Nic,
  RX_DESCRIPTORS,
  State,
  TX_DESCRIPTORS,
} from './adapter.ts';
import { DESCRIPTOR, Descriptor, Register, write } from './hardware.ts';

const pendingOf = (list: Address) => at(list, NET_BUFFER_LIST.offset('MiniportReserved'));
const adapterOf = (list: Address) => at(list, NET_BUFFER_LIST.offset('MiniportReserved') + 8);
const listOf = (buffer: Address) => at(buffer, NET_BUFFER.offset('MiniportReserved'));
const gatherOf = (buffer: Address) => at(buffer, NET_BUFFER.offset('MiniportReserved') + 8);
const next = (index: number) => (index + 1) % TX_DESCRIPTORS;
const descriptorAt = (adapter: Adapter, index: number) =>
  at(adapter.Rings.Address, (RX_DESCRIPTORS + index) * DESCRIPTOR.size);

/** Lock held. Why a send cannot be taken now; NDIS_STATUS_SUCCESS when it can. */
function refusal(adapter: Adapter): number {
  // Rule surprise-removal-requests-not-rejected.
  if (adapter.Removed) return NDIS_STATUS_NOT_ACCEPTED;
  // Rule send-not-rejected-while-paused.
  return adapter.State === State.Running ? NDIS_STATUS_SUCCESS : NDIS_STATUS_PAUSED;
}

function* complete({ wdk }: Nic, adapter: Adapter, NetBufferList: Address): Coroutine<void> {
  yield* wdk.NdisMSendNetBufferListsComplete({
    MiniportAdapterHandle: adapter.AdapterHandle,
    NetBufferList,
    SendCompleteFlags: NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL,
  });
}

/** DISPATCH_LEVEL, no lock held. The list may be gone afterwards. */
function* listDone(nic: Nic, adapter: Adapter, list: Address): Coroutine<void> {
  const { memory } = nic.wdk;
  const left = memory.readU32(pendingOf(list)) - 1;
  memory.writeU32(pendingOf(list), left);
  if (left > 0) return;
  yield* complete(nic, adapter, list);
  // Only now may a pause complete.
  yield* nic.parts.pausing.dataPathRemove(nic, adapter, 1);
}

/** DISPATCH_LEVEL (rule irql-sg), no lock held; the NIC is done with the data. */
function* bufferDone(nic: Nic, adapter: Adapter, buffer: Address, status: number): Coroutine<void> {
  const { memory } = nic.wdk;
  const list = memory.readPointer(listOf(buffer));
  const pSGL = memory.readPointer(gatherOf(buffer));
  // Rule halt-leaks-sg-list.
  if (pSGL !== NULL) {
    yield* nic.wdk.NdisMFreeNetBufferSGList({ NdisMiniportDmaHandle: adapter.DmaHandle, pSGL, NetBuffer: buffer });
  }
  if (status !== NDIS_STATUS_SUCCESS) NET_BUFFER_LIST.at(memory, list).Status = status;
  yield* listDone(nic, adapter, list);
}

/** Lock held. Puts the frame into the ring; false when there is no room. */
function post(nic: Nic, adapter: Adapter, buffer: Address, list: Address): boolean {
  const { memory } = nic.wdk;
  const count = SCATTER_GATHER_LIST.at(memory, list).NumberOfElements;
  const free = (adapter.TxClean + TX_DESCRIPTORS - adapter.TxTail - 1) % TX_DESCRIPTORS;
  if (count === 0 || count > free) return false;
  for (let i = 0; i < count; i++) {
    const element = at(list, SCATTER_GATHER_LIST.size + i * SCATTER_GATHER_ELEMENT.size);
    const { Address: Buffer, Length } = SCATTER_GATHER_ELEMENT.at(memory, element);
    const last = i === count - 1;
    DESCRIPTOR.write(memory, descriptorAt(adapter, adapter.TxTail), {
      Buffer,
      Length,
      Status: last ? Descriptor.END : 0,
    });
    memory.writePointer(elementOf(adapter, 'TxOwner', adapter.TxTail), last ? buffer : NULL);
    adapter.TxTail = next(adapter.TxTail);
  }
  write(nic, adapter, Register.TX_TAIL, adapter.TxTail);
  return true;
}

/** Lock held. Takes frames out of the ring: those the NIC has sent, or all of them. */
function take({ wdk }: Nic, adapter: Adapter, all: boolean): Address[] {
  const taken: Address[] = [];
  while (adapter.TxClean !== adapter.TxTail) {
    const { Status } = DESCRIPTOR.at(wdk.memory, descriptorAt(adapter, adapter.TxClean));
    if (!all && (Status & Descriptor.DONE) === 0) break;
    const buffer = wdk.memory.readPointer(elementOf(adapter, 'TxOwner', adapter.TxClean));
    if (buffer !== NULL) taken.push(buffer);
    adapter.TxClean = next(adapter.TxClean);
  }
  return taken;
}

/** DISPATCH_LEVEL. */
function* sendList(nic: Nic, adapter: Adapter, list: Address): Coroutine<void> {
  const { memory } = nic.wdk;
  const buffers: Address[] = [];
  for (let buffer = NET_BUFFER_LIST.at(memory, list).FirstNetBuffer; buffer !== NULL; ) {
    memory.writePointer(listOf(buffer), list);
    memory.writePointer(gatherOf(buffer), NULL);
    buffers.push(buffer);
    buffer = NET_BUFFER.at(memory, buffer).Next;
  }
  NET_BUFFER_LIST.at(memory, list).Status = NDIS_STATUS_SUCCESS;
  memory.writeU32(pendingOf(list), buffers.length + 1);
  memory.writePointer(adapterOf(list), adapter.address);
  for (const buffer of buffers) {
    const { DataLength } = NET_BUFFER.at(memory, buffer);
    const status =
      DataLength === 0 || DataLength > MAX_FRAME
        ? NDIS_STATUS_INVALID_LENGTH
        : yield* nic.wdk.NdisMAllocateNetBufferSGList({
            NdisMiniportDmaHandle: adapter.DmaHandle,
            NetBuffer: buffer,
            Context: buffer,
            Flags: NDIS_SG_LIST_WRITE_TO_DEVICE,
            ScatterGatherListBuffer: NULL,
            ScatterGatherListBufferSize: 0,
          });
    // MiniportProcessSGList will not be called.
    if (status !== NDIS_STATUS_SUCCESS) yield* bufferDone(nic, adapter, buffer, status);
  }
  yield* listDone(nic, adapter, list);
}

export const send = {
  /** Up to DISPATCH_LEVEL. */
  sendLists: (nic: Nic): Handler<'MiniportSendNetBufferLists'> =>
    function* MiniportSendNetBufferLists({ MiniportAdapterContext, NetBufferList }) {
      const adapter = adapterAt(nic, MiniportAdapterContext);
      const { wdk } = nic;
      yield* wdk.atDispatch(function* () {
        for (let address = NetBufferList; address !== NULL; ) {
          const list = NET_BUFFER_LIST.at(wdk.memory, address);
          address = list.Next;
          list.Next = NULL;
          const refused = yield* wdk.locked(adapter.Lock, function* () {
            const status = refusal(adapter);
            if (status === NDIS_STATUS_SUCCESS) yield* nic.parts.pending.add(nic, adapter.DataPath, 1);
            return status;
          });
          if (refused === NDIS_STATUS_SUCCESS) yield* sendList(nic, adapter, list.address);
          else {
            list.Status = refused;
            yield* complete(nic, adapter, list.address);
          }
        }
      });
    },

  /** DISPATCH_LEVEL; inside NdisMAllocateNetBufferSGList or later. */
  processList: (nic: Nic): Handler<'MiniportProcessSGList'> =>
    function* MiniportProcessSGList({ pSGL, Context }) {
      const { memory } = nic.wdk;
      memory.writePointer(gatherOf(Context), pSGL);
      const adapter = adapterAt(nic, memory.readPointer(adapterOf(memory.readPointer(listOf(Context)))));
      const status = yield* nic.wdk.locked(adapter.Lock, () => {
        const refused = refusal(adapter);
        if (refused !== NDIS_STATUS_SUCCESS) return refused;
        return post(nic, adapter, Context, pSGL) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES;
      });
      if (status !== NDIS_STATUS_SUCCESS) yield* bufferDone(nic, adapter, Context, status);
    },

  /** Up to DISPATCH_LEVEL. Completes what the NIC has sent. */
  *handle(nic: Nic, adapter: Adapter): Coroutine<void> {
    yield* nic.wdk.atDispatch(function* () {
      const done = yield* nic.wdk.locked(adapter.Lock, () => take(nic, adapter, false));
      adapter.TxFrames += BigInt(done.length);
      for (const buffer of done) yield* bufferDone(nic, adapter, buffer, NDIS_STATUS_SUCCESS);
    });
  },

  /** Ends the frames in the ring; only after a reset or a removal, when the NIC reads no more. */
  *abort(nic: Nic, adapter: Adapter, status: number): Coroutine<void> {
    yield* nic.wdk.atDispatch(function* () {
      const left = yield* nic.wdk.locked(adapter.Lock, () => {
        const taken = take(nic, adapter, true);
        adapter.TxClean = 0;
        adapter.TxTail = 0;
        return taken;
      });
      for (const buffer of left) yield* bufferDone(nic, adapter, buffer, status);
    });
  },

  ringEmpty: (adapter: Adapter): boolean => adapter.TxClean === adapter.TxTail,
};
