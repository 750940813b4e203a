/** One miniport adapter as NDIS keeps it: its driver, its state, what is pending between NDIS and the driver. */

import type { PciDevice } from '../kernel/pci.ts';
import { InternalError } from '../kernel/stops.ts';
import type { AdapterState, Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, type Handle, NULL } from '../trace/units.ts';
import { type AdapterEvent, next } from './adapter-state.ts';
import type { MiniportDriver } from './driver.ts';

/** What NDIS waits for the driver to complete. */
export interface PendingOperation {
  /** Set by the completing call. */
  status: number | undefined;
  /** The driver's routine has returned NDIS_STATUS_PENDING: from here on it knows what NDIS wants. */
  pended?: boolean;
  /** Told once, at the very moment the driver says it is done. */
  onDone?: (() => void) | undefined;
  /** Where the completing call was made. */
  completedAt?: Stack;
}

export class Adapter {
  /** NdisMiniportHandle: what the driver calls us with. */
  readonly handle: Handle;
  readonly driver: MiniportDriver;
  /** The device it drives; undefined for a virtual miniport. Another one once the PnP manager has given it other resources. */
  device: PciDevice | undefined;
  /** The adapter's hardware or software key in the registry. */
  readonly registryPath: string;
  private readonly trace: Recorder;
  private current: AdapterState = 'Halted';

  /** MiniportAdapterContext, from the registration attributes. */
  context: Handle = NULL;
  /** MiniportAddDeviceContext. */
  addDeviceContext: Handle = NULL;
  attributeFlags = 0;
  /** CheckForHangTimeInSeconds; 0 leaves it to NDIS. */
  checkForHangSeconds = 0;
  /** The general attributes had power management capabilities. */
  managesPower = false;
  registrationAttributes = false;
  generalAttributes:
    | { mtu: number; macAddress: Uint8Array; connected: boolean; lookahead: number; mediaType: number }
    | undefined;
  /** Between MiniportInitializeEx' call and MiniportHaltEx' return (or a failed initialize) the handle is good. */
  valid = false;

  pause: PendingOperation | undefined;
  restart: PendingOperation | undefined;
  reset: PendingOperation | undefined;
  /** The driver called NdisMRemoveMiniport: it gives the adapter up. */
  removalRequested = false;
  /** MiniportHaltEx runs. */
  halting = false;
  /** Its device is in D3. */
  asleep = false;
  /** Between MiniportAddDevice and MiniportRemoveDevice. */
  added = false;
  /** How often MiniportInitializeEx was called for it. */
  initializations = 0;

  constructor(parts: {
    handle: Handle;
    driver: MiniportDriver;
    device: PciDevice | undefined;
    registryPath: string;
    trace: Recorder;
  }) {
    this.handle = parts.handle;
    this.driver = parts.driver;
    this.device = parts.device;
    this.registryPath = parts.registryPath;
    this.trace = parts.trace;
  }

  /** What the driver said of an adapter before it was halted, or while a failing initialize ran, is no longer so. */
  forget(): void {
    this.context = NULL;
    this.attributeFlags = 0;
    this.checkForHangSeconds = 0;
    this.managesPower = false;
    this.registrationAttributes = false;
    this.generalAttributes = undefined;
    this.removalRequested = false;
  }

  has(flag: number): boolean {
    return (this.attributeFlags & flag) !== 0;
  }

  get state(): AdapterState {
    return this.current;
  }

  /** The routine the driver registered, or undefined where it left NULL. */
  routine(name: keyof MiniportDriver['handlers']): Address | undefined {
    const address = this.driver.handlers[name];
    return address === undefined || address === NULL ? undefined : address;
  }

  allows(event: AdapterEvent): boolean {
    return next(this.current, event) !== undefined;
  }

  /** Moves by the table. haltex itself only plays legal events; the driver's completions are checked before. */
  move(event: AdapterEvent): void {
    const to = next(this.current, event);
    if (to === undefined) throw new InternalError('state-illegal-event', `${event} in state ${this.current}`);
    const from = this.current;
    this.current = to;
    if (to !== from) this.trace.emit({ kind: 'state', of: this.handle, from, to, event });
  }
}
