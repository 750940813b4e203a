/** The functions by which drivers make, send, complete and cancel IRPs. Pages: wdm-ioallocateirp and its neighbours. */
import { type Address, type Irql, NULL } from '../trace/units.ts';
import { DeviceFlag, IO_STACK_LOCATION, IO_STATUS_BLOCK, Major, StackControl } from './io-structures.ts';
import { Irps } from './irps.ts';
import type { Kernel } from './kernel.ts';
import { u8 } from './layout.ts';
import { moveMemory } from './memory-routines.ts';
import {
  BOOLEAN,
  CODE,
  D,
  EXACTLY_D,
  failsNull,
  functionsOf,
  OUT,
  P,
  POINTER,
  UCHAR,
  ULONG,
  USHORT,
} from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: D } as const;

const calling = (page: string) =>
  f({
    ...common,
    page,
    params: { DeviceObject: POINTER, Irp: POINTER },
    returns: 'status',
    *body({ irps }, { DeviceObject, Irp }) {
      return yield* irps.call(DeviceObject, Irp);
    },
  });
const completing = (page: string) =>
  f({
    ...common,
    page,
    params: { Irp: POINTER, PriorityBoost: UCHAR },
    returns: 'void',
    *body({ irps }, { Irp }) {
      yield* irps.complete(Irp);
      return undefined;
    },
  });

const acquires = { type: 'irp', key: (_: unknown, result: Address) => result };

/** Where an IRP that a driver builds for a device keeps what the I/O manager copies back at its end. */
interface Built {
  readonly device: Address;
  readonly major: number;
  readonly buffer: Address;
  readonly length: number;
  readonly offset: bigint;
  readonly iosb: Address;
}

/** A read, write or other request with its buffer as the device wants it: buffered, by MDL, or as it is. */
function build(kernel: Kernel, { device, major, buffer, length, offset, iosb }: Built): Address {
  const { irps, devices, heap, memory, mdls } = kernel;
  const target = devices.at(device);
  const address = irps.allocate(target.StackSize, kernel.stack());
  const irp = irps.at(address);
  const transfers = major === Major.READ || major === Major.WRITE;
  if (transfers && length > 0) {
    if ((target.Flags & DeviceFlag.BUFFERED_IO) !== 0) {
      irp.SystemBuffer = heap.allocate(length, 'system buffer of an IRP', { fill: 0 });
      if (major === Major.WRITE) moveMemory(memory, irp.SystemBuffer, buffer, length);
    } else if ((target.Flags & DeviceFlag.DIRECT_IO) !== 0) {
      const mdl = mdls.allocate(buffer, length, 'MDL of an IRP', kernel.stack());
      mdls.lock(mdl, major === Major.READ);
      irp.MdlAddress = mdl.address;
    }
  }
  irp.UserBuffer = buffer;
  irp.UserIosb = iosb;
  IO_STACK_LOCATION.write(memory, irps.next(irp).address, {
    MajorFunction: major,
    Parameters: transfers ? [BigInt(length), 0n, offset, 0n] : [0n, 0n, 0n, 0n],
  });
  return address;
}

/** At the end of a synchronous request the I/O manager copies back, signals the event and frees the packet. */
function finishes(kernel: Kernel, address: Address, event: Address, output: Address, limit: number): void {
  const { irps, memory, heap, dispatcher } = kernel;
  irps.whenDone(address, () => {
    const irp = irps.at(address);
    const { Status: status, Information } = irp.IoStatus;
    const copied = Math.min(Number(Information), limit);
    if (irp.SystemBuffer !== NULL) {
      if (output !== NULL && copied > 0 && status < 0xc000_0000) moveMemory(memory, output, irp.SystemBuffer, copied);
      heap.free(irp.SystemBuffer);
    }
    if (irp.UserIosb !== NULL) IO_STATUS_BLOCK.write(memory, irp.UserIosb, { Status: status, Information });
    if (event !== NULL) dispatcher.setEvent(event);
    irps.free(address);
  });
}

