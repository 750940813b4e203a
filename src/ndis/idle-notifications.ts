/**
 * NDIS selective suspend: an idle notification that the driver left pending stays so until it completes it, mostly because NDIS
 * cancels it. Pages: nc-ndis-miniport_idle_notification, nc-ndis-miniport_cancel_idle_notification,
 * ndis-ndismidlenotificationconfirm, ndis-ndismidlenotificationcomplete.
 */
import { callback, D, functionsOf, HANDLE, P, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { Hang } from '../kernel/stops.ts';
import { type Handle, hex, SECOND, type VirtualTime } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportIdleNotification } from './callbacks.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_PENDING } from './status.ts';

export const MiniportCancelIdleNotification = callback({
  name: 'MiniportCancelIdleNotification',
  page: 'nc-ndis-miniport_cancel_idle_notification',
  params: { MiniportAdapterContext: HANDLE },
  returns: 'void',
  irql: P,
});

/** As for other operations NDIS watches (assumed: contract.md X2). */
const WATCHDOG = 120 * SECOND;

export class IdleNotifications {
  private readonly ndis: Ndis;
  private readonly pending = new Map<Handle, { confirmed: boolean }>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Tells the driver that its adapter is idle; gives what it answers. */
  *notify(adapter: Adapter, force: boolean): Coroutine<number> {
    const routine = adapter.driver.optional.IdleNotificationHandler;
    if (routine === undefined) return NDIS_STATUS_NOT_SUPPORTED;
    const { kernel } = this.ndis;
    this.pending.set(adapter.handle, { confirmed: false });
    const args = { MiniportAdapterContext: adapter.context, ForceIdle: force };
    const status = yield* kernel.invoker.invoke(MiniportIdleNotification, routine, args, adapter.handle);
    if (status !== NDIS_STATUS_PENDING) this.pending.delete(adapter.handle);
    else if (this.pending.has(adapter.handle)) {
      kernel.resources.acquire('idle-notification', adapter.handle, {
        fn: 'MiniportIdleNotification',
        owner: adapter.handle,
        stack: [],
      });
    }
    return status;
  }

  /** Cancels the pending notification and waits for the driver to complete it. */
  *cancel(adapter: Adapter): Coroutine<void> {
    const routine = adapter.driver.optional.CancelIdleNotificationHandler;
    if (routine === undefined || !this.pending.has(adapter.handle)) return;
    const { invoker, clock } = this.ndis.kernel;
    const args = { MiniportAdapterContext: adapter.context };
    yield* invoker.invoke(MiniportCancelIdleNotification, routine, args, adapter.handle);
    const ended = yield {
      kind: 'wait',
      what: 'NdisMIdleNotificationComplete',
      ready: () => !this.pending.has(adapter.handle),
      follows: 'system',
      deadline: (clock.now + WATCHDOG) as VirtualTime,
    };
    if (ended !== 'timeout') return;
    emitFact(this.ndis.kernel, 'idle-never-completed', { adapter: hex(adapter.handle), seconds: WATCHDOG / SECOND });
    throw new Hang('the driver never calls NdisMIdleNotificationComplete');
  }

  /** The driver has said that its adapter may be suspended. */
  isConfirmed(adapter: Handle): boolean {
    return this.pending.get(adapter)?.confirmed ?? false;
  }

  isPending(adapter: Handle): boolean {
    return this.pending.has(adapter);
  }

  confirm(adapter: Handle): boolean {
    const notification = this.pending.get(adapter);
    if (notification === undefined || notification.confirmed) return false;
    notification.confirmed = true;
    return true;
  }

  complete(adapter: Handle): boolean {
    return this.pending.delete(adapter);
  }
}

const f = functionsOf<Ndis>();

export const idleNotificationFunctions = {
  NdisMIdleNotificationConfirm: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismidlenotificationconfirm',
    params: { MiniportAdapterHandle: HANDLE, IdlePowerState: ULONG },
    returns: 'void',
    irql: P,
    body(ndis, { MiniportAdapterHandle }) {
      if (!ndis.idleNotifications.confirm(MiniportAdapterHandle)) {
        emitFact(ndis.kernel, 'idle-confirm-unexpected', { adapter: hex(MiniportAdapterHandle) });
      }
      return undefined;
    },
  }),
  NdisMIdleNotificationComplete: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismidlenotificationcomplete',
    params: { MiniportAdapterHandle: HANDLE },
    returns: 'void',
    irql: D,
    // It may come while MiniportIdleNotification still runs, before anything is owed.
    undoes: {
      types: ['idle-notification'],
      key: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      mayBeIdle: true,
    },
    body(ndis, { MiniportAdapterHandle }) {
      if (!ndis.idleNotifications.complete(MiniportAdapterHandle)) {
        emitFact(ndis.kernel, 'idle-complete-unexpected', { adapter: hex(MiniportAdapterHandle) });
      }
      return undefined;
    },
  }),
};
