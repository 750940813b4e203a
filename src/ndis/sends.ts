/**
 * Sends: what protocols give the miniport and the miniport gives back. The lists, their MDLs and their data are NDIS' memory
 * and freed on completion, so a driver that still uses them is caught. Pages: nc-ndis-miniport_send_net_buffer_lists,
 * ndis-ndismsendnetbufferlistscomplete, nc-ndis-miniport_cancel_send.
 */
import type { Coroutine } from '../kernel/scheduler.ts';
import { InternalError } from '../kernel/stops.ts';
import { type Address, at, DISPATCH_LEVEL, type Handle, hex, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportCancelSend, MiniportSendNetBufferLists } from './callbacks.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import {
  FLAGS_DISPATCH_LEVEL,
  NblInfo,
  NET_BUFFER_LIST,
  type NetBuffer,
  netBuffersOf,
} from './net-buffer-structures.ts';
import { NDIS_STATUS_PENDING, statusName } from './status.ts';

export interface SendOptions {
  /** IRQL of the call; the caller's own by default. */
  readonly level?: 'passive' | 'dispatch';
  /** MDLs a frame lies in: the Ethernet header in the first, the rest spread. One by default. */
  readonly mdls?: number;
  /** Frames in one NET_BUFFER_LIST; one by default. */
  readonly framesPerList?: number;
  /** Unused data space in front of each frame. */
  readonly backFill?: number;
  /** Marks the lists for `cancel`. */
  readonly cancelId?: number;
  readonly port?: number;
  /** A send that overtakes the pause: the driver must complete it with NDIS_STATUS_PAUSED at once. */
  readonly whilePausing?: boolean;
}

/** A NET_BUFFER_LIST that was given to the miniport. */
export interface SentList {
  readonly address: Address;
  readonly adapter: Handle;
  /** Of its NET_BUFFERs, in order. */
  readonly buffers: readonly Address[];
  readonly whilePausing: boolean;
  /** MiniportSendNetBufferLists has returned. */
  accepted: boolean;
  /** Set when the driver completes it. */
  status: number | undefined;
}

const ETHERNET_HEADER = 14;

export class Sends {
  private readonly ndis: Ndis;
  private readonly out = new Map<Address, SentList>();
  private readonly completed = new Set<Address>();
  private binding: Handle | undefined;
  /** Calls of MiniportSendNetBufferLists that have not returned. */
  private readonly calls = new Map<Handle, number>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Lists the miniport has not completed; not those it is just being given during a pause, to be turned back. */
  outstanding(adapter: Adapter): number {
    const mine = [...this.out.values()].filter((list) => list.adapter === adapter.handle);
    return mine.filter(({ whilePausing, accepted }) => accepted || !whilePausing).length;
  }

  /** NDIS halts no adapter that it is just giving a send to (page: network/halting-a-miniport-adapter). */
  *quiet(adapter: Adapter): Coroutine<void> {
    const ready = () => (this.calls.get(adapter.handle) ?? 0) === 0;
    if (!ready()) yield { kind: 'wait', what: 'MiniportSendNetBufferLists to return', ready, follows: 'system' };
  }

  private count(adapter: Adapter, by: 1 | -1): void {
    this.calls.set(adapter.handle, (this.calls.get(adapter.handle) ?? 0) + by);
  }

  /** Gives frames to the miniport. Does not wait for their completion: see `settled`. */
  *send(adapter: Adapter, frames: readonly Uint8Array[], options: SendOptions = {}): Coroutine<readonly SentList[]> {
    const { whilePausing = false } = options;
    if (adapter.state === 'Pausing' && !whilePausing) {
      throw new InternalError(
        'send-while-pausing',
        'NDIS sends nothing once a pause has begun, unless the scenario says so',
      );
    }
    adapter.move('send or receive');
    const { kernel } = this.ndis;
    const lists = this.build(adapter, frames, options);
    const [first] = lists;
    if (first === undefined) return [];
    kernel.trace.emit({
      kind: 'fact',
      what: 'send-started',
      detail: {
        adapter: hex(adapter.handle),
        lists: lists.map(({ address }) => hex(address)),
        frames: frames.length,
        state: adapter.state,
      },
    });
    this.count(adapter, 1);
    yield* this.atLevel(options.level, (flags) =>
      this.ndis.lifecycle.watched(
        kernel.invoker.invoke(
          MiniportSendNetBufferLists,
          adapter.routine('SendNetBufferListsHandler') as Address,
          {
            MiniportAdapterContext: adapter.context,
            NetBufferList: first.address,
            PortNumber: options.port ?? 0,
            SendFlags: flags,
          },
          adapter.handle,
        ),
      ),
    );
    this.count(adapter, -1);
    for (const list of lists) list.accepted = true;
    return lists;
  }

  /** Calls a routine at an IRQL, with the flag that tells it so. */
  private *atLevel(level: SendOptions['level'], call: (flags: number) => Coroutine<unknown>): Coroutine<void> {
    const { scheduler } = this.ndis.kernel;
    const before = scheduler.irql;
    if (level === 'dispatch') scheduler.setIrql(DISPATCH_LEVEL);
    yield* call(scheduler.irql === DISPATCH_LEVEL ? FLAGS_DISPATCH_LEVEL : 0);
    scheduler.setIrql(before);
  }

