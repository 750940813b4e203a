/** The devices that come with haltex, by name. A model joins by one line. */
import type { Kernel } from '../kernel/kernel.ts';
import type { PciDevice } from '../kernel/pci.ts';
import { genericNic, identityOf } from './generic.ts';
import { sampleNic } from './nic.ts';
import { type Plugging, plug } from './pci-bus.ts';

/** Makes the device of one run, in the slot and with the trouble asked for. */
export type DeviceFactory = (kernel: Kernel, plugging?: Plugging) => PciDevice;

/** The models that come with haltex, by the names that `--device` takes. */
export const bundledDevices: Readonly<Record<string, DeviceFactory>> = {
  'sample-nic': (kernel, plugging) => plug(kernel, sampleNic, {}, plugging),
};

/** Models by the ids of their devices, as `PCI\\VEN_…&DEV_…` names them. */
const modelled: readonly (readonly [id: string, device: string])[] = [['PCI\\VEN_4858&DEV_0001', 'sample-nic']];

/** The bundled model for the first of the hardware ids that has one. */
export function modelFor(hardwareIds: readonly string[]): DeviceFactory | undefined {
  const known = hardwareIds.flatMap((id) => modelled.filter(([model]) => id.toUpperCase().startsWith(model)));
  return known[0] === undefined ? undefined : bundledDevices[known[0][1]];
}

/** A device with that hardware id whose registers are guessed; undefined where the id names no PCI function. */
export function genericFor(hardwareId: string): DeviceFactory | undefined {
  const identity = identityOf(hardwareId);
  return identity === undefined ? undefined : (kernel, plugging) => plug(kernel, genericNic(identity), {}, plugging);
}
