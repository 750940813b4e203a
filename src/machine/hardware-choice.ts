/** Which device a driver finds when its user names none, and what installing its INF leaves behind. */
import type { DeviceDefinition } from '../devices/define-device.ts';
import { bundledDevices, type DeviceFactory, genericFor, modelFor } from '../devices/registry.ts';
import type { Inf } from '../image/inf.ts';
import type { DriverFile } from './driver-file.ts';

/** Imports that only a driver of real hardware has. */
const HARDWARE_IMPORTS = [
  'NdisMRegisterInterruptEx',
  'NdisMMapIoSpace',
  'NdisMRegisterIoPortRange',
  'NdisMRegisterScatterGatherDma',
];

/**
 * A driver of hardware finds the model of its INF's device, one without a model, or, when there is no INF, the sample NIC.
 * Undefined for a driver of no hardware.
 * @param hardwareIds the INF's, in order
 */
export function deviceByDefault(driver: DriverFile, hardwareIds: readonly string[]): DeviceFactory | undefined {
  const hardware =
    driver.kind === 'typescript' ||
    driver.image.imports.some(({ symbols }) => symbols.some(({ name }) => HARDWARE_IMPORTS.includes(name ?? '')));
  if (!hardware) return undefined;
  const unknown = hardwareIds.map(genericFor).find((factory) => factory !== undefined);
  return modelFor(hardwareIds) ?? unknown ?? bundledDevices['sample-nic'];
}

/** Whether a module's default export is what `defineDevice` gives. */
export function isDeviceDefinition(value: unknown): value is DeviceDefinition<unknown, object> {
  const given = value as Partial<DeviceDefinition> | null;
  return (
    typeof given === 'object' && given !== null && Array.isArray(given.bars) && typeof given.activity === 'function'
  );
}

/** The values an installation with this INF leaves in the adapter's key. */
export function installedBy({ hardwareIds: [id], values }: Inf): Inf['values'] {
  // The class installer writes it, in lower case (observed).
  return id === undefined ? values : { MatchingDeviceId: id.toLowerCase(), ...values };
}
