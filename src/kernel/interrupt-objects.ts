/**
 * Interrupts connected through the kernel rather than NDIS: a line by its vector or by its device, the driver's ISR at its level
 * with its spin lock, and disconnecting, which waits for an ISR that runs. Connecting messages this way is not modelled.
 * Pages: wdm-ioconnectinterrupt, iointex-wdmlibioconnectinterruptex, wdm-kesynchronizeexecution, wdm-keacquireinterruptspinlock.
 */
import { type Address, at, DEVICE_LEVEL, hex, type Irql, NULL } from '../trace/units.ts';
import type { Hardware, InterruptSource } from './hardware.ts';
import type { Heap } from './heap.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { bool8, pointer, struct, u8, u16, u32 } from './layout.ts';
import {
  BOOLEAN,
  CODE,
  callback,
  failsWith,
  functionsOf,
  IN,
  OUT,
  P,
  POINTER,
  UCHAR,
  ULONG,
  UP_TO_DIRQL,
} from './record.ts';
import type { Coroutine, Scheduler } from './scheduler.ts';
import type { SpinLocks } from './spin-locks.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { GROUP_AFFINITY } from './structures.ts';

export const KSERVICE_ROUTINE = callback({
  name: 'InterruptService',
  page: 'nc-wdm-kservice_routine',
  params: { Interrupt: POINTER, ServiceContext: POINTER },
  returns: 'bool',
  irql: UP_TO_DIRQL,
});
export const SYNCHRONIZE_ROUTINE = callback({
  name: 'SynchCritSection',
  page: 'wdm-ksynchronize_routine',
  params: { SynchronizeContext: POINTER },
  returns: 'bool',
  irql: UP_TO_DIRQL,
});

/** The line-based parameters are the first seven members behind Version. */
export const IO_CONNECT_INTERRUPT_PARAMETERS = struct('IO_CONNECT_INTERRUPT_PARAMETERS', {
  Version: u32,
  PhysicalDeviceObject: pointer,
  InterruptObject: pointer,
  ServiceRoutine: pointer,
  ServiceContext: pointer,
  SpinLock: pointer,
  SynchronizeIrql: u8,
  FloatingSave: bool8,
  ShareVector: bool8,
  Vector: u32,
  Irql: u8,
  InterruptMode: u32,
  ProcessorEnableMask: pointer,
  Group: u16,
});
/** IO_DISCONNECT_INTERRUPT_PARAMETERS and IO_REPORT_INTERRUPT_ACTIVE_STATE_PARAMETERS are alike. */
export const IO_DISCONNECT_INTERRUPT_PARAMETERS = struct('IO_DISCONNECT_INTERRUPT_PARAMETERS', {
  Version: u32,
  ConnectionContext: pointer,
});
const Version = { FullySpecified: 1, LineBased: 2, FullySpecifiedGroup: 4 } as const;

/** A KINTERRUPT is opaque; its own spin lock lies inside. */
const KINTERRUPT = { size: 256, lock: 8, what: 'KINTERRUPT' } as const;

interface Connection {
  readonly irql: Irql;
  readonly lock: Address;
  readonly source?: InterruptSource;
  readonly serve?: () => Coroutine<boolean>;
}

export class InterruptObjects {
  private readonly heap: Heap;
  private readonly hardware: Hardware;
  private readonly scheduler: Scheduler;
  private readonly spinLocks: SpinLocks;
  private readonly invoker: () => Invoker;
  private readonly known = new Map<Address, Connection>();
  /** The line of a device, by its physical device object. */
  private readonly lines = new Map<Address, () => InterruptSource | undefined>();

  constructor(parts: {
    heap: Heap;
    hardware: Hardware;
    scheduler: Scheduler;
    spinLocks: SpinLocks;
    invoker: () => Invoker;
  }) {
    this.heap = parts.heap;
    this.hardware = parts.hardware;
    this.scheduler = parts.scheduler;
    this.spinLocks = parts.spinLocks;
    this.invoker = parts.invoker;
  }

  /** Whoever makes a physical device object says which line its device has. */
  describe(device: Address, line: () => InterruptSource | undefined): void {
    this.lines.set(device, line);
  }

  lineOf(device: Address): InterruptSource | undefined {
    return this.lines.get(device)?.();
  }

  add(interrupt: Address, irql: Irql, lock: Address): void {
    this.known.set(interrupt, { irql, lock });
  }

  has(interrupt: Address): boolean {
    return this.known.has(interrupt);
  }

  /** Any KINTERRUPT, NDIS' own too. */
  isObject(address: Address): boolean {
    const block = this.heap.blockAt(address);
    return block?.address === address && block.what === KINTERRUPT.what && block.state === 'live';
  }

