/**
 * Receives: what the miniport indicates, and the protocols above it that read the frames, keep the lists for a while and give
 * them back. Pages: ndis-ndismindicatereceivenetbufferlists, nc-ndis-miniport_return_net_buffer_lists.
 */
import { type Coroutine, POINT } from '../kernel/scheduler.ts';
import { type Address, DISPATCH_LEVEL, type Handle, hex, MILLISECOND, NULL, type VirtualTime } from '../trace/units.ts';
import { MemoryFault, Shadow } from '../x64/memory.ts';
import type { Adapter } from './adapter.ts';
import { MiniportReturnNetBufferLists } from './callbacks.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import {
  FLAGS_DISPATCH_LEVEL,
  NDIS_RECEIVE_FLAGS_RESOURCES,
  NET_BUFFER_LIST,
  type NetBufferList,
  netBuffersOf,
} from './net-buffer-structures.ts';

/**
 * When the protocol gives received lists back: inside the indication; a while later in another context; or, to the end of
 * patience, only after a pause has begun.
 */
export type ReturnPolicy = 'at-once' | 'later' | 'late';

/** What the driver passed to NdisMIndicateReceiveNetBufferLists. */
export interface Indication {
  readonly first: Address;
  readonly port: number;
  readonly count: number;
  readonly flags: number;
}

/** Virtual time between a receive and its return (assumed). */
const DELAY = MILLISECOND;

/** … and between the begin of a pause and late returns: longer than a driver takes to let its hardware drain (assumed). */
const LATE = 20 * MILLISECOND;

export class Receives {
  /** Set by the scenario. */
  policy: ReturnPolicy = 'at-once';
  /** IRQL of returns in another context. */
  level: 'passive' | 'dispatch' = 'passive';
  /** Virtual time a protocol keeps a list. */
  delay: number = DELAY;
  /** Told of every frame the protocol read. */
  onFrame: (adapter: Handle, frame: Uint8Array) => void = () => {};
  private readonly ndis: Ndis;
  /** Lists that are up, by address: whose they are, and the port they were indicated on. */
  private readonly up = new Map<Address, { readonly adapter: Handle; readonly port: number }>();
  /** Indications kept until a pause begins. */
  private readonly kept: { adapter: Adapter; lists: Address[] }[] = [];
  private readonly running = new Map<Handle, number>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Lists that NDIS and the protocols have of the adapter. */
  outstanding({ handle }: Adapter): number {
    return [...this.up.values()].filter(({ adapter }) => adapter === handle).length;
  }

  /** … and those of them that were indicated on one port. */
  outstandingOn(port: number, handle: Handle): number {
    return [...this.up.values()].filter((up) => up.adapter === handle && up.port === port).length;
  }

  /** Calls of NdisMIndicateReceiveNetBufferLists that have not returned. */
  indicating(adapter: Adapter): number {
    return this.running.get(adapter.handle) ?? 0;
  }

  isUp(list: Address): boolean {
    return this.up.has(list);
  }

  *indicate(handle: Handle, indication: Indication): Coroutine<void> {
    const { kernel } = this.ndis;
    const adapter = this.ndis.adapters.find((candidate) => candidate.handle === handle);
    const resources = (indication.flags & NDIS_RECEIVE_FLAGS_RESOURCES) !== 0;
    const lists = this.take(handle, indication);
    emitFact(kernel, 'receive-indicated', {
      adapter: hex(handle),
      state: adapter?.state ?? 'none',
      count: lists.length,
      said: indication.count,
      resources,
      port: indication.port,
      lists: lists.map((list) => hex(list)),
    });
    if (adapter === undefined) return;
    this.count(adapter, 1);
    for (const list of lists) this.read(adapter, NET_BUFFER_LIST.at(kernel.memory, list));
    // The protocols' own time: whatever else runs may run now, with the lists up.
    yield POINT;
    if (resources) this.down(lists);
    else yield* this.keep(adapter, lists);
    this.count(adapter, -1);
  }

  private count(adapter: Adapter, by: number): void {
    this.running.set(adapter.handle, this.indicating(adapter) + by);
  }

  /** The chain's lists, from now on up; one that is up already stays where it is. */
  private take(adapter: Handle, { first, port }: Indication): Address[] {
    const { kernel } = this.ndis;
    const taken: Address[] = [];
    const seen = new Set<Address>();
    for (let next = first; next !== NULL; next = NET_BUFFER_LIST.at(kernel.memory, next).Next) {
      if (this.up.has(next)) {
        emitFact(kernel, 'nbl-indicated-twice', { list: hex(next), adapter: hex(adapter) });
        // A chain that comes back to itself would hang Windows; here it ends where it closes.
        if (seen.has(next)) break;
      } else {
        this.up.set(next, { adapter, port });
        taken.push(next);
      }
      seen.add(next);
    }
    return taken;
  }

