/** The devices that come with haltex, by name. A model joins by one line. */
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { sampleNic } from './nic.ts';
import { plug } from './pci-bus.ts';

/** Makes the device of one run. */
export type DeviceFactory = (kernel: Kernel) => PciDevice;

export const bundledDevices: Readonly<Record<string, DeviceFactory>> = {
  'sample-nic': (kernel) => plug(kernel, sampleNic, {}),
};
