/**
 * What NDIS and the plug and play manager do to a miniport, one operation each: every call of a MiniportXxx routine that moves
 * the adapter through its states. Scenarios (machine/) play these in order. Page: network/miniport-adapter-states-and-operations.
 */
import { D, functionsOf, HANDLE, ULONG } from '../kernel/record.ts';
import type { Coroutine, Limits } from '../kernel/scheduler.ts';
import { Hang, SystemDown } from '../kernel/stops.ts';
import { type Address, at, HIGH_LEVEL, hex, NULL, SECOND, type VirtualTime } from '../trace/units.ts';
import type { Adapter, PendingOperation } from './adapter.ts';
import {
  MiniportAddDevice,
  MiniportDevicePnPEventNotify,
  MiniportDriverUnload,
  MiniportHaltEx,
  MiniportInitializeEx,
  MiniportPause,
  MiniportRemoveDevice,
  MiniportRestart,
  MiniportShutdownEx,
} from './callbacks.ts';
import type { MiniportDriver } from './driver.ts';
import {
  Attributes,
  NDIS_MINIPORT_INIT_PARAMETERS,
  NDIS_MINIPORT_PAUSE_PARAMETERS,
  NDIS_MINIPORT_RESTART_PARAMETERS,
  NDIS_PORT_AUTHENTICATION_PARAMETERS,
  NDIS_RESTART_ATTRIBUTES,
  NDIS_RESTART_GENERAL_ATTRIBUTES,
  NET_DEVICE_PNP_EVENT,
} from './driver-structures.ts';
import type { Ndis } from './ndis.ts';
import { ObjectType } from './object-header.ts';
import { resourceList } from './resource-list.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS } from './status.ts';

/** NDIS_HALT_ACTION (contract.md G1). */
export const HaltAction = {
  DeviceDisabled: 0,
  DeviceInstanceDeInitialized: 1,
  DevicePoweredDown: 2,
  DeviceSurpriseRemoved: 3,
  DeviceFailed: 4,
  DeviceInitializationFailed: 5,
  DeviceStopped: 6,
} as const;
export type HaltActionName = keyof typeof HaltAction;

/** NDIS_SHUTDOWN_ACTION. */
export const ShutdownAction = { PowerOff: 0, BugCheck: 1 } as const;

/** NDIS_PAUSE_ATTRIBUTES: since 6.40 the reason is reliable (contract.md G4). */
const PAUSE_NDIS_INTERNAL = 0x1;
const OID_GEN_MINIPORT_RESTART_ATTRIBUTES = 0x0001_021d;

/** Virtual time after which NDIS' watchdog would have reported a pause, restart or halt (assumed: contract.md X2). */
const WATCHDOG = 120 * SECOND;
/** Guest instructions one routine may run before it counts as one that never returns (assumed). */
const INSTRUCTION_BUDGET = 200_000_000;

export class Lifecycle {
  private readonly ndis: Ndis;
  private readonly watches = new Set<Limits>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** MiniportAddDevice, where the driver registered one. */
  *addDevice(adapter: Adapter): Coroutine<number> {
    const routine = adapter.driver.optional.MiniportAddDeviceHandler;
    adapter.added = true;
    if (routine === undefined) return NDIS_STATUS_SUCCESS;
    adapter.valid = true;
    const status = yield* this.watched(
      this.invoker.invoke(
        MiniportAddDevice,
        routine,
        { NdisMiniportHandle: adapter.handle, MiniportDriverContext: adapter.driver.context },
        adapter.handle,
      ),
    );
    adapter.valid = false;
    adapter.added = status === NDIS_STATUS_SUCCESS;
    return status;
  }

  /** MiniportRemoveDevice, where the driver registered one and MiniportAddDevice had succeeded; once. */
  *removeDevice(adapter: Adapter): Coroutine<void> {
    const routine = adapter.driver.optional.MiniportRemoveDeviceHandler;
    const { added } = adapter;
    adapter.added = false;
    if (routine === undefined || !added) return;
    yield* this.watched(
      this.invoker.invoke(
        MiniportRemoveDevice,
        routine,
        { MiniportAddDeviceContext: adapter.addDeviceContext },
        adapter.handle,
      ),
    );
  }

