/**
 * I/O request packets: made, sent down a stack of devices, completed up again, cancelled. Completion follows wdm.h's rules for
 * Control and PendingReturned; a packet that is completed twice ends the run as Windows does.
 * Pages: wdm-iofcalldriver, wdm-iocompleterequest, wdm-io_completion_routine, wdm-iocancelirp; bug-check-0x35, bug-check-0x44.
 */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, DISPATCH_LEVEL, hex, type Irql, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { Invoker } from './invoke.ts';
import { DEVICE_OBJECT, DRIVER_OBJECT, IO_STACK_LOCATION, IoType, IRP, StackControl } from './io-structures.ts';
import type { View } from './layout.ts';
import { ANY, callback, D, POINTER } from './record.ts';
import type { Coroutine, Scheduler } from './scheduler.ts';
import type { SpinLocks } from './spin-locks.ts';
import { Status } from './status.ts';
import { BugCheck } from './stops.ts';

export type Irp = View<typeof IRP.fields>;
export type StackLocation = View<typeof IO_STACK_LOCATION.fields>;

const NO_MORE_IRP_STACK_LOCATIONS = 0x35;
const MULTIPLE_IRP_COMPLETE_REQUESTS = 0x44;

export const DRIVER_DISPATCH = callback({
  name: 'DRIVER_DISPATCH',
  page: 'wdm-driver_dispatch',
  params: { DeviceObject: POINTER, Irp: POINTER },
  returns: 'status',
  irql: D,
});
export const IO_COMPLETION_ROUTINE = callback({
  name: 'IO_COMPLETION_ROUTINE',
  page: 'wdm-io_completion_routine',
  params: { DeviceObject: POINTER, Irp: POINTER, Context: POINTER },
  returns: 'status',
  irql: D,
});
export const DRIVER_CANCEL = callback({
  name: 'DRIVER_CANCEL',
  page: 'wdm-driver_cancel',
  params: { DeviceObject: POINTER, Irp: POINTER },
  returns: 'void',
  irql: ANY,
  changesIrql: true,
});

export class Irps {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly spinLocks: SpinLocks;
  private readonly invoker: () => Invoker;
  /** The system's one cancel spin lock. */
  private readonly cancelLock: Address;
  /** Who waits for a packet to come all the way up. */
  private readonly ends = new Map<Address, () => void>();
  private readonly completed = new Set<Address>();

  constructor(parts: {
    memory: GuestMemory;
    heap: Heap;
    scheduler: Scheduler;
    trace: Recorder;
    spinLocks: SpinLocks;
    invoker: () => Invoker;
  }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.spinLocks = parts.spinLocks;
    this.invoker = parts.invoker;
    this.cancelLock = parts.heap.allocate(8, 'the cancel spin lock', { fill: 0 });
  }

  at(irp: Address): Irp {
    return IRP.at(this.memory, irp);
  }

  static size(stackCount: number): number {
    return IRP.size + stackCount * IO_STACK_LOCATION.size;
  }

  allocate(stackCount: number, stack: Stack = []): Address {
    const irp = this.heap.allocate(Irps.size(stackCount), 'IRP', { fill: 0, stack });
    this.initialize(irp, stackCount);
    return irp;
  }

  /** Makes memory a fresh packet: nothing in it, no stack location in use. */
  initialize(irp: Address, stackCount: number): void {
    const size = Irps.size(stackCount);
    this.memory.fill(irp, size, 0);
    this.completed.delete(irp);
    IRP.write(this.memory, irp, {
      Type: IoType.IRP,
      Size: size,
      StackCount: stackCount,
      CurrentLocation: stackCount + 1,
      CurrentStackLocation: at(irp, size),
    });
  }

  free(irp: Address, stack: Stack = []): void {
    this.ends.delete(irp);
    this.heap.free(irp, stack);
  }

  current(irp: Irp): StackLocation {
    return IO_STACK_LOCATION.at(this.memory, irp.CurrentStackLocation);
  }

  /** The location the next lower driver will find. */
  next(irp: Irp): StackLocation {
    return IO_STACK_LOCATION.at(this.memory, at(irp.CurrentStackLocation, -IO_STACK_LOCATION.size));
  }

