import { describe, expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { DEVICE_OBJECT, DRIVER_OBJECT, FILE_OBJECT, IO_STACK_LOCATION, IRP, Major } from './io-structures.ts';
import { Status } from './status.ts';
import { BugCheck } from './stops.ts';
import { wideBytes } from './strings.ts';
import { testKernel } from './testing.ts';

type DispatchArguments = { DeviceObject: Address; Irp: Address };

function setUp() {
  const test = testKernel({ processors: 2 });
  const { kernel, wdk, run } = test;
  const { memory, irps } = kernel;
  const name = (text: string) => {
    const Buffer = kernel.heap.allocate(2 * text.length, 'text');
    memory.write(Buffer, wideBytes(text));
    return { Length: 2 * text.length, MaximumLength: 2 * text.length, Buffer };
  };
  const driver = kernel.ioDrivers.create({ name: 'nic' });
  const handle = (major: number, routine: (args: DispatchArguments) => unknown) =>
    memory.writePointer(
      at(driver, DRIVER_OBJECT.offset('MajorFunction') + 8 * major),
      kernel.code.expose(routine as never),
    );
  const device = (DeviceName: string, DeviceExtensionSize = 32) =>
    run(() =>
      wdk.IoCreateDevice({
        DriverObject: driver,
        DeviceExtensionSize,
        DeviceName: name(DeviceName),
        DeviceType: 0x17,
        DeviceCharacteristics: 0,
        Exclusive: false,
      }),
    );
  const finish = (status: number, information = 0) =>
    function* ({ Irp }: DispatchArguments) {
      irps.at(Irp).IoStatus.Status = status;
      irps.at(Irp).IoStatus.Information = BigInt(information);
      yield* wdk.IofCompleteRequest({ Irp, PriorityBoost: 0 });
      return status;
    };
  return { ...test, name, driver, handle, device, finish };
}

describe('devices', () => {
  it('have the layouts of wdm.h', () => {
    expect([DRIVER_OBJECT.size, DEVICE_OBJECT.size, IRP.size, IO_STACK_LOCATION.size, FILE_OBJECT.size]).toEqual([
      0x150, 0x150, 0xd0, 0x48, 0xd8,
    ]);
    expect(DEVICE_OBJECT.offset('DeviceExtension')).toBe(0x40);
    expect(DEVICE_OBJECT.offset('StackSize')).toBe(0x4c);
    expect(DRIVER_OBJECT.offset('DriverUnload')).toBe(0x68);
    expect(IRP.offset('CurrentStackLocation')).toBe(0xb8);
    expect(IRP.offset('CancelRoutine')).toBe(0x68);
    expect(FILE_OBJECT.offset('FileName')).toBe(0x58);
  });

  it('are found by name and link, and owed', () => {
    const { kernel, wdk, run, name, device } = setUp();
    const made = device('\\Device\\Nic');
    expect(made.result).toBe(0);
    expect(device('\\device\\nic').result).toBe(Status.OBJECT_NAME_COLLISION);
    const SymbolicLinkName = name('\\DosDevices\\Nic');
    run(() => wdk.IoCreateSymbolicLink({ SymbolicLinkName, DeviceName: name('\\Device\\Nic') }));
    expect(kernel.devices.find('\\??\\NIC')).toBe(made.DeviceObject);
    run(() => wdk.IoDeleteSymbolicLink({ SymbolicLinkName: name('\\DOSDEVICES\\Nic') }));
    run(() => wdk.IoDeleteDevice({ DeviceObject: made.DeviceObject }));
    run(() => wdk.IoDeleteDevice({ DeviceObject: made.DeviceObject }));
    const ledger = kernel.trace.events.flatMap((event) => (event.kind === 'undo' ? [event.outcome] : []));
    expect(ledger).toEqual(['undone', 'undone', 'again']);
  });
});

describe('requests', () => {
  it('go from a user to the driver and back', () => {
    const { kernel, run, handle, device, finish } = setUp();
    const { DeviceObject } = device('\\Device\\Nic');
    handle(Major.CREATE, finish(0));
    handle(Major.CLEANUP, finish(0));
    handle(Major.CLOSE, finish(0));
    handle(Major.DEVICE_CONTROL, function* ({ DeviceObject: target, Irp }) {
      const { SystemBuffer } = kernel.irps.at(Irp);
      const [outputLength, inputLength, code] = kernel.irps.current(kernel.irps.at(Irp)).Parameters;
      expect([target, outputLength, inputLength, code]).toEqual([DeviceObject, 8n, 4n, 0x17_0000n]);
      kernel.memory.writeU64(SystemBuffer, BigInt(kernel.memory.readU32(SystemBuffer)) + 1n);
      return yield* finish(0, 8)({ DeviceObject: target, Irp });
    });
    run(function* () {
      const { file } = yield* kernel.requests.open('\\Device\\Nic');
      const answer = yield* kernel.requests.control(file as never, 0x17_0000, Uint8Array.of(41, 0, 0, 0), 8);
      expect([answer.status, answer.output[0]]).toEqual([0, 42]);
      yield* kernel.requests.close(file as never);
    });
    expect(kernel.devices.at(DeviceObject).ReferenceCount).toBe(0);
    expect(run(() => kernel.requests.open('\\Device\\Other')).status).toBe(Status.OBJECT_NAME_NOT_FOUND);
  });

  it('a driver does not handle are invalid, and one may be completed once only', () => {
    const { kernel, wdk, run, handle, device, finish } = setUp();
    device('\\Device\\Nic');
    expect(run(() => kernel.requests.open('\\Device\\Nic')).status).toBe(Status.INVALID_DEVICE_REQUEST);
    handle(Major.CREATE, function* (args) {
      yield* finish(0)(args);
      yield* wdk.IofCompleteRequest({ Irp: args.Irp, PriorityBoost: 0 });
      return 0;
    });
    expect(() => run(() => kernel.requests.open('\\Device\\Nic'))).toThrow(BugCheck);
  });

  it('of a driver run their completion routine, which keeps the packet', () => {
    const { kernel, wdk, run, handle, device, finish } = setUp();
    const { DeviceObject } = device('\\Device\\Nic');
    handle(Major.READ, finish(0, 5));
    const seen: unknown[] = [];
    run(function* () {
      const irp = yield* wdk.IoAllocateIrp({ StackSize: 1, ChargeQuota: false });
      kernel.irps.next(kernel.irps.at(irp)).MajorFunction = Major.READ;
      yield* wdk.IoSetCompletionRoutineEx({
        DeviceObject,
        Irp: irp,
        CompletionRoutine: ({ DeviceObject: above, Irp, Context }: DispatchArguments & { Context: Address }) => {
          seen.push(above, Irp, Context);
          return Status.MORE_PROCESSING_REQUIRED;
        },
        Context: 9 as Address,
        InvokeOnSuccess: true,
        InvokeOnError: true,
        InvokeOnCancel: true,
      });
      expect(yield* wdk.IofCallDriver({ DeviceObject, Irp: irp })).toBe(0);
      expect(seen).toEqual([NULL, irp, 9]);
      yield* wdk.IoFreeIrp({ Irp: irp });
    });
  });

  it('are cancelled through their cancel routine, which gives the lock back', () => {
    const { kernel, wdk, run, handle, device, finish } = setUp();
    const { DeviceObject } = device('\\Device\\Nic');
    handle(Major.READ, function* ({ Irp }) {
      const view = kernel.irps.at(Irp);
      kernel.irps.current(view).Control |= 1;
      view.CancelRoutine = kernel.code.expose(function* (args: DispatchArguments) {
        yield* wdk.IoReleaseCancelSpinLock({ Irql: kernel.irps.at(args.Irp).CancelIrql });
        yield* finish(Status.CANCELLED)(args);
      });
      return Status.PENDING;
    });
    run(function* () {
      const irp = yield* wdk.IoAllocateIrp({ StackSize: 1, ChargeQuota: false });
      kernel.irps.next(kernel.irps.at(irp)).MajorFunction = Major.READ;
      expect(yield* wdk.IofCallDriver({ DeviceObject, Irp: irp })).toBe(Status.PENDING);
      expect(yield* wdk.IoCancelIrp({ Irp: irp })).toBe(true);
      expect(kernel.scheduler.irql).toBe(0);
      expect(kernel.irps.at(irp).IoStatus.Status).toBe(Status.CANCELLED);
      expect(kernel.irps.at(irp).PendingReturned).toBe(true);
    });
  });
});