  *initialize(adapter: Adapter): Coroutine<number> {
    const { heap, memory } = this.ndis.kernel;
    adapter.move('MiniportInitializeEx');
    adapter.forget();
    adapter.valid = true;
    adapter.initializations++;
    const authentication = heap.allocate(
      NDIS_PORT_AUTHENTICATION_PARAMETERS.size,
      'NDIS_PORT_AUTHENTICATION_PARAMETERS',
      { fill: 0 },
    );
    NDIS_PORT_AUTHENTICATION_PARAMETERS.write(memory, authentication, {
      Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: NDIS_PORT_AUTHENTICATION_PARAMETERS.size },
    });
    const resources = resourceList(this.ndis.kernel, adapter.device);
    const parameters = heap.allocate(NDIS_MINIPORT_INIT_PARAMETERS.size, 'NDIS_MINIPORT_INIT_PARAMETERS', { fill: 0 });
    NDIS_MINIPORT_INIT_PARAMETERS.write(memory, parameters, {
      Header: { Type: ObjectType.MINIPORT_INIT_PARAMETERS, Revision: 1, Size: NDIS_MINIPORT_INIT_PARAMETERS.size },
      AllocatedResources: resources,
      MiniportAddDeviceContext: adapter.addDeviceContext,
      IfIndex: 7,
      NetLuid: 0x0006_0080_0000_0000n,
      DefaultPortAuthStates: authentication,
    });
    const routine = adapter.routine('InitializeHandlerEx') as Address;
    const found = adapter.device?.activity() ?? [];
    const status = yield* this.watched(
      this.invoker.invoke(
        MiniportInitializeEx,
        routine,
        {
          NdisMiniportHandle: adapter.handle,
          MiniportDriverContext: adapter.driver.context,
          MiniportInitParameters: parameters,
        },
        adapter.handle,
      ),
    );
    // NDIS' own structures are gone once the routine has returned; a driver that kept a pointer finds out.
    for (const block of [parameters, authentication, resources]) if (block !== NULL) heap.free(block);
    if (adapter.initializations > 1) {
      const detail = { adapter: hex(adapter.handle), succeeded: status === NDIS_STATUS_SUCCESS };
      this.ndis.kernel.trace.emit({ kind: 'fact', what: 'initialized-again', detail });
    }
    if (status === NDIS_STATUS_SUCCESS) {
      adapter.move('initialize complete');
      this.ndis.resets.watch(adapter);
    } else {
      adapter.move('initialize failed');
      this.activity(adapter, 'MiniportInitializeEx', found);
      adapter.valid = false;
      this.ndis.adapterGone(adapter, 'failed initialize');
    }
    return status;
  }

  *restart(adapter: Adapter): Coroutine<number> {
    const { heap, memory } = this.ndis.kernel;
    adapter.move('MiniportRestart');
    const data = NDIS_RESTART_ATTRIBUTES.offset('Data');
    const attributes = heap.allocate(data + NDIS_RESTART_GENERAL_ATTRIBUTES.size, 'NDIS_RESTART_ATTRIBUTES', {
      fill: 0,
    });
    NDIS_RESTART_ATTRIBUTES.write(memory, attributes, {
      Oid: OID_GEN_MINIPORT_RESTART_ATTRIBUTES,
      DataLength: NDIS_RESTART_GENERAL_ATTRIBUTES.size,
    });
    NDIS_RESTART_GENERAL_ATTRIBUTES.write(memory, at(attributes, data), {
      Header: { Type: 0xa2, Revision: 2, Size: NDIS_RESTART_GENERAL_ATTRIBUTES.size },
      MtuSize: adapter.generalAttributes?.mtu ?? 1500,
      LookaheadSize: adapter.generalAttributes?.lookahead ?? 1500,
    });
    const parameters = heap.allocate(NDIS_MINIPORT_RESTART_PARAMETERS.size, 'NDIS_MINIPORT_RESTART_PARAMETERS', {
      fill: 0,
    });
    NDIS_MINIPORT_RESTART_PARAMETERS.write(memory, parameters, {
      Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: NDIS_MINIPORT_RESTART_PARAMETERS.offset('Flags') + 4 },
      RestartAttributes: attributes,
    });
    adapter.restart = { status: undefined };
    const status = yield* this.complete(
      adapter.restart,
      this.invoker.invoke(
        MiniportRestart,
        adapter.routine('RestartHandler') as Address,
        { MiniportAdapterContext: adapter.context, MiniportRestartParameters: parameters },
        adapter.handle,
      ),
      'NdisMRestartComplete',
    );
    adapter.restart = undefined;
    heap.free(parameters);
    heap.free(attributes);
    adapter.move(status === NDIS_STATUS_SUCCESS ? 'restart complete' : 'restart failed');
    if (status !== NDIS_STATUS_SUCCESS) {
      const activity = [...(adapter.device?.activity() ?? [])];
      this.ndis.kernel.trace.emit({
        kind: 'fact',
        what: 'restart-failed',
        detail: { adapter: hex(adapter.handle), activity },
      });
    }
    return status;
  }

  *pause(adapter: Adapter): Coroutine<void> {
    const { heap, memory } = this.ndis.kernel;
    adapter.move('MiniportPause');
    const parameters = heap.allocate(NDIS_MINIPORT_PAUSE_PARAMETERS.size, 'NDIS_MINIPORT_PAUSE_PARAMETERS', {
      fill: 0,
    });
    NDIS_MINIPORT_PAUSE_PARAMETERS.write(memory, parameters, {
      Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: NDIS_MINIPORT_PAUSE_PARAMETERS.size },
      PauseReason: PAUSE_NDIS_INTERNAL,
    });
    adapter.pause = { status: undefined, onDone: () => this.ndis.dataPath.pauseCompleted(adapter) };
    this.ndis.dataPath.pauseBegins(adapter);
    yield* this.complete(
      adapter.pause,
      this.invoker.invoke(
        MiniportPause,
        adapter.routine('PauseHandler') as Address,
        { MiniportAdapterContext: adapter.context, MiniportPauseParameters: parameters },
        adapter.handle,
      ),
      'NdisMPauseComplete',
    );
    adapter.pause = undefined;
    heap.free(parameters);
    adapter.move('pause complete');
  }

  *halt(adapter: Adapter, action: HaltActionName): Coroutine<void> {
    yield* this.ndis.resets.unwatch(adapter);
    yield* this.ndis.sends.quiet(adapter);
    adapter.move('MiniportHaltEx');
    adapter.halting = true;
    yield* this.watched(
      this.invoker.invoke(
        MiniportHaltEx,
        adapter.routine('HaltHandlerEx') as Address,
        { MiniportAdapterContext: adapter.context, HaltAction: HaltAction[action] },
        adapter.handle,
      ),
    );
    adapter.halting = false;
    this.activity(adapter, 'MiniportHaltEx');
    adapter.valid = false;
    this.ndis.adapterGone(adapter, 'halt');
  }

  /** System shutdown, at PASSIVE_LEVEL. */
  *shutdown(adapter: Adapter): Coroutine<void> {
    this.ndis.resets.stop(adapter);
    adapter.move('MiniportShutdownEx');
    yield* this.callShutdown(adapter, 'PowerOff');
    this.activity(adapter, 'MiniportShutdownEx');
  }

  /**
   * The system crashes: MiniportShutdownEx of every adapter that registered for it, at HIGH_LEVEL, and then nothing runs any
   * more. Other processors are frozen. One that is just being halted gets the call inside MiniportHaltEx; one that is still
   * initializing gets none (assumed). Page: nc-ndis-miniport_shutdown.
   * @throws SystemDown when all have returned
   */
  *bugCheck(): Coroutine<never> {
    const { scheduler, trace } = this.ndis.kernel;
    for (const other of scheduler.processors) {
      if (other !== scheduler.processor) scheduler.occupy(other, Number.MAX_SAFE_INTEGER as VirtualTime, HIGH_LEVEL);
    }
    for (const adapter of this.ndis.adapters) {
      this.ndis.resets.stop(adapter);
      const called =
        adapter.valid && callsAtBugCheck(adapter) && (adapter.halting || adapter.allows('MiniportShutdownEx'));
      const { state, halting } = adapter;
      trace.emit({ kind: 'fact', what: 'bug-check', detail: { adapter: hex(adapter.handle), state, halting, called } });
      if (!called) continue;
      if (!halting) adapter.move('MiniportShutdownEx');
      yield* this.callShutdown(adapter, 'BugCheck');
      // Inside MiniportHaltEx it may do nothing, so nobody asks what the NIC does afterwards.
      if (!halting) this.activity(adapter, 'MiniportShutdownEx');
    }
    // NDIS' own callback is one of many; in which order they are called no page says.
    yield* this.ndis.kernel.bugCheckCallbacks.run();
    throw new SystemDown('The system bugchecked, as the scenario has it, and MiniportShutdownEx was called.');
  }

  private callShutdown(adapter: Adapter, action: keyof typeof ShutdownAction): Coroutine<unknown> {
    return this.watched(
      this.invoker.invoke(
        MiniportShutdownEx,
        adapter.routine('ShutdownHandlerEx') as Address,
        { MiniportAdapterContext: adapter.context, ShutdownAction: ShutdownAction[action] },
        adapter.handle,
      ),
    );
  }

  /** What the device still does after a routine, for the rules; without what it did before. */
  private activity(adapter: Adapter, after: string, before: readonly string[] = []): void {
    this.ndis.kernel.trace.emit({
      kind: 'fact',
      what: 'device-activity',
      detail: {
        adapter: hex(adapter.handle),
        present: adapter.device?.present ?? false,
        activity: (adapter.device?.activity() ?? []).filter((what) => !before.includes(what)),
        after,
      },
    });
  }

  /** The device has gone: page network/processing-the-surprise-removal-of-a-nic--windows-7-and-later-versions-, step 5. */
  *surpriseRemoved(adapter: Adapter): Coroutine<void> {
    const { trace } = this.ndis.kernel;
    yield* this.pnpEvent(adapter, 'SurpriseRemoved');
    const detail = { adapter: hex(adapter.handle), state: adapter.state };
    trace.emit({ kind: 'fact', what: 'surprise-removal-told', detail });
  }

  /** Tells the driver about its device: the numbers are NDIS_DEVICE_PNP_EVENT (ndis.h). */
  *pnpEvent(adapter: Adapter, event: 'SurpriseRemoved' | 'PowerProfileChanged'): Coroutine<void> {
    const { heap, memory } = this.ndis.kernel;
    const profile = event === 'PowerProfileChanged' ? heap.allocate(4, 'NDIS_POWER_PROFILE', { fill: 0 }) : NULL;
    if (profile !== NULL) memory.writeU32(profile, NdisPowerProfileAcOnLine);
    const parameters = heap.allocate(NET_DEVICE_PNP_EVENT.size, 'NET_DEVICE_PNP_EVENT', { fill: 0 });
    NET_DEVICE_PNP_EVENT.write(memory, parameters, {
      Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: NET_DEVICE_PNP_EVENT.size },
      DevicePnPEvent: PNP_EVENT[event],
      InformationBuffer: profile,
      InformationBufferLength: profile === NULL ? 0 : 4,
    });
    yield* this.watched(
      this.invoker.invoke(
        MiniportDevicePnPEventNotify,
        adapter.routine('DevicePnPEventNotifyHandler') as Address,
        { MiniportAdapterContext: adapter.context, NetDevicePnPEvent: parameters },
        adapter.handle,
      ),
    );
    heap.free(parameters);
    if (profile !== NULL) heap.free(profile);
  }

  *unload(driver: MiniportDriver): Coroutine<void> {
    yield* this.watched(
      this.invoker.invoke(MiniportDriverUnload, driver.handlers.UnloadHandler as Address, {
        DriverObject: driver.driverObject,
      }),
    );
  }

  private get invoker() {
    return this.ndis.kernel.invoker;
  }

  /** Runs a routine that may answer NDIS_STATUS_PENDING, and waits for its completion. */
  private *complete(
    operation: PendingOperation,
    call: Coroutine<number>,
    completion: keyof typeof unexpected,
  ): Coroutine<number> {
    const returned = yield* this.watched(call);
    if (returned !== NDIS_STATUS_PENDING) {
      if (operation.status !== undefined) tellBoth(this.ndis, operation, unexpected[completion], returned);
      done(operation);
      return returned;
    }
    operation.pended = true;
    const ended = yield {
      kind: 'wait',
      what: completion,
      ready: () => operation.status !== undefined,
      follows: 'system',
      deadline: (this.ndis.kernel.clock.now + WATCHDOG) as VirtualTime,
    };
    if (ended === 'timeout') throw new Hang(`the driver never calls ${completion}`);
    return operation.status ?? NDIS_STATUS_FAILURE;
  }

  /** Lets a routine run within the watchdog's time and an instruction budget. Several may be watched at once. */
  *watched<T>(call: Coroutine<T>): Coroutine<T> {
    const { scheduler, clock } = this.ndis.kernel;
    if (this.watches.size === 0) this.watches.add({ ...scheduler.limits });
    const watch = {
      time: (clock.now + WATCHDOG) as VirtualTime,
      instructions: scheduler.instructions + INSTRUCTION_BUDGET,
    };
    this.watches.add(watch);
    this.setLimits();
    const result = yield* call;
    this.watches.delete(watch);
    this.setLimits();
    return result;
  }

  /** The strictest of what is watched holds; the first are the limits of the run itself. */
  private setLimits(): void {
    const all = [...this.watches];
    const { limits } = this.ndis.kernel.scheduler;
    limits.time = Math.min(...all.map(({ time }) => time)) as VirtualTime;
    limits.instructions = Math.min(...all.map(({ instructions }) => instructions));
    if (all.length === 1) this.watches.clear();
  }
}

