/**
 * The data path as NDIS and the protocols above play it: one door to sends and receives for scenarios and for the lifecycle,
 * and the functions the driver calls. Page: network/miniport-adapter-states-and-operations.
 */
import { D, functionsOf, HANDLE, POINTER, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { hex } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import type { ReturnPolicy } from './receives.ts';
import type { SendOptions, SentList } from './sends.ts';

export class DataPath {
  private readonly ndis: Ndis;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** When protocols give received lists back. */
  get returnReceives(): ReturnPolicy {
    return this.ndis.receives.policy;
  }
  set returnReceives(policy: ReturnPolicy) {
    this.ndis.receives.policy = policy;
  }

  /** Calls MiniportSendNetBufferLists; the lists' `status` is set when the driver completes them. */
  send(adapter: Adapter, frames: readonly Uint8Array[], options?: SendOptions): Coroutine<readonly SentList[]> {
    return this.ndis.sends.send(adapter, frames, options);
  }

  /** Waits for completions; false when they do not come within `patience` (100 ns). */
  settled(lists: readonly SentList[], patience: number): Coroutine<boolean> {
    return this.ndis.sends.settled(lists, patience);
  }

  /** Calls MiniportCancelSend. */
  cancelSends(adapter: Adapter, cancelId: number, level?: SendOptions['level']): Coroutine<void> {
    return this.ndis.sends.cancel(adapter, cancelId, level);
  }

  /** NET_BUFFER_LISTs the miniport has not completed. */
  sendsOut(adapter: Adapter): number {
    return this.ndis.sends.outstanding(adapter);
  }

  /** NET_BUFFER_LISTs of the miniport that have not come back to it. */
  receivesOut(adapter: Adapter): number {
    return this.ndis.receives.outstanding(adapter);
  }

  /** MiniportPause is about to be called. */
  pauseBegins(adapter: Adapter): void {
    this.ndis.receives.pauseBegins(adapter);
  }

  /** The driver says its pause is complete: whatever is still out is a fact for the rules. */
  pauseCompleted(adapter: Adapter): void {
    emitFact(this.ndis.kernel, 'pause-completed', {
      ...this.counts(adapter),
      indicating: this.ndis.receives.indicating(adapter),
    });
  }

  /** MiniportHaltEx returned, or MiniportInitializeEx failed. */
  adapterGone(adapter: Adapter, after: 'halt' | 'failed initialize'): void {
    if (after === 'halt') {
      emitFact(this.ndis.kernel, 'halt-returned', {
        ...this.counts(adapter),
        resetPending: adapter.reset !== undefined,
      });
    }
    this.ndis.receives.adapterGone(adapter);
  }

  private counts(adapter: Adapter) {
    return {
      adapter: hex(adapter.handle),
      receivesOut: this.receivesOut(adapter),
      sendsOut: this.sendsOut(adapter),
    };
  }
}

const f = functionsOf<Ndis>();

export const dataPathFunctions = {
  NdisMSendNetBufferListsComplete: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismsendnetbufferlistscomplete',
    params: { MiniportAdapterHandle: HANDLE, NetBufferList: POINTER, SendCompleteFlags: ULONG },
    returns: 'void',
    irql: D,
    notWithLocks: true,
    body(ndis, { MiniportAdapterHandle, NetBufferList }) {
      ndis.sends.complete(MiniportAdapterHandle, NetBufferList);
      return undefined;
    },
  }),

  NdisMIndicateReceiveNetBufferLists: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismindicatereceivenetbufferlists',
    params: {
      MiniportAdapterHandle: HANDLE,
      NetBufferList: POINTER,
      PortNumber: ULONG,
      NumberOfNetBufferLists: ULONG,
      ReceiveFlags: ULONG,
    },
    returns: 'void',
    irql: D,
    notWithLocks: true,
    *body(ndis, { MiniportAdapterHandle, NetBufferList, PortNumber, NumberOfNetBufferLists, ReceiveFlags }) {
      yield* ndis.receives.indicate(MiniportAdapterHandle, {
        first: NetBufferList,
        port: PortNumber,
        count: NumberOfNetBufferLists,
        flags: ReceiveFlags,
      });
      return undefined;
    },
  }),
};