export const irpFunctions = {
  IofCallDriver: calling('wdm-iofcalldriver'),
  IoCallDriver: calling('wdm-iofcalldriver'),
  PoCallDriver: calling('ntifs-pocalldriver'),
  IofCompleteRequest: completing('wdm-iocompleterequest'),
  IoCompleteRequest: completing('wdm-iocompleterequest'),
  PoStartNextPowerIrp: f({
    ...common,
    page: 'ntifs-postartnextpowerirp',
    params: { Irp: POINTER },
    returns: 'void',
    /** Needed before Windows Vista only (documented). */
    body({ irps }, { Irp }) {
      irps.at(Irp).Type;
      return undefined;
    },
  }),
  IoAllocateIrp: f({
    ...common,
    page: 'wdm-ioallocateirp',
    params: { StackSize: UCHAR, ChargeQuota: BOOLEAN },
    returns: 'pointer',
    acquires,
    failures: [failsNull],
    body: (kernel, { StackSize }) => kernel.irps.allocate(StackSize, kernel.stack()),
  }),
  IoFreeIrp: f({
    ...common,
    page: 'wdm-iofreeirp',
    params: { Irp: POINTER },
    returns: 'void',
    undoes: { types: ['irp'], key: ({ Irp }) => Irp, otherwise: () => undefined },
    body(kernel, { Irp }) {
      kernel.irps.free(Irp, kernel.stack());
      return undefined;
    },
  }),
  IoInitializeIrp: f({
    ...common,
    page: 'wdm-ioinitializeirp',
    params: { Irp: POINTER, PacketSize: USHORT, StackSize: UCHAR },
    returns: 'void',
    body({ irps }, { Irp, StackSize }) {
      irps.initialize(Irp, StackSize);
      return undefined;
    },
  }),
  IoReuseIrp: f({
    ...common,
    page: 'wdm-ioreuseirp',
    params: { Irp: POINTER, Status: ULONG },
    returns: 'void',
    body({ irps }, { Irp, Status: status }) {
      irps.initialize(Irp, irps.at(Irp).StackCount);
      irps.at(Irp).IoStatus.Status = status;
      return undefined;
    },
  }),
  IoSizeOfIrp: f({
    ...common,
    page: 'wdm-iosizeofirp',
    params: { StackSize: UCHAR },
    returns: 'u16',
    body: (_, { StackSize }) => Irps.size(StackSize),
  }),
  IoBuildDeviceIoControlRequest: f({
    ...common,
    irql: P,
    page: 'wdm-iobuilddeviceiocontrolrequest',
    params: {
      IoControlCode: ULONG,
      DeviceObject: POINTER,
      InputBuffer: POINTER,
      InputBufferLength: ULONG,
      OutputBuffer: POINTER,
      OutputBufferLength: ULONG,
      InternalDeviceIoControl: BOOLEAN,
      Event: POINTER,
      IoStatusBlock: POINTER,
    },
    returns: 'pointer',
    failures: [failsNull],
    body(kernel, args, { fn }) {
      if ((args.IoControlCode & 3) !== 0)
        throw new Unsupported(fn, 'a method other than METHOD_BUFFERED', kernel.stack());
      const { memory, irps, heap } = kernel;
      const major = args.InternalDeviceIoControl ? Major.INTERNAL_DEVICE_CONTROL : Major.DEVICE_CONTROL;
      const { DeviceObject: device, IoStatusBlock: iosb } = args;
      const address = build(kernel, { device, major, buffer: NULL, length: 0, offset: 0n, iosb });
      const irp = irps.at(address);
      const size = Math.max(args.InputBufferLength, args.OutputBufferLength);
      if (size > 0) irp.SystemBuffer = heap.allocate(size, 'system buffer of an IRP', { fill: 0 });
      moveMemory(memory, irp.SystemBuffer, args.InputBuffer, args.InputBufferLength);
      irps.next(irp).Parameters = [
        BigInt(args.OutputBufferLength),
        BigInt(args.InputBufferLength),
        BigInt(args.IoControlCode),
        0n,
      ];
      finishes(kernel, address, args.Event, args.OutputBuffer, args.OutputBufferLength);
      return address;
    },
  }),
  IoBuildSynchronousFsdRequest: f({
    ...common,
    irql: P,
    page: 'wdm-iobuildsynchronousfsdrequest',
    params: {
      MajorFunction: ULONG,
      DeviceObject: POINTER,
      Buffer: POINTER,
      Length: ULONG,
      StartingOffset: POINTER,
      Event: POINTER,
      IoStatusBlock: POINTER,
    },
    returns: 'pointer',
    failures: [failsNull],
    body(kernel, { MajorFunction: major, DeviceObject: device, Buffer: buffer, Length: length, ...rest }) {
      const offset = rest.StartingOffset === NULL ? 0n : kernel.memory.readU64(rest.StartingOffset);
      const address = build(kernel, { device, major, buffer, length, offset, iosb: rest.IoStatusBlock });
      finishes(kernel, address, rest.Event, major === Major.READ ? buffer : NULL, length);
      return address;
    },
  }),
  IoBuildAsynchronousFsdRequest: f({
    ...common,
    page: 'wdm-iobuildasynchronousfsdrequest',
    params: {
      MajorFunction: ULONG,
      DeviceObject: POINTER,
      Buffer: POINTER,
      Length: ULONG,
      StartingOffset: POINTER,
      IoStatusBlock: POINTER,
    },
    returns: 'pointer',
    acquires,
    failures: [failsNull],
    body(kernel, { MajorFunction: major, DeviceObject: device, Buffer: buffer, Length: length, ...rest }) {
      const offset = rest.StartingOffset === NULL ? 0n : kernel.memory.readU64(rest.StartingOffset);
      return build(kernel, { device, major, buffer, length, offset, iosb: rest.IoStatusBlock });
    },
  }),
  IoSetCompletionRoutineEx: f({
    ...common,
    page: 'wdm-iosetcompletionroutineex',
    params: {
      DeviceObject: POINTER,
      Irp: POINTER,
      CompletionRoutine: CODE,
      Context: POINTER,
      InvokeOnSuccess: BOOLEAN,
      InvokeOnError: BOOLEAN,
      InvokeOnCancel: BOOLEAN,
    },
    returns: 'status',
    body({ irps }, args) {
      const location = irps.next(irps.at(args.Irp));
      location.CompletionRoutine = args.CompletionRoutine;
      location.Context = args.Context;
      location.Control =
        (args.InvokeOnSuccess ? StackControl.INVOKE_ON_SUCCESS : 0) |
        (args.InvokeOnError ? StackControl.INVOKE_ON_ERROR : 0) |
        (args.InvokeOnCancel ? StackControl.INVOKE_ON_CANCEL : 0);
      return Status.SUCCESS;
    },
  }),
  IoCancelIrp: f({
    ...common,
    page: 'wdm-iocancelirp',
    params: { Irp: POINTER },
    returns: 'bool',
    *body({ irps }, { Irp }) {
      return yield* irps.cancel(Irp);
    },
  }),
  IoAcquireCancelSpinLock: f({
    ...common,
    page: 'wdm-ioacquirecancelspinlock',
    params: { Irql: OUT(u8) },
    returns: 'void',
    *body({ irps }, { Irql: out }) {
      out.set(yield* irps.takeCancelLock());
      return undefined;
    },
  }),
  IoReleaseCancelSpinLock: f({
    ...common,
    irql: EXACTLY_D,
    page: 'wdm-ioreleasecancelspinlock',
    params: { Irql: UCHAR },
    returns: 'void',
    body({ irps }, args) {
      irps.releaseCancelLock(args.Irql as Irql);
      return undefined;
    },
  }),
  IoGetStackLimits: f({
    ...common,
    page: 'wdm-iogetstacklimits',
    params: { LowLimit: POINTER, HighLimit: POINTER },
    returns: 'void',
    body(kernel, _, { fn }) {
      throw new Unsupported(fn, 'the limits of the current kernel stack', kernel.stack());
    },
  }),
};
