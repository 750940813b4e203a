/** The devices that come with haltex, by name. A model joins by one line. */
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { sampleNic } from './nic.ts';
import { type Plugging, plug } from './pci-bus.ts';

/** Makes the device of one run, in the slot and with the trouble asked for. */
export type DeviceFactory = (kernel: Kernel, plugging?: Plugging) => PciDevice;

export const bundledDevices: Readonly<Record<string, DeviceFactory>> = {
  'sample-nic': (kernel, plugging) => plug(kernel, sampleNic, {}, plugging),
};
