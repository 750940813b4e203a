/** From the command line's options to a machine: which device the driver finds, which settings its registry key holds. */
import { existsSync } from 'node:fs';
import { plug } from '../devices/pci-bus.ts';
import { bundledDevices, type DeviceFactory, genericFor } from '../devices/registry.ts';
import { type Inf, readInf } from '../image/inf.ts';
import type { DriverFile } from '../machine/driver-file.ts';
import { deviceByDefault, installedBy, isDeviceDefinition } from '../machine/hardware-choice.ts';
import type { MachineConfig } from '../machine/machine.ts';
import { InputError } from './errors.ts';
import { importDefault, readBytes } from './load.ts';
import { suggestion } from './suggest.ts';

export interface MachineOptions {
  readonly device?: string;
  readonly inf?: string;
}

export async function machineFor(driver: DriverFile, path: string, options: MachineOptions): Promise<MachineConfig> {
  const inf = infFor(path, options.inf, options.device?.startsWith('PCI\\') ? options.device : undefined);
  const device = await deviceFor(driver, options.device, inf?.hardwareIds ?? []);
  return {
    driver,
    ...(device === undefined ? {} : { device }),
    ...(inf === undefined ? {} : { adapterValues: installedBy(inf), parameters: inf.parameters }),
  };
}

/** The INF named, or the one beside the driver. Lines that cannot be understood are told and left out. */
function infFor(path: string, named: string | undefined, hardwareId: string | undefined): Inf | undefined {
  const file = named ?? path.replace(/\.\w+$/, '.inf');
  if (named === undefined && !existsSync(file)) return undefined;
  const inf = readInf(readBytes(file), hardwareId);
  const [first] = inf.problems;
  if (named !== undefined && first?.line === 0) throw new InputError(`${file}: ${first.text}.`);
  for (const { line, text } of inf.problems.slice(0, SHOWN_PROBLEMS)) {
    process.stderr.write(`haltex: ${file}${line === 0 ? '' : `:${line}`}: ${text}.\n`);
  }
  const more = inf.problems.length - SHOWN_PROBLEMS;
  if (more > 0) process.stderr.write(`haltex: ${file}: ${more} more lines are not as they should be.\n`);
  return inf;
}

const SHOWN_PROBLEMS = 10;

/**
 * The device named: `none`, a file that models one, a bundled model, `generic` for the INF's first device without a model, or a
 * hardware id for that one; without a name, the one it finds by default.
 */
async function deviceFor(
  driver: DriverFile,
  named: string | undefined,
  hardwareIds: readonly string[],
): Promise<DeviceFactory | undefined> {
  if (named === 'none') return undefined;
  if (named === 'generic' || named?.startsWith('PCI\\')) return generic(named === 'generic' ? hardwareIds[0] : named);
  if (named !== undefined && /\.[cm]?[jt]s$/.test(named)) {
    const definition = await importDefault(named);
    if (!isDeviceDefinition(definition)) {
      throw new InputError(`${named}: its default export is not a device; write «export default defineDevice({ … })».`);
    }
    return (kernel, plugging) => plug(kernel, definition, {}, plugging);
  }
  if (named !== undefined) {
    const device = bundledDevices[named];
    if (device === undefined) {
      throw new InputError(
        `there is no bundled device «${named}»${suggestion(named, [...Object.keys(bundledDevices), 'generic', 'none'])}`,
      );
    }
    return device;
  }
  return deviceByDefault(driver, hardwareIds);
}

function generic(hardwareId: string | undefined): DeviceFactory {
  const device = hardwareId === undefined ? undefined : genericFor(hardwareId);
  if (device !== undefined) return device;
  throw new InputError(
    hardwareId === undefined
      ? '--device generic takes its ids from the INF: name one with --inf, or give a hardware id, as in --device "PCI\\VEN_8086&DEV_1539".'
      : `«${hardwareId}» is no hardware id of a PCI device; one reads PCI\\VEN_8086&DEV_1539.`,
  );
}
