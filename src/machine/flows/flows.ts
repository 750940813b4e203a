/** The courses of events NDIS and the plug and play manager play, each a coroutine of the PnP manager's thread: docs/machine.md. */
import type { Coroutine } from '../../kernel/scheduler.ts';
import { Unsupported } from '../../kernel/stops.ts';
import { DriverEntry } from '../../ndis/callbacks.ts';
import type { MiniportDriver } from '../../ndis/driver.ts';
import { NDIS_STATUS_SUCCESS } from '../../ndis/status.ts';
import type { Flow } from '../scenario.ts';
import { initRetry, powerHalt, stopStart } from './again.ts';
import { burst } from './burst.ts';
import { initHalt, normalRemove, promptHalt, surpriseRemoval } from './removal.ts';
import { hangChecks, hangWhenGone, reset, resetWhilePausing } from './reset.ts';
import { shutdown } from './shutdown.ts';
import { powerFails, powerOid, selectiveSuspend } from './sleep.ts';
import type { Play, Stage } from './stage.ts';
import { breathe, mark } from './steps.ts';
import { firstGoes, secondGoes } from './two-adapters.ts';

const flows: Readonly<Record<Flow, Play>> = {
  'normal-remove': normalRemove,
  'prompt-halt': promptHalt,
  'init-halt': initHalt,
  'init-retry': initRetry,
  'surprise-removal': surpriseRemoval,
  'stop-start': stopStart,
  'power-halt': powerHalt,
  'power-oid': powerOid,
  'power-fails': powerFails,
  'selective-suspend': selectiveSuspend,
  reset,
  'reset-while-pausing': resetWhilePausing,
  'hang-checks': hangChecks,
  'hang-when-gone': hangWhenGone,
  burst,
  shutdown,
  'first-of-two': firstGoes,
  'second-of-two': secondGoes,
};

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
  const adapter = stage.addAdapter(driver);
  if ((yield* ndis.lifecycle.addDevice(adapter)) === NDIS_STATUS_SUCCESS) {
    yield* flows[stage.scenario.flow](stage, adapter);
    if (adapter.state === 'Shutdown') return;
    yield* ndis.lifecycle.removeDevice(adapter);
  }
  yield* unload(stage, driver);
}

function* unload(stage: Stage, driver: MiniportDriver): Coroutine<void> {
  yield* stage.ndis.lifecycle.unload(driver);
  yield* returning(stage);
  stage.unloaded();
  mark(stage, 'unloaded', {});
  yield* breathe(stage);
}

/**
 * DPCs, work items and calls of NDIS that are in the driver's code get out of it before the image goes: the I/O manager holds a
 * reference for a work item's routine (page: wdm-ioqueueworkitem), DPCs are flushed, and NDIS waits for the MiniportXxx routines
 * it has called (both assumed). Threads of the driver get no such help.
 */
function* returning({ kernel }: Stage): Coroutine<void> {
  const inside = kernel.scheduler
    .alive()
    .filter(
      ({ kind, callbacks }) =>
        callbacks.length > 0 && (kind !== 'thread' || /WORKITEM|^Miniport/.test(callbacks[0]?.name ?? '')),
    );
  const ready = () => inside.every(({ done }) => done);
  if (!ready()) yield { kind: 'wait', what: 'routines of the driver to return', ready };
}
