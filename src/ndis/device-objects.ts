/**
 * Control devices of a driver, and NDIS' place in the driver object: requests for any of its devices reach NDIS first, which
 * hands those for a control device to the driver's own routines. Pages: ndis-ndisregisterdeviceex, ndis-ndisderegisterdeviceex,
 * ndis-ndisgetdevicereservedextension, _ndis_device_object_attributes.
 */
import { DeviceFlag, DRIVER_OBJECT, IO_STACK_LOCATION, MAJOR_FUNCTIONS, Major } from '../kernel/io-structures.ts';
import { DRIVER_DISPATCH } from '../kernel/irps.ts';
import { pointer, struct, u32, type View } from '../kernel/layout.ts';
import { ANY, functionsOf, HANDLE, IN, OUT, type Out, P, POINTER } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { Status } from '../kernel/status.ts';
import { Unsupported } from '../kernel/stops.ts';
import { UNICODE_STRING, unicodeText } from '../kernel/strings.ts';
import { type Address, at, type Handle, hex, NULL } from '../trace/units.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import { NDIS_STATUS_INVALID_PARAMETER, NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_SUCCESS } from './status.ts';

export const NDIS_DEVICE_OBJECT_ATTRIBUTES = struct('NDIS_DEVICE_OBJECT_ATTRIBUTES', {
  Header: NDIS_OBJECT_HEADER,
  DeviceName: pointer,
  SymbolicName: pointer,
  MajorFunctions: pointer,
  ExtensionSize: u32,
  DefaultSDDLString: pointer,
  DeviceClassGuid: pointer,
});
type Attributes = View<typeof NDIS_DEVICE_OBJECT_ATTRIBUTES.fields>;

/** What NDIS keeps for itself in a device extension; drivers must leave DeviceExtension alone (size assumed). */
const NDIS_EXTENSION = 0x40;

interface ControlDevice {
  readonly handle: Handle;
  readonly device: Address;
  readonly symbolicName: string | undefined;
  /** The driver's part of the extension: a block of its own, so that overruns are seen. */
  readonly reserved: Address;
  /** The driver's routines by major function, copied from the attributes. */
  readonly routines: readonly Address[];
}

export class NdisDevices {
  private readonly ndis: Ndis;
  private readonly devices: ControlDevice[] = [];

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  isDevice(handle: Handle): boolean {
    return this.devices.some((device) => device.handle === handle);
  }

  byObject(device: Address): ControlDevice | undefined {
    return this.devices.find((candidate) => candidate.device === device);
  }

  byHandle(handle: Handle): ControlDevice | undefined {
    return this.devices.find((candidate) => candidate.handle === handle);
  }

  /** Puts NDIS' dispatch routine into every entry of a driver object, as registering a miniport does (observed). */
  takeOver(driverObject: Address): void {
    const { code, memory } = this.ndis.kernel;
    const dispatch = code.expose(this.dispatch);
    const first = at(driverObject, DRIVER_OBJECT.offset('MajorFunction'));
    for (let i = 0; i < MAJOR_FUNCTIONS; i++) memory.writePointer(at(first, 8 * i), dispatch);
  }

  /** One routine for every driver: drivers may store it, compare it and call it. */
  private readonly dispatch = (args: { DeviceObject: Address; Irp: Address }): Coroutine<number> =>
    this.serve(args.DeviceObject, args.Irp);

  private *serve(device: Address, irp: Address): Coroutine<number> {
    const { irps, invoker, memory } = this.ndis.kernel;
    const request = irps.at(irp);
    const major = IO_STACK_LOCATION.at(memory, request.CurrentStackLocation).MajorFunction;
    const control = this.byObject(device);
    const routine = control?.routines[major] ?? NULL;
    if (routine !== NULL) return yield* invoker.invoke(DRIVER_DISPATCH, routine, { DeviceObject: device, Irp: irp });
    const opening = major === Major.CREATE || major === Major.CLEANUP || major === Major.CLOSE;
    if (control === undefined && !opening) {
      throw new Unsupported('NDIS dispatch', `NDIS' own answer to a request of major function ${major} for an adapter`);
    }
    // Without a routine of the driver's, NDIS answers (assumed: opening succeeds, the rest is not supported).
    const status = opening ? Status.SUCCESS : Status.NOT_SUPPORTED;
    request.IoStatus.Status = status;
    yield* irps.complete(irp);
    return status;
  }

