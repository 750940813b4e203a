/**
 * Driver and device objects, their names, and how devices stand on one another. A device extension is a block of its own, so
 * that an overrun is seen (Windows lays it behind the device object; drivers reach it by DeviceExtension only).
 * Pages: wdm-iocreatedevice, wdm-iodeletedevice, wdm-iocreatesymboliclink, wdm-ioattachdevicetodevicestack, …
 */
import type { Stack } from '../trace/events.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import {
  DEVICE_OBJECT,
  DeviceFlag,
  DRIVER_EXTENSION,
  DRIVER_OBJECT,
  IoType,
  MAJOR_FUNCTIONS,
} from './io-structures.ts';
import type { Routine, View } from './layout.ts';
import type { RegistryKey } from './registry.ts';
import { Status } from './status.ts';
import { allocateUnicodeText } from './strings.ts';

export type DeviceObject = View<typeof DEVICE_OBJECT.fields>;

export interface DeviceOptions {
  readonly driver: Address;
  readonly extensionSize?: number;
  readonly name?: string;
  readonly type?: number;
  readonly characteristics?: number;
  readonly exclusive?: boolean;
  readonly stack?: Stack;
}

export interface DriverOptions {
  /** `netvmini`: the object is `\Driver\netvmini`. */
  readonly name: string;
  readonly start?: Address;
  readonly size?: number;
  readonly entry?: Address;
  /** Serves every IRP, for drivers that are part of haltex (a bus). Without it, requests are invalid as Windows presets them. */
  readonly dispatch?: Routine;
}

/** What the PnP manager knows of a device: IoGetDeviceProperty's values by number, and its registry key. */
export interface DeviceDescription {
  readonly properties: ReadonlyMap<number, Uint8Array>;
  readonly key?: RegistryKey;
}

export class Devices {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly code: HostCode;
  private readonly live = new Set<Address>();
  /** Deleted, but someone has it open. */
  private readonly condemned = new Map<Address, Stack>();
  /** Device objects by upper-case name. */
  private readonly names = new Map<string, Address>();
  /** What symbolic links stand for, by upper-case name. */
  private readonly links = new Map<string, string>();
  private readonly descriptions = new Map<Address, DeviceDescription>();
  /** Driver object extensions, by driver and then by the client's address. */
  private readonly extensions = new Map<Address, Map<Address, Address>>();
  private mapping: Address | undefined;
  private unnamed = 0;

  constructor(parts: { memory: GuestMemory; heap: Heap; code: HostCode }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.code = parts.code;
  }

  /** A driver object as DriverEntry gets it. `invalid` is what requests reach that the driver does not handle. */
  createDriver(options: DriverOptions, invalid: Routine): Address {
    const driver = this.heap.allocate(DRIVER_OBJECT.size, `DRIVER_OBJECT of ${options.name}`, { fill: 0 });
    const extension = this.heap.allocate(DRIVER_EXTENSION.size, `DRIVER_EXTENSION of ${options.name}`, { fill: 0 });
    const dispatch = this.code.expose(options.dispatch ?? invalid);
    const { memory, heap } = this;
    DRIVER_EXTENSION.write(memory, extension, {
      DriverObject: driver,
      ServiceKeyName: allocateUnicodeText({ memory, heap }, options.name, 'service key name'),
    });
    DRIVER_OBJECT.write(memory, driver, {
      Type: IoType.DRIVER,
      Size: DRIVER_OBJECT.size,
      DriverStart: options.start ?? NULL,
      DriverSize: options.size ?? 0,
      DriverInit: options.entry ?? NULL,
      DriverExtension: extension,
      DriverName: allocateUnicodeText({ memory, heap }, `\\Driver\\${options.name}`, 'driver name'),
      MajorFunction: Array.from({ length: MAJOR_FUNCTIONS }, () => dispatch),
    });
    return driver;
  }

  at(device: Address): DeviceObject {
    return DEVICE_OBJECT.at(this.memory, device);
  }

  isDevice(address: Address): boolean {
    return this.live.has(address);
  }

  /** A new device at the head of its driver's list, or the status that says why not. */
  create(options: DeviceOptions): { status: number; device: Address } {
    const { driver, name, stack = [] } = options;
    if (name !== undefined && (this.names.has(name.toUpperCase()) || this.links.has(name.toUpperCase()))) {
      return { status: Status.OBJECT_NAME_COLLISION, device: NULL };
    }
    const what = name ?? `unnamed device ${++this.unnamed}`;
    const device = this.heap.allocate(DEVICE_OBJECT.size, `DEVICE_OBJECT of ${what}`, { fill: 0, stack });
    const size = options.extensionSize ?? 0;
    const extension =
      size === 0 ? NULL : this.heap.allocate(size, `device extension of ${what}`, { fill: 0, stack, align: 16 });
    const owner = driver === NULL ? undefined : DRIVER_OBJECT.at(this.memory, driver);
    DEVICE_OBJECT.write(this.memory, device, {
      Type: IoType.DEVICE,
      Size: DEVICE_OBJECT.size + size,
      DriverObject: driver,
      NextDevice: owner?.DeviceObject ?? NULL,
      Flags:
        DeviceFlag.INITIALIZING |
        (options.exclusive ? DeviceFlag.EXCLUSIVE : 0) |
        (name === undefined ? 0 : DeviceFlag.HAS_NAME),
      Characteristics: options.characteristics ?? 0,
      DeviceExtension: extension,
      DeviceType: options.type ?? 0,
      StackSize: 1,
    });
    if (owner !== undefined) owner.DeviceObject = device;
    if (name !== undefined) this.names.set(name.toUpperCase(), device);
    this.live.add(device);
    return { status: Status.SUCCESS, device };
  }

