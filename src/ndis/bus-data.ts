/**
 * The adapter's place on its bus: PCI configuration space, its message table, its device objects and resources.
 * Pages: ndis-ndismgetbusdata, ndis-ndismsetbusdata, ndis-ndismconfigmsixtableentry, ndis-ndismgetdeviceproperty,
 * ndis-ndismqueryprobedbars.
 */
import { DeviceFlag, IO_STACK_LOCATION } from '../kernel/io-structures.ts';
import { pointer, struct, u32 } from '../kernel/layout.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { ANY, failsWith, functionsOf, HANDLE, IN, OUT, P, POINTER, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { Unsupported } from '../kernel/stops.ts';
import { type Address, at, type Handle, hex, NULL } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import { fullResourceList } from './resource-list.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

const NDIS_MSIX_CONFIG_PARAMETERS = struct('NDIS_MSIX_CONFIG_PARAMETERS', {
  Header: NDIS_OBJECT_HEADER,
  ConfigOperation: u32,
  TableEntry: u32,
  MessageNumber: u32,
});
/** NDIS_MSIX_TABLE_OPERATION. */
const MsixOperation = { SetTableEntry: 0, MaskTableEntry: 1, UnmaskTableEntry: 2 } as const;

const PCI_WHICHSPACE_CONFIG = 0;
const CONFIG_SIZE = 256;
const BAR0 = 0x10;
const PCI_TYPE0_ADDRESSES = 6;
const FILE_DEVICE_PHYSICAL_NETCARD = 0x17;

interface Stack {
  readonly physical: Address;
  readonly functional: Address;
  readonly next: Address;
  readonly resources: Address;
}

/** What NdisMGetDeviceProperty gives for each adapter, made when first asked for. */
export class DeviceStacks {
  private readonly ndis: Ndis;
  private readonly stacks = new Map<Handle, Stack>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /**
   * Device objects are opaque by the page, but drivers look into them all the same (observed: a virtual miniport keeps its context
   * in the functional one's Reserved field), so they are real ones. Who sends the bus driver a request is told what is missing.
   */
  of(adapter: Adapter): Stack {
    const known = this.stacks.get(adapter.handle);
    if (known !== undefined) return known;
    const { devices, interruptObjects, ioDrivers, registry } = this.ndis.kernel;
    const bus = ioDrivers.create({ name: adapter.device === undefined ? 'swenum' : 'pci', dispatch: this.busDispatch });
    const number = this.stacks.size + 1;
    const { device: physical } = devices.create({ driver: bus, name: `\\Device\\NTPNP_PCI${number}` });
    const { device: functional } = devices.create({
      driver: adapter.driver.driverObject,
      name: `\\Device\\NDMP${number}`,
      type: FILE_DEVICE_PHYSICAL_NETCARD,
    });
    interruptObjects.describe(physical, () => adapter.device?.line);
    const key = registry.find(adapter.registryPath);
    devices.describe(physical, { properties: new Map(), ...(key === undefined ? {} : { key }) });
    const stack: Stack = {
      physical,
      functional,
      // Nothing lies between NDIS' device object and the bus driver's: the next lower one is the physical one.
      next: devices.attach(functional, physical),
      resources: adapter.device === undefined ? NULL : fullResourceList(this.ndis.kernel, adapter.device),
    };
    for (const device of [physical, functional]) devices.at(device).Flags &= ~DeviceFlag.INITIALIZING;
    this.stacks.set(adapter.handle, stack);
    return stack;
  }

  private readonly busDispatch = (args: { Irp: Address }): Coroutine<number> => {
    const { irps, memory } = this.ndis.kernel;
    const location = IO_STACK_LOCATION.at(memory, irps.at(args.Irp).CurrentStackLocation);
    const { MajorFunction, MinorFunction } = location;
    throw new Unsupported('bus driver', `a request to the bus driver (major ${MajorFunction}, minor ${MinorFunction})`);
  };
}

function readBytes(device: PciDevice, offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => device.readConfig(offset + i, 1));
}

/** How many bytes of configuration space a call reaches; none in another space, or without a device. */
function reach(device: PciDevice | undefined, space: number, offset: number, length: number): number {
  if (device === undefined || space !== PCI_WHICHSPACE_CONFIG || offset >= CONFIG_SIZE) return 0;
  return Math.min(length, CONFIG_SIZE - offset);
}

const busData = { NdisMiniportHandle: HANDLE, WhichSpace: ULONG, Offset: ULONG, Buffer: POINTER, Length: ULONG };

const f = functionsOf<Ndis>();