  register(driverObject: Address, attributes: Attributes): { status: number } | ControlDevice {
    const { kernel } = this.ndis;
    const text = (string: Address) =>
      string === NULL ? undefined : unicodeText(kernel.memory, UNICODE_STRING.at(kernel.memory, string));
    const [name, symbolicName] = [text(attributes.DeviceName), text(attributes.SymbolicName)];
    const { status, device } = kernel.devices.create({
      driver: driverObject,
      extensionSize: NDIS_EXTENSION,
      stack: kernel.stack(),
      ...(name === undefined ? {} : { name }),
    });
    if (status !== Status.SUCCESS) return { status };
    if (symbolicName !== undefined && !kernel.devices.link(symbolicName, name ?? '')) {
      kernel.devices.delete(device, kernel.stack());
      return { status: Status.OBJECT_NAME_COLLISION };
    }
    kernel.devices.at(device).Flags &= ~DeviceFlag.INITIALIZING;
    const control: ControlDevice = {
      handle: this.ndis.newHandle('NDIS device handle'),
      device,
      symbolicName,
      reserved: kernel.heap.allocate(attributes.ExtensionSize, `reserved extension of ${name ?? 'a device'}`, {
        fill: 0,
        align: 16,
        stack: kernel.stack(),
      }),
      routines: Array.from({ length: MAJOR_FUNCTIONS }, (_, i) =>
        kernel.memory.readPointer(at(attributes.MajorFunctions, 8 * i)),
      ),
    };
    this.devices.push(control);
    return control;
  }

  deregister(control: ControlDevice): void {
    const { devices, heap } = this.ndis.kernel;
    const stack = this.ndis.kernel.stack();
    if (control.symbolicName !== undefined) devices.unlink(control.symbolicName);
    devices.delete(control.device, stack);
    heap.free(control.reserved, stack);
    heap.free(control.handle, stack);
    this.devices.splice(this.devices.indexOf(control), 1);
  }
}

const f = functionsOf<Ndis>();

/** Any failure leaves the device object NULL. */
const failsWithoutDevice = (id: string, status: number) => ({
  id,
  fail({ pDeviceObject }: { pDeviceObject: Out<Address> }) {
    pDeviceObject.set(NULL);
    return status;
  },
});

export const deviceObjectFunctions = {
  NdisRegisterDeviceEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisregisterdeviceex',
    params: {
      NdisHandle: HANDLE,
      DeviceObjectAttributes: IN(NDIS_DEVICE_OBJECT_ATTRIBUTES),
      pDeviceObject: OUT(pointer),
      NdisDeviceHandle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'device-object',
      key: ({ NdisDeviceHandle }) => NdisDeviceHandle.get(),
      owner: ({ NdisHandle }) => NdisHandle,
      detail: ({ pDeviceObject }) => ({ DeviceObject: hex(pDeviceObject.get()) }),
    },
    failures: [
      failsWithoutDevice('insufficient-resources', Status.INSUFFICIENT_RESOURCES),
      failsWithoutDevice('object-name-collision', Status.OBJECT_NAME_COLLISION),
      failsWithoutDevice('not-supported', NDIS_STATUS_NOT_SUPPORTED),
    ],
    body(ndis, { NdisHandle, DeviceObjectAttributes: attributes, pDeviceObject, NdisDeviceHandle }, { fn }) {
      pDeviceObject.set(NULL);
      // The page names driver handles; NDIS takes an adapter's too (observed: a widely used virtual miniport passes it).
      if (!checkHandle(ndis, NdisHandle, fn, ['driver', 'adapter'])) return NDIS_STATUS_NOT_SUPPORTED;
      const sizes = [NDIS_DEVICE_OBJECT_ATTRIBUTES.size];
      if (headerFault(attributes.Header, ObjectType.DEVICE_OBJECT_ATTRIBUTES, sizes) !== undefined) {
        return NDIS_STATUS_INVALID_PARAMETER;
      }
      const driver = ndis.adapterOf(NdisHandle)?.driver ?? ndis.drivers.find(({ handle }) => handle === NdisHandle);
      const made = ndis.devices.register(driver?.driverObject ?? NULL, attributes);
      if ('status' in made) return made.status;
      pDeviceObject.set(made.device);
      NdisDeviceHandle.set(made.handle);
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisDeregisterDeviceEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisderegisterdeviceex',
    params: { NdisDeviceHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['device-object'],
      key: ({ NdisDeviceHandle }) => NdisDeviceHandle,
      otherwise: () => undefined,
    },
    body(ndis, { NdisDeviceHandle }) {
      const control = ndis.devices.byHandle(NdisDeviceHandle);
      if (control !== undefined) ndis.devices.deregister(control);
      return undefined;
    },
  }),

  NdisGetDeviceReservedExtension: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisgetdevicereservedextension',
    params: { DeviceObject: POINTER },
    returns: 'pointer',
    irql: ANY,
    body: (ndis, { DeviceObject }) => ndis.devices.byObject(DeviceObject)?.reserved ?? NULL,
  }),
};
