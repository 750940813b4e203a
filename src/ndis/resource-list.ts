/**
 * The resources MiniportInitializeEx is given: a CM_PARTIAL_RESOURCE_LIST with one descriptor a BAR, the line interrupt and the
 * messages. Layout: wdm.h (packed to 4 bytes); page: wdm-_cm_partial_resource_descriptor.
 */
import type { InterruptSource } from '../kernel/hardware.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { type Address, at, DEVICE_LEVEL, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';

const HEADER = 8;
const DESCRIPTOR = 20;
/** Count, then InterfaceType and BusNumber of the only element. */
const FULL_HEADER = 12;
/** INTERFACE_TYPE PCIBus. */
const PCI_BUS = 5;
const CmResourceType = { Port: 1, Interrupt: 2, Memory: 3 } as const;
const PORT_IO = 1;
const LATCHED = 1;
const MESSAGE = 2;
const SHARED = 3;
const EXCLUSIVE = 1;

/** Writes the list into the guest; NULL for a device without hardware, as NDIS passes for a virtual miniport. */
export function resourceList({ heap, memory }: Kernel, device: PciDevice | undefined): Address {
  if (device === undefined) return NULL;
  const list = heap.allocate(partialSize(device), 'NDIS_RESOURCE_LIST', { fill: 0 });
  writePartialList(memory, list, device);
  return list;
}

/** The same as a CM_RESOURCE_LIST of one bus, which NdisMGetDeviceProperty gives. */
export function fullResourceList({ heap, memory }: Kernel, device: PciDevice): Address {
  const list = heap.allocate(FULL_HEADER + partialSize(device), 'CM_RESOURCE_LIST', { fill: 0 });
  memory.writeU32(list, 1);
  memory.writeU32(at(list, 4), PCI_BUS);
  memory.writeU32(at(list, 8), device.location.bus);
  writePartialList(memory, at(list, FULL_HEADER), device);
  return list;
}

function interruptsOf(device: PciDevice): InterruptSource[] {
  return [...(device.line === undefined ? [] : [device.line]), ...device.messages];
}

function partialSize(device: PciDevice): number {
  return HEADER + (device.ranges.length + interruptsOf(device).length) * DESCRIPTOR;
}

function writePartialList(memory: GuestMemory, list: Address, device: PciDevice): void {
  const interrupts = interruptsOf(device);
  const count = device.ranges.length + interrupts.length;
  memory.writeU16(list, 1);
  memory.writeU16(at(list, 2), 1);
  memory.writeU32(at(list, 4), count);
  let next = at(list, HEADER);
  const begin = (type: number, share: number, flags: number): Address => {
    const descriptor = next;
    memory.writeU8(descriptor, type);
    memory.writeU8(at(descriptor, 1), share);
    memory.writeU16(at(descriptor, 2), flags);
    next = at(next, DESCRIPTOR);
    return descriptor;
  };
  for (const range of device.ranges) {
    const descriptor =
      range.kind === 'port'
        ? begin(CmResourceType.Port, EXCLUSIVE, PORT_IO)
        : begin(CmResourceType.Memory, EXCLUSIVE, 0);
    memory.writeU64(at(descriptor, 4), BigInt(range.start));
    memory.writeU32(at(descriptor, 12), range.size);
  }
  for (const source of interrupts) {
    const message = source.kind === 'message';
    const descriptor = begin(CmResourceType.Interrupt, message ? EXCLUSIVE : SHARED, message ? LATCHED | MESSAGE : 0);
    memory.writeU16(at(descriptor, 4), DEVICE_LEVEL);
    memory.writeU32(at(descriptor, 8), source.vector);
    memory.writeU64(at(descriptor, 12), 1n);
  }
}
