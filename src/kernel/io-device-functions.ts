/** The functions that make, name, stack and describe devices. Pages: wdm-iocreatedevice and its neighbours. */
import { type Address, hex, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer, u32 } from './layout.ts';
import { A, ANY, BOOLEAN, D, failsWith, functionsOf, IN, INOPT, OUT, P, POINTER, ULONG } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { UNICODE_STRING, unicodeText } from './strings.ts';

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;
const failures = [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)];

const creating = {
  DriverObject: POINTER,
  DeviceExtensionSize: ULONG,
  DeviceName: INOPT(UNICODE_STRING),
  DeviceType: ULONG,
  DeviceCharacteristics: ULONG,
  Exclusive: BOOLEAN,
};

const attached = (page: string, reference: boolean) =>
  f({
    ...common,
    page,
    params: { DeviceObject: POINTER },
    returns: 'pointer',
    irql: D,
    ...(reference ? { acquires: { type: 'object-reference', key: (_: unknown, result: Address) => result } } : {}),
    body: ({ devices }, { DeviceObject }) => devices.top(DeviceObject),
  });

export const ioDeviceFunctions = {
  IoCreateDevice: f({
    ...common,
    page: 'wdm-iocreatedevice',
    params: { ...creating, DeviceObject: OUT(pointer) },
    returns: 'status',
    irql: A,
    acquires: { type: 'wdm-device', key: ({ DeviceObject }) => DeviceObject.get() },
    failures,
    body(kernel, args) {
      const { status, device } = kernel.devices.create({
        driver: args.DriverObject,
        extensionSize: args.DeviceExtensionSize,
        type: args.DeviceType,
        characteristics: args.DeviceCharacteristics,
        exclusive: args.Exclusive,
        stack: kernel.stack(),
        ...(args.DeviceName === undefined ? {} : { name: unicodeText(kernel.memory, args.DeviceName) }),
      });
      args.DeviceObject.set(device);
      return status;
    },
  }),
  IoDeleteDevice: f({
    ...common,
    page: 'wdm-iodeletedevice',
    params: { DeviceObject: POINTER },
    returns: 'void',
    irql: A,
    undoes: { types: ['wdm-device'], key: ({ DeviceObject }) => DeviceObject, otherwise: () => undefined },
    body(kernel, { DeviceObject }) {
      kernel.devices.delete(DeviceObject, kernel.stack());
      return undefined;
    },
  }),
  IoCreateSymbolicLink: f({
    ...common,
    page: 'wdm-iocreatesymboliclink',
    params: { SymbolicLinkName: IN(UNICODE_STRING), DeviceName: IN(UNICODE_STRING) },
    returns: 'status',
    irql: P,
    acquires: { type: 'wdm-device', key: linkKey },
    failures,
    body({ memory, devices }, { SymbolicLinkName, DeviceName }) {
      const made = devices.link(unicodeText(memory, SymbolicLinkName), unicodeText(memory, DeviceName));
      return made ? Status.SUCCESS : Status.OBJECT_NAME_COLLISION;
    },
  }),
  IoDeleteSymbolicLink: f({
    ...common,
    page: 'wdm-iodeletesymboliclink',
    params: { SymbolicLinkName: IN(UNICODE_STRING) },
    returns: 'status',
    irql: P,
    // A link that NDIS made with a control device may go this way too (observed: Wintun 0.4 does so before it deregisters it).
    undoes: { types: ['wdm-device'], key: linkKey, mayBeIdle: true },
    body({ memory, devices }, { SymbolicLinkName }) {
      return devices.unlink(unicodeText(memory, SymbolicLinkName)) ? Status.SUCCESS : Status.OBJECT_NAME_NOT_FOUND;
    },
  }),
  IoAttachDeviceToDeviceStack: f({
    ...common,
    page: 'wdm-ioattachdevicetodevicestack',
    params: { SourceDevice: POINTER, TargetDevice: POINTER },
    returns: 'pointer',
    irql: D,
    failures: [{ id: 'null', fail: () => NULL }],
    body: ({ devices }, { SourceDevice, TargetDevice }) => devices.attach(SourceDevice, TargetDevice),
  }),
  IoDetachDevice: f({
    ...common,
    page: 'wdm-iodetachdevice',
    params: { TargetDevice: POINTER },
    returns: 'void',
    irql: P,
    body({ devices }, { TargetDevice }) {
      devices.detach(TargetDevice);
      return undefined;
    },
  }),
  IoGetAttachedDevice: attached('ntifs-iogetattacheddevice', false),
  IoGetAttachedDeviceReference: attached('wdm-iogetattacheddevicereference', true),
  IoGetDeviceObjectPointer: f({
    ...common,
    page: 'wdm-iogetdeviceobjectpointer',
    params: {
      ObjectName: IN(UNICODE_STRING),
      DesiredAccess: ULONG,
      FileObject: OUT(pointer),
      DeviceObject: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    failures,
    body({ memory, devices }, { ObjectName }) {
      const name = unicodeText(memory, ObjectName);
      if (devices.find(name) === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      throw new Unsupported('IoGetDeviceObjectPointer', `a file object for ${name}, a device of this machine`);
    },
  }),
  IoAllocateDriverObjectExtension: f({
    ...common,
    page: 'wdm-ioallocatedriverobjectextension',
    params: {
      DriverObject: POINTER,
      ClientIdentificationAddress: POINTER,
      DriverObjectExtensionSize: ULONG,
      DriverObjectExtension: OUT(pointer),
    },
    returns: 'status',
    irql: A,
    failures,
    /** Windows frees it with the driver object: nothing is owed. */
    body(kernel, { DriverObject, ClientIdentificationAddress, DriverObjectExtensionSize, DriverObjectExtension }) {
      const made = kernel.devices.addExtension(
        DriverObject,
        ClientIdentificationAddress,
        DriverObjectExtensionSize,
        kernel.stack(),
      );
      DriverObjectExtension.set(made);
      return made === NULL ? Status.OBJECT_NAME_COLLISION : Status.SUCCESS;
    },
  }),
  IoGetDriverObjectExtension: f({
    ...common,
    page: 'wdm-iogetdriverobjectextension',
    params: { DriverObject: POINTER, ClientIdentificationAddress: POINTER },
    returns: 'pointer',
    irql: D,
    body: ({ devices }, { DriverObject, ClientIdentificationAddress }) =>
      devices.extension(DriverObject, ClientIdentificationAddress),
  }),
  IoGetDeviceProperty: f({
    ...common,
    page: 'wdm-iogetdeviceproperty',
    params: {
      DeviceObject: POINTER,
      DeviceProperty: ULONG,
      BufferLength: ULONG,
      PropertyBuffer: POINTER,
      ResultLength: OUT(u32),
    },
    returns: 'status',
    irql: P,
    body({ memory, devices }, { DeviceObject, DeviceProperty, BufferLength, PropertyBuffer, ResultLength }) {
      const description = devices.description(DeviceObject);
      if (description === undefined) return Status.INVALID_DEVICE_REQUEST;
      const value = description.properties.get(DeviceProperty);
      if (value === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      ResultLength.set(value.length);
      if (BufferLength < value.length) return Status.BUFFER_TOO_SMALL;
      memory.write(PropertyBuffer, value);
      return Status.SUCCESS;
    },
  }),
  IoOpenDeviceRegistryKey: f({
    ...common,
    page: 'wdm-ioopendeviceregistrykey',
    params: { DeviceObject: POINTER, DevInstKeyType: ULONG, DesiredAccess: ULONG, DeviceRegKey: OUT(pointer) },
    returns: 'status',
    irql: P,
    acquires: { type: 'handle', key: ({ DeviceRegKey }) => DeviceRegKey.get() },
    failures,
    body({ devices, handles }, { DeviceObject, DeviceRegKey }) {
      const key = devices.description(DeviceObject)?.key;
      if (key === undefined) return Status.INVALID_DEVICE_REQUEST;
      DeviceRegKey.set(handles.create('Key', key));
      return Status.SUCCESS;
    },
  }),
  IoGetFileObjectGenericMapping: f({
    ...common,
    page: 'ntddk-iogetfileobjectgenericmapping',
    params: {},
    returns: 'pointer',
    irql: P,
    body: (kernel) => kernel.devices.fileMapping(),
  }),
  IoIs32bitProcess: f({
    ...common,
    page: 'wdm-iois32bitprocess',
    params: { Irp: POINTER },
    returns: 'bool',
    irql: ANY,
    body: () => false,
  }),
  IoInvalidateDeviceState: f({
    ...common,
    page: 'wdm-ioinvalidatedevicestate',
    params: { PhysicalDeviceObject: POINTER },
    returns: 'void',
    irql: D,
    /** The PnP manager asks later; a scenario may act on the fact. */
    body(kernel, { PhysicalDeviceObject }) {
      const detail = { device: hex(PhysicalDeviceObject) };
      kernel.trace.emit({ kind: 'fact', what: 'device-state-invalidated', detail, stack: kernel.stack() });
      return undefined;
    },
  }),
};

/** Links share a rule with devices; their name is what the undoing call names them by. */
function linkKey({ SymbolicLinkName: name }: { SymbolicLinkName: object }): string {
  const view = name as Parameters<typeof unicodeText>[1] & { memory: Parameters<typeof unicodeText>[0] };
  return unicodeText(view.memory, view).toUpperCase();
}
