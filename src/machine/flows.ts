/** The courses of events NDIS and the plug and play manager play, each a coroutine of the PnP manager's thread. */
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { Unsupported } from '../kernel/stops.ts';
import type { Adapter } from '../ndis/adapter.ts';
import { DriverEntry } from '../ndis/callbacks.ts';
import type { MiniportDriver } from '../ndis/driver.ts';
import type { Ndis } from '../ndis/ndis.ts';
import type { OidRequest } from '../ndis/oids.ts';
import { NDIS_STATUS_SUCCESS } from '../ndis/status.ts';
import { type Address, MILLISECOND, type VirtualTime } from '../trace/units.ts';
import type { Flow, Scenario } from './scenario.ts';
import { asked, closingOids, frame, openingOids, outgoing, runningOids } from './traffic.ts';

/** What a flow plays on. */
export interface Stage {
  readonly kernel: Kernel;
  readonly ndis: Ndis;
  readonly device: PciDevice | undefined;
  readonly scenario: Scenario;
  /** DriverEntry's address and arguments. */
  readonly entry: Address;
  readonly driverObject: Address;
  readonly registryPath: Address;
  /** The adapter's key in the registry. */
  readonly adapterKey: string;
  /** DriverEntry has returned: its discardable sections go. */
  readonly entryReturned: () => void;
  /** MiniportDriverUnload has returned: the image goes. */
  readonly unloaded: () => void;
}

/** How long the adapter is left alone between steps, so that timers, interrupts and work items have their turn. */
const BREATH = 50 * MILLISECOND;

export function* play(stage: Stage): Coroutine<void> {
  const { kernel, ndis } = stage;
  const status = yield* ndis.lifecycle.watched(
    kernel.invoker.invoke(DriverEntry, stage.entry, {
      DriverObject: stage.driverObject,
      RegistryPath: stage.registryPath,
    }),
  );
  stage.entryReturned();
  if (status !== NDIS_STATUS_SUCCESS) {
    mark(stage, 'driver-entry-failed', { status });
    return;
  }
  const driver = ndis.drivers[0];
  if (driver === undefined) {
    throw new Unsupported(
      'a driver that is not a miniport',
      'DriverEntry succeeds without registering a miniport driver',
    );
  }
  const adapter = ndis.addAdapter(driver, stage.device, stage.adapterKey);
  if ((yield* ndis.lifecycle.addDevice(adapter)) === NDIS_STATUS_SUCCESS) {
    if ((yield* ndis.lifecycle.initialize(adapter)) === NDIS_STATUS_SUCCESS) {
      mark(stage, 'initialized', {});
      yield* flows[stage.scenario.flow](stage, adapter);
    }
    if (adapter.state === 'Shutdown') return;
    yield* ndis.lifecycle.removeDevice(adapter);
  }
  yield* unload(stage, driver);
}

function* unload(stage: Stage, driver: MiniportDriver): Coroutine<void> {
  yield* stage.ndis.lifecycle.unload(driver);
  stage.unloaded();
  mark(stage, 'unloaded', {});
  yield* breathe(stage);
}