  /** What the page demands of an indicated list; then the protocol reads every frame, as the driver's call. */
  private read(adapter: Adapter, list: NetBufferList): void {
    const { memory } = this.ndis.kernel;
    const buffers = [...netBuffersOf(memory, list)];
    const reasons: string[] = [];
    if (!this.ndis.netBufferLists.isAllocated(list.address)) reasons.push('not allocated from a NET_BUFFER_LIST pool');
    if (list.SourceHandle !== adapter.handle) reasons.push('SourceHandle is not the adapter handle');
    if (buffers.length === 0) reasons.push('no NET_BUFFER');
    for (const buffer of buffers) {
      const frame = this.ndis.netBufferData.read(buffer);
      if (frame.length < buffer.DataLength) reasons.push('the MDLs hold less than DataLength');
      else this.onFrame(adapter.handle, frame);
    }
    if (reasons.length > 0) {
      emitFact(this.ndis.kernel, 'nbl-malformed', { list: hex(list.address), adapter: hex(adapter.handle), reasons });
    }
  }

  private *keep(adapter: Adapter, lists: Address[]): Coroutine<void> {
    // Where no data path is, NDIS has no one to give the frames to and turns them back at once (assumed).
    const noPath = adapter.state !== 'Running' && adapter.state !== 'Pausing' && adapter.state !== 'Restarting';
    if (noPath || this.policy === 'at-once') yield* this.giveBack(adapter, lists);
    else if (this.policy === 'later' || adapter.state === 'Pausing') this.schedule(adapter, lists);
    else this.kept.push({ adapter, lists });
  }

  /** In another context, a while later. */
  private schedule(adapter: Adapter, lists: Address[], delay = this.delay): void {
    const { clock, dpcs, scheduler } = this.ndis.kernel;
    const work = () => this.giveBack(adapter, lists);
    const name = 'protocol that returns receives';
    clock.set((clock.now + delay) as VirtualTime, () => {
      if (this.level === 'dispatch') dpcs.queue({ name, source: lists, start: work });
      else scheduler.startThread(name, work());
    });
  }

  /** MiniportPause is about to be called: the most patient protocol returns what it has, soon. */
  pauseBegins(adapter: Adapter): void {
    for (const { lists } of this.takeKept(adapter)) this.schedule(adapter, lists, Math.max(this.delay, LATE));
  }

  /** The protocol returns what it keeps, now and here. */
  *returnKept(adapter: Adapter): Coroutine<void> {
    for (const { lists } of this.takeKept(adapter)) yield* this.giveBack(adapter, lists);
  }

  private takeKept(adapter: Adapter): { lists: Address[] }[] {
    const mine = this.kept.filter((kept) => kept.adapter === adapter);
    for (const kept of mine) this.kept.splice(this.kept.indexOf(kept), 1);
    return mine;
  }

  private *giveBack(adapter: Adapter, indicated: readonly Address[]): Coroutine<void> {
    const lists = indicated.filter((list) => this.up.has(list));
    const [first] = lists;
    // Once the adapter is gone there is nobody to return to: what was up then, `halt-returned` has counted.
    if (first === undefined || !adapter.valid) return;
    const { kernel } = this.ndis;
    for (const list of lists) this.readAgain(list);
    lists.forEach((list, i) => {
      NET_BUFFER_LIST.at(kernel.memory, list).Next = lists[i + 1] ?? NULL;
    });
    this.down(lists);
    yield* this.ndis.lifecycle.watched(
      kernel.invoker.invoke(
        MiniportReturnNetBufferLists,
        adapter.routine('ReturnNetBufferListsHandler') as Address,
        {
          MiniportAdapterContext: adapter.context,
          NetBufferLists: first,
          ReturnFlags: kernel.scheduler.irql === DISPATCH_LEVEL ? FLAGS_DISPATCH_LEVEL : 0,
        },
        adapter.handle,
      ),
    );
  }

  private down(lists: readonly Address[]): void {
    for (const list of lists) this.up.delete(list);
  }

  /** The data must still be there when the protocol is done with it: what is gone, it would have read wrong. */
  private readAgain(list: Address): void {
    const { kernel, netBufferData } = this.ndis;
    try {
      const view = NET_BUFFER_LIST.at(kernel.memory, list);
      for (const buffer of netBuffersOf(kernel.memory, view)) netBufferData.read(buffer);
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      const block = kernel.heap.explain(error.address);
      kernel.trace.emit({
        kind: 'fault',
        by: 'kernel',
        access: 'read',
        address: error.address,
        size: error.size,
        why: error.shadow === Shadow.Freed ? 'freed' : error.shadow === Shadow.Guard ? 'guard' : 'unmapped',
        ...(block === undefined ? {} : { block }),
        stack: [],
      });
      emitFact(kernel, 'nbl-data-gone-while-indicated', { list: hex(list), block: block?.what ?? null });
    }
  }

  /** The driver frees a list. One that is up is a fact; NDIS then forgets it, since it cannot give it back. */
  freed(list: Address, how: string): void {
    const up = this.up.get(list);
    if (up === undefined) return;
    emitFact(this.ndis.kernel, 'nbl-freed-while-indicated', { list: hex(list), adapter: hex(up.adapter), how });
    this.up.delete(list);
  }

  /** Whatever a gone adapter had up is nobody's any more. */
  adapterGone(adapter: Adapter): void {
    this.takeKept(adapter);
    this.down([...this.up.keys()].filter((list) => this.up.get(list)?.adapter === adapter.handle));
  }
}
