/**
 * Check for hang and reset: NDIS asks the miniport whether its NIC hangs, and has it reset. A reset is no state of the adapter
 * and may overlap a pause. Pages: network/miniport-adapter-check-for-hang-and-reset-operations, network/hardware-reset,
 * ndis-ndismresetminiport, ndis-ndismresetcomplete~r1, ndis-ndismremoveminiport.
 */
import { BOOLEAN, D, failsWith, functionsOf, HANDLE, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { Hang, InternalError } from '../kernel/stops.ts';
import type { AdapterState } from '../trace/events.ts';
import { DISPATCH_LEVEL, hex, SECOND, type VirtualTime } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportCheckForHangEx, MiniportResetEx } from './callbacks.ts';
import { emitFact } from './facts.ts';
import { tellBoth } from './lifecycle.ts';
import type { Ndis } from './ndis.ts';
import type { OidRequest } from './oids.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS, statusName } from './status.ts';

/** Virtual time after which a reset counts as one that never completes (assumed). */
const WATCHDOG = 120 * SECOND;

/** CheckForHangTimeInSeconds where the driver leaves it at 0: page network/miniport-adapter-check-for-hang-and-reset-operations. */
const DEFAULT_PERIOD = 2;

/** NDIS' checks of one adapter, from a successful initialize until it is halted or shut down. */
interface Watch {
  over: boolean;
  running: boolean;
}

/** The states without an adapter to reset. */
const NO_ADAPTER: readonly AdapterState[] = ['Halted', 'Initializing', 'Shutdown'];

/** What NDIS restores when the driver says its addresses were reset. The values are those of a stack at rest (assumed). */
const addressing: readonly OidRequest[] = [
  {
    name: 'OID_GEN_CURRENT_PACKET_FILTER',
    oid: 0x0001_010e,
    type: 'SetInformation',
    buffer: Uint8Array.from([0x0b, 0, 0, 0]),
  },
  { name: 'OID_802_3_MULTICAST_LIST', oid: 0x0101_0103, type: 'SetInformation', buffer: new Uint8Array(0) },
];

export class Resets {
  private readonly ndis: Ndis;
  private readonly watches = new Map<Adapter, Watch>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Begins NDIS' regular checks, for a driver that registered MiniportCheckForHangEx. */
  watch(adapter: Adapter): void {
    if (adapter.routine('CheckForHangHandlerEx') === undefined) return;
    const watch = { over: false, running: false };
    this.watches.set(adapter, watch);
    this.ndis.kernel.scheduler.startWaiting('NDIS check for hang', this.watching(adapter, watch));
  }

  /** No further check begins. */
  stop(adapter: Adapter): void {
    const watch = this.watches.get(adapter);
    if (watch !== undefined) watch.over = true;
  }

  /** The same, and none is under way. */
  *unwatch(adapter: Adapter): Coroutine<void> {
    const watch = this.watches.get(adapter);
    if (watch === undefined) return;
    watch.over = true;
    if (watch.running)
      yield { kind: 'wait', what: 'the check for hang to end', ready: () => !watch.running, follows: 'system' };
  }

  private *watching(adapter: Adapter, watch: Watch): Coroutine<void> {
    const { clock } = this.ndis.kernel;
    const period = (adapter.checkForHangSeconds || DEFAULT_PERIOD) * SECOND;
    while (!watch.over) {
      const deadline = (clock.now + period) as VirtualTime;
      yield { kind: 'wait', what: 'the next check for hang', ready: () => watch.over, deadline, follows: 'system' };
      // A NIC without power is not asked whether it hangs (assumed).
      if (watch.over || adapter.asleep) continue;
      watch.running = true;
      yield* this.checkForHang(adapter);
      watch.running = false;
    }
  }

  /** MiniportCheckForHangEx, and the reset that follows when it says so. Gives whether the NIC hangs. */
  *checkForHang(adapter: Adapter): Coroutine<boolean> {
    const routine = adapter.routine('CheckForHangHandlerEx');
    if (routine === undefined) return false;
    const { invoker } = this.ndis.kernel;
    const hangs = yield* this.ndis.lifecycle.watched(
      invoker.invoke(MiniportCheckForHangEx, routine, { MiniportAdapterContext: adapter.context }, adapter.handle),
    );
    if (hangs) yield* this.reset(adapter);
    return hangs;
  }