  /** Connects the ISR; undefined where the source is taken. `given` hears of the object before an interrupt can come. */
  connect(
    source: InterruptSource,
    isr: { readonly routine: Address; readonly context: Address; readonly lock: Address; readonly irql: Irql },
    given: (interrupt: Address) => void,
  ): boolean {
    if (source.connected !== undefined) return false;
    const interrupt = this.heap.allocate(KINTERRUPT.size, KINTERRUPT.what, { fill: 0 });
    const lock = isr.lock === NULL ? at(interrupt, KINTERRUPT.lock) : isr.lock;
    const serve = () =>
      this.synchronize(interrupt, () =>
        this.invoker().invoke(KSERVICE_ROUTINE, isr.routine, { Interrupt: interrupt, ServiceContext: isr.context }),
      );
    this.known.set(interrupt, { irql: isr.irql, lock, source, serve });
    given(interrupt);
    this.setActive(interrupt, true);
    return true;
  }

  /** An inactive ISR is not called; what comes meanwhile is not kept for a line that is let go again. */
  setActive(interrupt: Address, active: boolean): void {
    const { irql, source, serve } = this.known.get(interrupt) ?? {};
    if (source === undefined || serve === undefined || irql === undefined) return;
    if (active) this.hardware.connect(source, { irql, name: 'interrupt', serve });
    else this.hardware.disconnect(source);
  }

  *disconnect(interrupt: Address): Coroutine<void> {
    const { source } = this.known.get(interrupt) ?? {};
    if (source === undefined) return;
    this.hardware.disconnect(source);
    const ready = () => !this.hardware.isServing(source);
    if (!ready()) yield { kind: 'wait', what: 'the ISR to end', ready, spins: true };
    this.scheduler.ordering.observe(source);
    this.known.delete(interrupt);
    this.heap.free(interrupt);
  }

  /** Runs the body as the ISR runs: at its level, with its lock. */
  *synchronize<T>(interrupt: Address, body: () => Coroutine<T>): Coroutine<T> {
    const old = yield* this.lock(interrupt);
    const result = yield* body();
    this.unlock(interrupt, old);
    return result;
  }

  *lock(interrupt: Address): Coroutine<Irql> {
    const { irql, lock } = this.known.get(interrupt) as Connection;
    const old = this.scheduler.irql;
    if (irql > old) this.scheduler.setIrql(irql);
    yield* this.spinLocks.take(lock);
    return old;
  }

