/** Driver objects for the machine: the driver under test, and drivers that haltex plays itself, such as a bus. */
import type { Address } from '../trace/units.ts';
import type { Devices, DriverOptions } from './io-devices.ts';
import type { Irps } from './irps.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';

export class IoDrivers {
  private readonly devices: Devices;
  /** What the I/O manager presets every dispatch routine with: it completes with STATUS_INVALID_DEVICE_REQUEST. */
  private readonly invalid: (args: { Irp: Address }) => Coroutine<number>;

  constructor(parts: { devices: Devices; irps: Irps }) {
    const { irps } = parts;
    this.devices = parts.devices;
    this.invalid = function* IopInvalidDeviceRequest({ Irp }) {
      irps.at(Irp).IoStatus.Status = Status.INVALID_DEVICE_REQUEST;
      yield* irps.complete(Irp);
      return Status.INVALID_DEVICE_REQUEST;
    };
  }

  create(options: DriverOptions): Address {
    return this.devices.createDriver(options, this.invalid);
  }
}
