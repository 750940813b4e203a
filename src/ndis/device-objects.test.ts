import { expect, test } from 'vitest';
import { DRIVER_OBJECT, IO_STACK_LOCATION, MAJOR_FUNCTIONS, Major } from '../kernel/io-structures.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { allocateUnicodeText, UNICODE_STRING } from '../kernel/strings.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import { NDIS_DEVICE_OBJECT_ATTRIBUTES } from './device-objects.ts';
import { type TestNdis, testNdis } from './testing.ts';

function text({ kernel }: TestNdis, value: string): Address {
  const string = kernel.heap.allocate(UNICODE_STRING.size, 'the driver’s UNICODE_STRING');
  UNICODE_STRING.write(kernel.memory, string, allocateUnicodeText(kernel, value, 'the driver’s text'));
  return string;
}

type Dispatch = (args: { DeviceObject: Address; Irp: Address }) => Coroutine<number>;

function* register(t: TestNdis, control: Dispatch) {
  const { kernel } = t;
  const MajorFunctions = kernel.heap.allocate(8 * MAJOR_FUNCTIONS, 'dispatch table', { fill: 0 });
  kernel.memory.writePointer(at(MajorFunctions, 8 * Major.DEVICE_CONTROL), kernel.code.expose(control));
  const attributes = {
    Header: { Type: 0x85, Revision: 1, Size: NDIS_DEVICE_OBJECT_ATTRIBUTES.size },
    DeviceName: text(t, '\\Device\\Nic'),
    SymbolicName: text(t, '\\DosDevices\\Nic'),
    MajorFunctions,
    ExtensionSize: 24,
  };
  return yield* t.wdk.NdisRegisterDeviceEx({ NdisHandle: t.driver.handle, DeviceObjectAttributes: attributes });
}

test('a control device answers a program through the driver’s routine', () => {
  const t = testNdis();
  t.ndis.devices.takeOver(t.driver.driverObject);
  const answer = t.run(function* () {
    const { result, pDeviceObject } = yield* register(t, function* control({ Irp }) {
      const irp = t.kernel.irps.at(Irp);
      const location = IO_STACK_LOCATION.at(t.kernel.memory, irp.CurrentStackLocation);
      irp.IoStatus.Status = 0;
      irp.IoStatus.Information = location.Parameters[0] as bigint;
      t.kernel.memory.writeU8(irp.SystemBuffer, 0x42);
      yield* t.kernel.irps.complete(Irp);
      return 0;
    });
    expect(result).toBe(0);
    const extension = yield* t.wdk.NdisGetDeviceReservedExtension({ DeviceObject: pDeviceObject });
    t.kernel.memory.writeU8(at(extension, 23), 1);
    expect(() => t.kernel.memory.writeU8(at(extension, 24), 1)).toThrow();
    const { requests } = t.kernel;
    const { status, file } = yield* requests.open('\\??\\Nic');
    expect(status).toBe(0);
    if (file === undefined) throw new Error('not open');
    const given = yield* requests.control(file, 0x0012_0000, new Uint8Array(0), 1);
    yield* requests.close(file);
    return given;
  });
  expect(answer).toMatchObject({ status: 0, output: Uint8Array.of(0x42) });
});

test('it is owed by the driver, and its name goes with it', () => {
  const t = testNdis();
  t.run(function* () {
    const none: Dispatch = function* none() {
      return 0;
    };
    const first = yield* register(t, none);
    const second = yield* register(t, none);
    expect(second).toMatchObject({ result: 0xc000_0035, pDeviceObject: NULL });
    yield* t.wdk.NdisDeregisterDeviceEx({ NdisDeviceHandle: first.NdisDeviceHandle });
    const third = yield* register(t, none);
    expect(third.result).toBe(0);
    yield* t.wdk.NdisDeregisterDeviceEx({ NdisDeviceHandle: first.NdisDeviceHandle });
  });
  expect(t.events('acquire').map(({ type, owner }) => [type, owner])).toEqual([
    ['device-object', t.driver.handle],
    ['device-object', t.driver.handle],
  ]);
  expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'again']);
});

test('registering a miniport puts NDIS into the driver object', () => {
  const t = testNdis();
  t.ndis.devices.takeOver(t.driver.driverObject);
  const { MajorFunction } = DRIVER_OBJECT.at(t.kernel.memory, t.driver.driverObject);
  expect(new Set(MajorFunction).size).toBe(1);
  expect(MajorFunction[0]).not.toBe(NULL);
});