  unlock(interrupt: Address, old: Irql): void {
    this.spinLocks.release((this.known.get(interrupt) as Connection).lock);
    this.scheduler.setIrql(old);
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;
const failures = [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)];

/** The interrupt object a call names; one that is not connected is nothing haltex can answer for. */
function connected(kernel: Kernel, fn: string, interrupt: Address): Address {
  if (kernel.interruptObjects.has(interrupt)) return interrupt;
  throw new Unsupported(fn, `no connected interrupt at ${hex(interrupt)}`, kernel.stack());
}

const disconnecting = {
  types: ['wdm-interrupt'],
  otherwise: () => undefined,
} as const;

const reporting = (page: string, active: boolean) =>
  f({
    ...common,
    page,
    params: { Parameters: IN(IO_DISCONNECT_INTERRUPT_PARAMETERS) },
    returns: 'void',
    irql: UP_TO_DIRQL,
    body(kernel, { Parameters }, { fn }) {
      kernel.interruptObjects.setActive(connected(kernel, fn, Parameters.ConnectionContext), active);
      return undefined;
    },
  });

export const interruptObjectFunctions = {
  IoConnectInterrupt: f({
    ...common,
    page: 'wdm-ioconnectinterrupt',
    params: {
      InterruptObject: OUT(pointer),
      ServiceRoutine: CODE,
      ServiceContext: POINTER,
      SpinLock: POINTER,
      Vector: ULONG,
      Irql: UCHAR,
      SynchronizeIrql: UCHAR,
      InterruptMode: ULONG,
      ShareVector: BOOLEAN,
      ProcessorEnableMask: POINTER,
      FloatingSave: BOOLEAN,
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'wdm-interrupt', key: ({ InterruptObject }) => InterruptObject.get() },
    failures,
    body({ interruptObjects, hardware }, args) {
      const source = hardware.interrupts.find(({ vector }) => vector === args.Vector);
      if (source === undefined || args.SynchronizeIrql < args.Irql) return Status.INVALID_PARAMETER;
      const isr = {
        routine: args.ServiceRoutine,
        context: args.ServiceContext,
        lock: args.SpinLock,
        irql: args.SynchronizeIrql as Irql,
      };
      const done = interruptObjects.connect(source, isr, (interrupt) => args.InterruptObject.set(interrupt));
      return done ? Status.SUCCESS : Status.INVALID_PARAMETER;
    },
  }),
  IoConnectInterruptEx: f({
    ...common,
    page: 'iointex-wdmlibioconnectinterruptex',
    params: { Parameters: IN(IO_CONNECT_INTERRUPT_PARAMETERS) },
    returns: 'status',
    irql: P,
    failures,
    body(kernel, { Parameters: parameters }, { fn }) {
      const { interruptObjects, hardware, memory, resources } = kernel;
      const line = parameters.Version === Version.LineBased;
      if (
        !line &&
        parameters.Version !== Version.FullySpecified &&
        parameters.Version !== Version.FullySpecifiedGroup
      ) {
        throw new Unsupported(fn, `an interrupt connection of version ${parameters.Version}`, kernel.stack());
      }
      const source = line
        ? interruptObjects.lineOf(parameters.PhysicalDeviceObject)
        : hardware.interrupts.find(({ vector }) => vector === parameters.Vector);
      if (source === undefined) return Status.INVALID_PARAMETER;
      const irql = Math.max(parameters.SynchronizeIrql, line ? DEVICE_LEVEL : parameters.Irql) as Irql;
      const isr = {
        routine: parameters.ServiceRoutine,
        context: parameters.ServiceContext,
        lock: parameters.SpinLock,
        irql,
      };
      const done = interruptObjects.connect(source, isr, (interrupt) => {
        memory.writePointer(parameters.InterruptObject, interrupt);
        resources.acquire('wdm-interrupt', interrupt, { fn, stack: kernel.stack() });
      });
      return done ? Status.SUCCESS : Status.INVALID_PARAMETER;
    },
  }),
  IoDisconnectInterrupt: f({
    ...common,
    page: 'wdm-iodisconnectinterrupt',
    params: { InterruptObject: POINTER },
    returns: 'void',
    irql: P,
    undoes: { ...disconnecting, key: ({ InterruptObject }) => InterruptObject },
    *body({ interruptObjects }, { InterruptObject }) {
      yield* interruptObjects.disconnect(InterruptObject);
      return undefined;
    },
  }),
  IoDisconnectInterruptEx: f({
    ...common,
    page: 'iointex-wdmlibiodisconnectinterruptex',
    params: { Parameters: IN(IO_DISCONNECT_INTERRUPT_PARAMETERS) },
    returns: 'void',
    irql: P,
    undoes: { ...disconnecting, key: ({ Parameters }) => Parameters.ConnectionContext },
    *body({ interruptObjects }, { Parameters }) {
      yield* interruptObjects.disconnect(Parameters.ConnectionContext);
      return undefined;
    },
  }),
  IoReportInterruptActive: reporting('wdm-ioreportinterruptactive', true),
  IoReportInterruptInactive: reporting('wdm-ioreportinterruptinactive', false),
  IoGetAffinityInterrupt: f({
    ...common,
    page: 'iointex-wdmlibiogetaffinityinterrupt',
    params: { InterruptObject: POINTER, GroupAffinity: OUT(GROUP_AFFINITY) },
    returns: 'status',
    irql: UP_TO_DIRQL,
    /** Also of the objects in NDIS' table of messages (observed in drivers). Interrupts go to the one processor `hardware` says. */
    body(kernel, { InterruptObject, GroupAffinity }) {
      const { interruptObjects, hardware, memory } = kernel;
      if (!interruptObjects.isObject(InterruptObject)) return Status.INVALID_PARAMETER;
      memory.fill(GroupAffinity.address, GROUP_AFFINITY.size, 0);
      memory.writeU64(GroupAffinity.address, 1n << BigInt(hardware.interruptProcessor));
      return Status.SUCCESS;
    },
  }),
  KeSynchronizeExecution: f({
    ...common,
    page: 'wdm-kesynchronizeexecution',
    params: { Interrupt: POINTER, SynchronizeRoutine: CODE, SynchronizeContext: POINTER },
    returns: 'bool',
    irql: UP_TO_DIRQL,
    *body(kernel, { Interrupt, SynchronizeRoutine, SynchronizeContext }, { fn }) {
      return yield* kernel.interruptObjects.synchronize(connected(kernel, fn, Interrupt), () =>
        kernel.invoker.invoke(SYNCHRONIZE_ROUTINE, SynchronizeRoutine, { SynchronizeContext }),
      );
    },
  }),
  KeAcquireInterruptSpinLock: f({
    ...common,
    page: 'wdm-keacquireinterruptspinlock',
    params: { Interrupt: POINTER },
    returns: 'u8',
    irql: UP_TO_DIRQL,
    *body(kernel, { Interrupt }, { fn }) {
      return yield* kernel.interruptObjects.lock(connected(kernel, fn, Interrupt));
    },
  }),
  KeReleaseInterruptSpinLock: f({
    ...common,
    page: 'wdm-kereleaseinterruptspinlock',
    params: { Interrupt: POINTER, OldIrql: UCHAR },
    returns: 'void',
    irql: UP_TO_DIRQL,
    body(kernel, { Interrupt, OldIrql }, { fn }) {
      kernel.interruptObjects.unlock(connected(kernel, fn, Interrupt), OldIrql as Irql);
      return undefined;
    },
  }),
};