export const busDataFunctions = {
  NdisMGetBusData: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismgetbusdata',
    params: busData,
    returns: 'u32',
    irql: ANY,
    failures: [{ id: 'none', fail: () => 0 }],
    body(ndis, { NdisMiniportHandle, WhichSpace, Offset, Buffer, Length }) {
      const device = ndis.adapterOf(NdisMiniportHandle)?.device;
      const count = reach(device, WhichSpace, Offset, Length);
      if (device !== undefined) ndis.kernel.memory.write(Buffer, readBytes(device, Offset, count));
      return count;
    },
  }),

  NdisMSetBusData: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismsetbusdata',
    params: busData,
    returns: 'u32',
    irql: ANY,
    failures: [{ id: 'none', fail: () => 0 }],
    body(ndis, { NdisMiniportHandle, WhichSpace, Offset, Buffer, Length }) {
      const device = ndis.adapterOf(NdisMiniportHandle)?.device;
      const count = reach(device, WhichSpace, Offset, Length);
      ndis.kernel.memory.read(Buffer, count).forEach((byte, i) => {
        device?.writeConfig(Offset + i, 1, byte);
      });
      return count;
    },
  }),

  NdisMQueryProbedBars: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismqueryprobedbars',
    params: { NdisMiniportHandle: HANDLE, BaseRegisterValues: POINTER },
    returns: 'status',
    irql: P,
    failures: [failsWith('failure', NDIS_STATUS_FAILURE)],
    body(ndis, { NdisMiniportHandle, BaseRegisterValues }) {
      const device = ndis.adapterOf(NdisMiniportHandle)?.device;
      if (device === undefined) return NDIS_STATUS_NOT_SUPPORTED;
      for (let bar = 0; bar < PCI_TYPE0_ADDRESSES; bar++) {
        // What the register reads as after all ones were written to it.
        const size = device.ranges[bar]?.size;
        const kind = device.readConfig(BAR0 + 4 * bar, 4) & 1;
        ndis.kernel.memory.writeU32(at(BaseRegisterValues, 4 * bar), size === undefined ? 0 : (-size | kind) >>> 0);
      }
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisMConfigMSIXTableEntry: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismconfigmsixtableentry',
    params: { NdisMiniportHandle: HANDLE, MSIXConfigParameters: IN(NDIS_MSIX_CONFIG_PARAMETERS) },
    returns: 'status',
    irql: ANY,
    failures: [failsWith('invalid-parameter', NDIS_STATUS_INVALID_PARAMETER)],
    body(ndis, { NdisMiniportHandle, MSIXConfigParameters: parameters }) {
      const device = ndis.adapterOf(NdisMiniportHandle)?.device;
      const { ConfigOperation, TableEntry, MessageNumber } = parameters;
      const sizes = [NDIS_MSIX_CONFIG_PARAMETERS.size];
      if (device === undefined || headerFault(parameters.Header, ObjectType.DEFAULT, sizes) !== undefined) {
        return NDIS_STATUS_INVALID_PARAMETER;
      }
      // Entry n holds message n; the model keeps no table in which to mix them.
      if (ConfigOperation === MsixOperation.SetTableEntry && TableEntry !== MessageNumber) {
        throw new Unsupported('NdisMConfigMSIXTableEntry', 'the driver puts another message into an MSI-X table entry');
      }
      const mask = ConfigOperation === MsixOperation.MaskTableEntry;
      return device.maskMessage(TableEntry, mask) ? NDIS_STATUS_SUCCESS : NDIS_STATUS_INVALID_PARAMETER;
    },
  }),

  NdisMGetDeviceProperty: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismgetdeviceproperty',
    params: {
      MiniportAdapterHandle: HANDLE,
      PhysicalDeviceObject: OUT(pointer),
      FunctionalDeviceObject: OUT(pointer),
      NextDeviceObject: OUT(pointer),
      AllocatedResources: OUT(pointer),
      AllocatedResourcesTranslated: OUT(pointer),
    },
    returns: 'void',
    irql: P,
    body(ndis, args) {
      const adapter = ndis.adapterOf(args.MiniportAdapterHandle);
      if (adapter === undefined) {
        emitFact(ndis.kernel, 'ndis-handle-not-valid', {
          fn: 'NdisMGetDeviceProperty',
          handle: hex(args.MiniportAdapterHandle),
        });
        return undefined;
      }
      const stack = ndis.deviceStacks.of(adapter);
      if (args.PhysicalDeviceObject.present) args.PhysicalDeviceObject.set(stack.physical);
      if (args.FunctionalDeviceObject.present) args.FunctionalDeviceObject.set(stack.functional);
      if (args.NextDeviceObject.present) args.NextDeviceObject.set(stack.next);
      if (args.AllocatedResources.present) args.AllocatedResources.set(stack.resources);
      if (args.AllocatedResourcesTranslated.present) args.AllocatedResourcesTranslated.set(stack.resources);
      return undefined;
    },
  }),
};