  private build(adapter: Adapter, frames: readonly Uint8Array[], options: SendOptions): SentList[] {
    const { memory } = this.ndis.kernel;
    this.binding ??= this.ndis.newHandle('NDIS binding handle');
    const lists: SentList[] = [];
    const perList = Math.max(1, options.framesPerList ?? 1);
    for (let i = 0; i < frames.length; i += perList) {
      const netBuffers = frames.slice(i, i + perList).map((frame) => this.netBuffer(frame, options));
      const list = this.ndis.netBufferLists.create({ netBuffers });
      list.SourceHandle = this.binding;
      list.Status = NDIS_STATUS_PENDING;
      if (options.cancelId !== undefined) {
        const info = list.NetBufferListInfo;
        info[NblInfo.CancelId] = BigInt(options.cancelId);
        list.NetBufferListInfo = info;
      }
      const before = lists.at(-1);
      if (before !== undefined) NET_BUFFER_LIST.at(memory, before.address).Next = list.address;
      lists.push({
        address: list.address,
        adapter: adapter.handle,
        buffers: netBuffers.map((buffer) => buffer.address),
        whilePausing: options.whilePausing ?? false,
        accepted: false,
        status: undefined,
      });
    }
    for (const list of lists) this.out.set(list.address, list);
    return lists;
  }

  private netBuffer(frame: Uint8Array, { mdls: count = 1, backFill = 0 }: SendOptions): NetBuffer {
    const { heap, memory, mdls } = this.ndis.kernel;
    const chain: Address[] = [];
    const buffers: Address[] = [];
    for (const [i, part] of split(frame, count).entries()) {
      const space = i === 0 ? backFill : 0;
      const data = heap.allocate(space + part.length, 'frame data of a send', { fill: 0 });
      memory.write(at(data, space), part);
      const mdl = mdls.describe(data, space + part.length, 'MDL of a send').address;
      const before = chain.at(-1);
      if (before !== undefined) mdls.at(before).Next = mdl;
      chain.push(mdl);
      buffers.push(data);
    }
    const contents = { mdlChain: chain[0] ?? NULL, dataOffset: backFill, dataLength: frame.length };
    return this.ndis.netBuffers.create(contents, { mdls: chain, buffers });
  }

  /** The miniport gives lists back: NDIS looks at each and frees it. Others than those that are out are facts. */
  complete(adapter: Handle, first: Address): void {
    for (const address of this.completing(adapter, first)) {
      const list = this.out.get(address) as SentList;
      this.out.delete(address);
      this.completed.add(address);
      this.check(list);
      this.ndis.netBufferLists.dispose(address);
    }
  }

  /** The lists of the chain that are out; NDIS reads each Next before the list goes. */
  private completing(adapter: Handle, first: Address): Address[] {
    const { kernel } = this.ndis;
    const found: Address[] = [];
    const seen = new Set<Address>();
    for (let next = first; next !== NULL; ) {
      const again = this.completed.has(next) || seen.has(next);
      const known = this.out.get(next)?.adapter === adapter;
      if (again || !known)
        emitFact(kernel, 'send-completed-unknown', { list: hex(next), adapter: hex(adapter), again });
      // A list that was completed before is freed memory, and one twice in a chain would turn in circles.
      if (again) break;
      seen.add(next);
      if (known) found.push(next);
      next = NET_BUFFER_LIST.at(kernel.memory, next).Next;
    }
    return found;
  }

  private check(sent: SentList): void {
    const { kernel } = this.ndis;
    const list = NET_BUFFER_LIST.at(kernel.memory, sent.address);
    sent.status = list.Status;
    const adapter = this.ndis.adapters.find(({ handle }) => handle === sent.adapter);
    const detail = {
      list: hex(sent.address),
      adapter: hex(sent.adapter),
      status: statusName(sent.status),
      state: adapter?.state ?? 'Halted',
    };
    emitFact(kernel, 'send-completed', detail);
    if (sent.whilePausing) emitFact(kernel, 'send-while-paused-result', { ...detail, immediate: !sent.accepted });
    const buffers = [...netBuffersOf(kernel.memory, list)].map((buffer) => buffer.address);
    if (buffers.join() !== sent.buffers.join()) emitFact(kernel, 'send-changed', detail);
  }

  /** Waits until the lists are completed; false when that takes longer than `patience`. */
  *settled(lists: readonly SentList[], patience: number): Coroutine<boolean> {
    const ready = () => lists.every(({ status }) => status !== undefined);
    if (ready()) return true;
    const deadline = (this.ndis.kernel.clock.now + patience) as typeof this.ndis.kernel.clock.now;
    yield { kind: 'wait', what: 'the sends to complete', ready, deadline, follows: 'system' };
    return ready();
  }

  /** Asks the driver to give back what it still queues under the id. */
  *cancel(adapter: Adapter, cancelId: number, level?: SendOptions['level']): Coroutine<void> {
    const routine = adapter.routine('CancelSendHandler');
    if (routine === undefined) return;
    yield* this.atLevel(level, () =>
      this.ndis.lifecycle.watched(
        this.ndis.kernel.invoker.invoke(
          MiniportCancelSend,
          routine,
          { MiniportAdapterContext: adapter.context, CancelId: cancelId },
          adapter.handle,
        ),
      ),
    );
  }
}

/** A frame in `count` parts, none of them empty: the Ethernet header first, then equal shares. */
function split(frame: Uint8Array, count: number): Uint8Array[] {
  if (count <= 1 || frame.length <= ETHERNET_HEADER) return [frame];
  const parts = [frame.subarray(0, ETHERNET_HEADER)];
  const share = Math.ceil((frame.length - ETHERNET_HEADER) / (count - 1));
  for (let i = ETHERNET_HEADER; i < frame.length; i += share) parts.push(frame.subarray(i, i + share));
  return parts;
}