const PNP_EVENT = { SurpriseRemoved: 2, PowerProfileChanged: 5 } as const;
/** NDIS_POWER_PROFILE. */
const NdisPowerProfileAcOnLine = 1;

/** Since NDIS 6.30 only with the flag: page nc-ndis-miniport_shutdown. */
export const callsAtBugCheck = (adapter: Adapter) =>
  adapter.driver.minorVersion < 30 || adapter.has(Attributes.REGISTER_BUGCHECK_CALLBACK);

const f = functionsOf<Ndis>();

/** A completion nobody waits for: a fact for the rules. */
function finish(ndis: Ndis, operation: PendingOperation | undefined, what: string, status: number): undefined {
  if (operation === undefined || operation.status !== undefined) {
    ndis.kernel.trace.emit({ kind: 'fact', what, detail: {}, stack: ndis.kernel.stack() });
  } else {
    operation.status = status;
    operation.completedAt = ndis.kernel.stack();
    done(operation);
  }
  return undefined;
}

/** The fact that a completion nobody waits for is told as. */
const unexpected = {
  NdisMPauseComplete: 'pause-complete-unexpected',
  NdisMRestartComplete: 'restart-complete-unexpected',
} as const;

/** The routine called its completion and then gave a final status itself, which ends the operation a second time. */
export function tellBoth(ndis: Ndis, { completedAt }: PendingOperation, what: string, returned: number): void {
  const stack = completedAt === undefined ? {} : { stack: completedAt };
  ndis.kernel.trace.emit({ kind: 'fact', what, detail: { returned: hex(returned) }, ...stack });
}

function done(operation: PendingOperation): void {
  operation.onDone?.();
  operation.onDone = undefined;
}

export const lifecycleFunctions = {
  NdisMPauseComplete: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismpausecomplete',
    params: { MiniportAdapterHandle: HANDLE },
    returns: 'void',
    irql: D,
    body(ndis, { MiniportAdapterHandle }) {
      return finish(
        ndis,
        ndis.adapterOf(MiniportAdapterHandle)?.pause,
        unexpected.NdisMPauseComplete,
        NDIS_STATUS_SUCCESS,
      );
    },
  }),
  NdisMRestartComplete: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismrestartcomplete',
    params: { MiniportAdapterHandle: HANDLE, Status: ULONG },
    returns: 'void',
    irql: D,
    body(ndis, { MiniportAdapterHandle, Status }) {
      return finish(ndis, ndis.adapterOf(MiniportAdapterHandle)?.restart, unexpected.NdisMRestartComplete, Status);
    },
  }),
};