  /** MiniportResetEx, until it is complete. Gives its status; undefined where the driver has no reset, or one is going on. */
  *reset(adapter: Adapter, level: 'passive' | 'dispatch' = 'passive'): Coroutine<number | undefined> {
    const routine = adapter.routine('ResetHandlerEx');
    if (routine === undefined || adapter.reset !== undefined) return undefined;
    if (NO_ADAPTER.includes(adapter.state)) throw new InternalError('reset-without-adapter', `in ${adapter.state}`);
    const { kernel } = this.ndis;
    const { scheduler, heap, memory } = kernel;
    const operation = { status: undefined as number | undefined, addressingReset: false, pended: false };
    adapter.reset = operation;
    emitFact(kernel, 'reset-started', { adapter: hex(adapter.handle), state: adapter.state });
    const flag = heap.allocate(1, 'AddressingReset of MiniportResetEx', { fill: 0 });
    const before = scheduler.irql;
    if (level === 'dispatch') scheduler.setIrql(DISPATCH_LEVEL);
    const returned = yield* this.ndis.lifecycle.watched(
      kernel.invoker.invoke(
        MiniportResetEx,
        routine,
        { MiniportAdapterContext: adapter.context, AddressingReset: flag },
        adapter.handle,
      ),
    );
    scheduler.setIrql(before);
    if (returned !== NDIS_STATUS_PENDING && operation.status !== undefined) {
      tellBoth(this.ndis, operation, 'reset-complete-unexpected', returned);
    } else if (returned !== NDIS_STATUS_PENDING) {
      operation.status = returned;
      operation.addressingReset = memory.readU8(flag) !== 0;
      this.completed(adapter);
    }
    operation.pended = true;
    heap.free(flag);
    const ready = () => operation.status !== undefined || !adapter.valid;
    const deadline = (kernel.clock.now + WATCHDOG) as VirtualTime;
    const ended = ready()
      ? 'go'
      : yield { kind: 'wait', what: 'NdisMResetComplete', ready, deadline, follows: 'system' };
    if (ended === 'timeout') throw new Hang('the driver never calls NdisMResetComplete');
    adapter.reset = undefined;
    if (operation.status === NDIS_STATUS_SUCCESS && operation.addressingReset) yield* this.restoreAddressing(adapter);
    return operation.status ?? NDIS_STATUS_FAILURE;
  }

  private *restoreAddressing(adapter: Adapter): Coroutine<void> {
    for (const request of addressing) {
      if (adapter.valid && adapter.allows('OID request')) yield* this.ndis.oids.request(adapter, request);
    }
  }

  /** The driver says its reset is over; one that is not pending is a fact. */
  complete(adapter: Adapter | undefined, status: number, addressingReset: boolean): void {
    const operation = adapter?.reset;
    if (adapter === undefined || operation === undefined || operation.status !== undefined) {
      emitFact(this.ndis.kernel, 'reset-complete-unexpected', { status: statusName(status) });
      return;
    }
    Object.assign(operation, { status, addressingReset, completedAt: this.ndis.kernel.stack() });
    this.completed(adapter);
  }

  private completed(adapter: Adapter): void {
    emitFact(this.ndis.kernel, 'reset-completed', {
      adapter: hex(adapter.handle),
      status: statusName(adapter.reset?.status ?? NDIS_STATUS_FAILURE),
      state: adapter.state,
      sendsOut: this.ndis.dataPath.sendsOut(adapter),
      oidsOut: this.ndis.oids.outstanding,
    });
  }

  /** NDIS' work item for a reset the driver asked for. What it does when the adapter is gone by then is a gap: nothing. */
  request(adapter: Adapter): void {
    emitFact(this.ndis.kernel, 'reset-requested', { adapter: hex(adapter.handle), state: adapter.state });
    this.ndis.kernel.scheduler.startThread('NDIS reset work item', this.requested(adapter));
  }

  private *requested(adapter: Adapter): Coroutine<void> {
    if (adapter.valid && !NO_ADAPTER.includes(adapter.state)) yield* this.reset(adapter);
  }
}

const f = functionsOf<Ndis>();

export const resetFunctions = {
  NdisMResetMiniport: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismresetminiport',
    params: { MiniportAdapterHandle: HANDLE },
    returns: 'void',
    irql: D,
    body(ndis, { MiniportAdapterHandle }) {
      const adapter = ndis.adapterOf(MiniportAdapterHandle);
      if (adapter !== undefined) ndis.resets.request(adapter);
      else emitFact(ndis.kernel, 'reset-requested', { adapter: hex(MiniportAdapterHandle), state: 'none' });
      return undefined;
    },
  }),

  NdisMResetComplete: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismresetcomplete~r1',
    params: { MiniportAdapterHandle: HANDLE, Status: ULONG, AddressingReset: BOOLEAN },
    returns: 'void',
    irql: D,
    notWithLocks: true,
    body(ndis, { MiniportAdapterHandle, Status, AddressingReset }) {
      ndis.resets.complete(ndis.adapterOf(MiniportAdapterHandle), Status, AddressingReset);
      return undefined;
    },
  }),

  NdisMRemoveMiniport: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismremoveminiport',
    params: { MiniportHandle: HANDLE },
    returns: 'status',
    irql: D,
    failures: [failsWith('failure', NDIS_STATUS_FAILURE)],
    body(ndis, { MiniportHandle }) {
      const adapter = ndis.adapterOf(MiniportHandle);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      adapter.removalRequested = true;
      emitFact(ndis.kernel, 'removal-requested', { adapter: hex(adapter.handle), state: adapter.state });
      return NDIS_STATUS_SUCCESS;
    },
  }),
};