  /** Takes the device away; its memory goes when nobody has it open any more. */
  delete(device: Address, stack: Stack = []): void {
    const view = this.at(device);
    if (view.DriverObject !== NULL) this.unlist(view);
    for (const [name, named] of this.names) if (named === device) this.names.delete(name);
    this.live.delete(device);
    if (view.ReferenceCount > 0) this.condemned.set(device, stack);
    else this.destroy(view, stack);
  }

  private unlist(device: DeviceObject): void {
    const driver = DRIVER_OBJECT.at(this.memory, device.DriverObject);
    if (driver.DeviceObject === device.address) {
      driver.DeviceObject = device.NextDevice;
      return;
    }
    for (let other = driver.DeviceObject; other !== NULL; other = this.at(other).NextDevice) {
      if (this.at(other).NextDevice === device.address) this.at(other).NextDevice = device.NextDevice;
    }
  }

  private destroy(device: DeviceObject, stack: Stack): void {
    if (device.DeviceExtension !== NULL) this.heap.free(device.DeviceExtension, stack);
    this.heap.free(device.address, stack);
  }

  /** Someone opened the device. */
  reference(device: Address): void {
    this.at(device).ReferenceCount++;
  }

  dereference(device: Address): void {
    const view = this.at(device);
    view.ReferenceCount--;
    const stack = this.condemned.get(device);
    if (stack === undefined || view.ReferenceCount > 0) return;
    this.condemned.delete(device);
    this.destroy(view, stack);
  }

  /** Makes a symbolic link; false when the name is taken. */
  link(name: string, target: string): boolean {
    const key = name.toUpperCase();
    if (this.links.has(key) || this.names.has(key)) return false;
    this.links.set(key, target);
    return true;
  }

  unlink(name: string): boolean {
    return this.links.delete(name.toUpperCase());
  }

  /** The device of a name, through links; `\DosDevices` and `\??` are one directory. */
  find(name: string): Address | undefined {
    let key = name.toUpperCase();
    for (let i = 0; i < 16; i++) {
      const target = this.links.get(key) ?? this.links.get(otherDirectory(key));
      if (target === undefined) return this.names.get(key);
      key = target.toUpperCase();
    }
    return undefined;
  }

  /** The topmost device of the stack a device is in. */
  top(device: Address): Address {
    let top = device;
    for (let above = this.at(top).AttachedDevice; above !== NULL; above = this.at(top).AttachedDevice) top = above;
    return top;
  }

  /** Puts `source` on top of `target`'s stack; gives the device it now stands on. */
  attach(source: Address, target: Address): Address {
    const below = this.at(this.top(target));
    const above = this.at(source);
    below.AttachedDevice = source;
    above.StackSize = below.StackSize + 1;
    above.AlignmentRequirement = below.AlignmentRequirement;
    return below.address;
  }

  /** Takes away what stands directly on `target`. */
  detach(target: Address): void {
    this.at(target).AttachedDevice = NULL;
  }

  /** An extension of a driver object; NULL when the client has one. */
  addExtension(driver: Address, client: Address, size: number, stack: Stack): Address {
    const known = this.extensions.get(driver) ?? new Map<Address, Address>();
    this.extensions.set(driver, known);
    if (known.has(client)) return NULL;
    const made = this.heap.allocate(size, 'driver object extension', { fill: 0, stack });
    known.set(client, made);
    return made;
  }

  extension(driver: Address, client: Address): Address {
    return this.extensions.get(driver)?.get(client) ?? NULL;
  }

  /** The GENERIC_MAPPING of files: FILE_GENERIC_READ, _WRITE, _EXECUTE, FILE_ALL_ACCESS (wdm.h). */
  fileMapping(): Address {
    if (this.mapping === undefined) {
      this.mapping = this.heap.allocate(16, 'GENERIC_MAPPING of files');
      const rights = [0x0012_0089, 0x0012_0116, 0x0012_00a0, 0x001f_01ff];
      for (const [i, right] of rights.entries()) this.memory.writeU32(at(this.mapping, 4 * i), right);
    }
    return this.mapping;
  }

  describe(device: Address, description: DeviceDescription): void {
    this.descriptions.set(device, description);
  }

  description(device: Address): DeviceDescription | undefined {
    return this.descriptions.get(device);
  }
}

function otherDirectory(key: string): string {
  return key.startsWith('\\??\\') ? `\\DOSDEVICES\\${key.slice(4)}` : key.replace(/^\\DOSDEVICES\\/, '\\??\\');
}