  /** Tells `end` when the packet has come up through every driver. */
  whenDone(irp: Address, end: () => void): void {
    this.ends.set(irp, end);
  }

  /** IoCallDriver: the device's driver gets the packet in the current context. */
  *call(device: Address, address: Address): Coroutine<number> {
    const irp = this.at(address);
    if (irp.CurrentLocation <= 1) {
      throw new BugCheck(NO_MORE_IRP_STACK_LOCATIONS, `the IRP at ${hex(address)} has no stack location left`);
    }
    irp.CurrentLocation--;
    irp.CurrentStackLocation = at(irp.CurrentStackLocation, -IO_STACK_LOCATION.size);
    const location = this.current(irp);
    location.DeviceObject = device;
    const { DriverObject } = DEVICE_OBJECT.at(this.memory, device);
    const routine = this.memory.readPointer(
      at(DriverObject, DRIVER_OBJECT.offset('MajorFunction') + 8 * location.MajorFunction),
    );
    return yield* this.invoker().invoke(DRIVER_DISPATCH, routine, { DeviceObject: device, Irp: address });
  }

  /** IoCompleteRequest: completion routines run from the bottom up until one of them keeps the packet. */
  *complete(address: Address): Coroutine<void> {
    const irp = this.at(address);
    if (irp.Type !== IoType.IRP || irp.CurrentLocation > irp.StackCount + 1 || this.completed.has(address)) {
      this.trace.emit({ kind: 'fact', what: 'irp-completed-twice', detail: { irp: hex(address) } });
      throw new BugCheck(MULTIPLE_IRP_COMPLETE_REQUESTS, `the IRP at ${hex(address)} is completed again`);
    }
    while (irp.CurrentLocation <= irp.StackCount) {
      const location = this.current(irp);
      irp.PendingReturned = (location.Control & StackControl.PENDING_RETURNED) !== 0;
      irp.CurrentLocation++;
      irp.CurrentStackLocation = at(irp.CurrentStackLocation, IO_STACK_LOCATION.size);
      const atTop = irp.CurrentLocation > irp.StackCount;
      const { Control, CompletionRoutine, Context } = location;
      if (invokes(Control, irp)) {
        const DeviceObject = atTop ? NULL : this.current(irp).DeviceObject;
        const args = { DeviceObject, Irp: address, Context };
        const status = yield* this.invoker().invoke(IO_COMPLETION_ROUTINE, CompletionRoutine, args);
        if (status === Status.MORE_PROCESSING_REQUIRED) return;
      } else if (irp.PendingReturned && !atTop) {
        this.current(irp).Control |= StackControl.PENDING_RETURNED;
      }
    }
    this.completed.add(address);
    const end = this.ends.get(address);
    this.ends.delete(address);
    end?.();
  }

  /** IoCancelIrp. True when the packet had a cancel routine, which has been called. */
  *cancel(address: Address): Coroutine<boolean> {
    const old = yield* this.takeCancelLock();
    const irp = this.at(address);
    irp.Cancel = true;
    const routine = irp.CancelRoutine;
    if (routine === NULL) {
      this.releaseCancelLock(old);
      return false;
    }
    irp.CancelRoutine = NULL;
    irp.CancelIrql = old;
    const { DeviceObject } = this.current(irp);
    yield* this.invoker().invoke(DRIVER_CANCEL, routine, { DeviceObject, Irp: address });
    return true;
  }

  *takeCancelLock(): Coroutine<Irql> {
    const old = this.scheduler.setIrql(DISPATCH_LEVEL);
    yield* this.spinLocks.take(this.cancelLock);
    return old;
  }

  releaseCancelLock(irql: Irql): void {
    this.spinLocks.release(this.cancelLock);
    this.scheduler.setIrql(irql);
  }
}

function invokes(control: number, irp: Irp): boolean {
  const success = irp.IoStatus.Status < 0x8000_0000;
  return (
    (success && (control & StackControl.INVOKE_ON_SUCCESS) !== 0) ||
    (!success && (control & StackControl.INVOKE_ON_ERROR) !== 0) ||
    (irp.Cancel && (control & StackControl.INVOKE_ON_CANCEL) !== 0)
  );
}