const flows: Readonly<Record<Flow, (stage: Stage, adapter: Adapter) => Coroutine<void>>> = {
  *'normal-remove'(stage, adapter) {
    yield* oids(stage, adapter, openingOids);
    yield* frameWhilePaused(stage);
    if ((yield* stage.ndis.lifecycle.restart(adapter)) === NDIS_STATUS_SUCCESS) {
      yield* traffic(stage, adapter);
      yield* oids(stage, adapter, closingOids);
      sendWhilePausing(stage, adapter);
      stage.device?.receive(frame(10, 300));
      yield* stage.ndis.lifecycle.pause(adapter);
      yield* frameWhilePaused(stage);
    }
    yield* interruptBeforeHalt(stage);
    yield* stage.ndis.lifecycle.halt(adapter, stage.scenario.haltAction);
  },

  *'init-halt'(stage, adapter) {
    yield* stage.ndis.lifecycle.halt(adapter, 'DeviceInitializationFailed');
  },

  *'surprise-removal'(stage, adapter) {
    yield* oids(stage, adapter, openingOids);
    const running = (yield* stage.ndis.lifecycle.restart(adapter)) === NDIS_STATUS_SUCCESS;
    if (running) yield* traffic(stage, adapter);
    stage.device?.remove();
    yield* stage.ndis.lifecycle.pnpEvent(adapter, 'SurpriseRemoved');
    if (running) yield* stage.ndis.lifecycle.pause(adapter);
    yield* stage.ndis.lifecycle.halt(adapter, 'DeviceSurpriseRemoved');
  },

  *shutdown(stage, adapter) {
    yield* oids(stage, adapter, openingOids);
    if ((yield* stage.ndis.lifecycle.restart(adapter)) === NDIS_STATUS_SUCCESS) yield* traffic(stage, adapter);
    yield* stage.ndis.lifecycle.shutdown(adapter, 'PowerOff');
  },
};

function* oids(stage: Stage, adapter: Adapter, requests: readonly OidRequest[]): Coroutine<void> {
  const medium = adapter.generalAttributes?.mediaType;
  for (const request of asked(medium, requests)) yield* stage.ndis.oids.request(adapter, request);
}

/** Some frames each way, with time for them to travel. */
function* traffic(stage: Stage, adapter: Adapter): Coroutine<void> {
  const medium = adapter.generalAttributes?.mediaType;
  yield* oids(stage, adapter, runningOids);
  yield* stage.ndis.dataPath.send(adapter, [outgoing(medium, 1, 60), outgoing(medium, 2, 1514)]);
  yield* breathe(stage);
  for (let number = 3; number <= 6; number++) stage.device?.receive(frame(number, 60 + 100 * number));
  yield* breathe(stage);
  yield* stage.ndis.dataPath.send(adapter, [outgoing(medium, 7, 590)]);
  yield* breathe(stage);
  yield* cableOutAndIn(stage);
}

/** Long enough for a driver that lets the link settle before it believes it. */
function* cableOutAndIn({ device, ...stage }: Stage): Coroutine<void> {
  if (device === undefined) return;
  device.cable(false);
  yield* breathe({ device, ...stage }, 2 * BREATH);
  device.cable(true);
  yield* breathe({ device, ...stage }, 2 * BREATH);
}

/** The wire does not know that the adapter is paused. */
function* frameWhilePaused(stage: Stage): Coroutine<void> {
  if (stage.device === undefined) return;
  stage.device.receive(frame(8, 200));
  yield* breathe(stage);
}

/**
 * A protocol whose send crosses the pause: it meets the adapter Pausing, if the pause takes any time. Not before MiniportPause
 * has returned: a send that comes while the routine still runs may be taken for an earlier one.
 */
function sendWhilePausing({ kernel, ndis }: Stage, adapter: Adapter): void {
  kernel.scheduler.startThread(
    'protocol',
    (function* (): Coroutine<void> {
      yield {
        kind: 'wait',
        what: 'the pause to begin',
        ready: () => adapter.pause?.pended === true,
      };
      yield* ndis.dataPath.send(adapter, [outgoing(adapter.generalAttributes?.mediaType, 9, 100)], {
        whilePausing: true,
      });
    })(),
  );
}

/** The hardware has something to say just before the end: what the driver starts for it is under way when it halts. */
function* interruptBeforeHalt(stage: Stage): Coroutine<void> {
  if (stage.device === undefined) return;
  stage.device.provoke();
  yield* breathe(stage, MILLISECOND);
}

function* breathe(stage: Stage, time: number = BREATH): Coroutine<void> {
  const until = (stage.kernel.clock.now + time) as VirtualTime;
  yield { kind: 'wait', what: 'time to pass', ready: () => stage.kernel.clock.now >= until, deadline: until };
}

function mark(stage: Stage, what: string, detail: Readonly<Record<string, number>>): void {
  stage.kernel.trace.emit({ kind: 'fact', what, detail });
}
