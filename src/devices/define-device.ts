/**
 * How a user models a NIC: one call, one file. Ids, base address registers with their register tables, interrupts, and what
 * the device does on its own. See docs/devices.md.
 */
import type { DmaTarget } from '../kernel/dma-mappings.ts';
import type { MessageCapability, PciIdentity } from './config-space.ts';
import type { RegisterTable, UnknownRegisters } from './registers.ts';

/** A base address register: a block of registers in memory space, or a range of I/O ports. */
export interface Bar<S> {
  readonly kind: 'memory' | 'port';
  /** Bytes, or ports; a power of two. */
  readonly size: number;
  readonly registers: RegisterTable<Device<S>>;
  /** What registers outside the table answer; without it they read as zero, and each is a fact of the trace. */
  readonly unknown?: UnknownRegisters<Device<S>>;
}

/** What the hooks of a definition work on: the state they keep, and the bus. */
export interface Device<S> {
  readonly state: S;
  /** Kept values of the registers of all BARs, by name. */
  readonly registers: Record<string, number>;
  readonly present: boolean;
  /**
   * Says which messages have a cause pending, in order. The line is up while any has; a message is sent when its cause
   * appears. Call it whenever a cause or the mask changes.
   */
  interrupts(...pending: readonly boolean[]): void;
  /** DMA. Nothing is read or written once the device is gone or the driver has taken bus mastering away. */
  readMemory(physical: number, size: number): Uint8Array;
  /** DMA to the machine's memory. An address the driver has freed or unmapped is a fault of the trace. */
  writeMemory(physical: number, data: Uint8Array): void;
  /** Memory as it lies there, without a DMA access: for `dmaTargets`. Undefined where it is not all live memory. */
  peekMemory(physical: number, size: number): Uint8Array | undefined;
  /** Lets something happen after so many units of 100 ns; `every` until it is stopped. Both end when the device is pulled. */
  after(delay: number, happen: () => void): Timer;
  /** Calls `happen` every `period`, in units of 100 ns of virtual time, until it is stopped. */
  every(period: number, happen: () => void): Timer;
  /** A frame leaves on the wire. */
  transmit(frame: Uint8Array): void;
  /** Sets registers back to their `reset` values: those named, or all. */
  resetRegisters(...names: readonly string[]): void;
}

/** What `after` and `every` of a device have begun. */
export interface Timer {
  /** It will not happen any more. */
  stop(): void;
}

/** What a device is made of: `defineDevice` gives it its types. */
export interface DeviceDefinition<S = unknown, O = unknown> {
  /** How findings name it. */
  readonly name: string;
  readonly identity: PciIdentity;
  readonly bars: readonly Bar<S>[];
  readonly interrupts: { readonly line: boolean; readonly messages: number; readonly capability?: MessageCapability };
  /**
   * Its registers are guessed, not known: what the driver makes of an interrupt is then not judged.
   */
  readonly guessed?: boolean;
  /** Fresh state for one run. `options` choose a behaviour: what a scenario varies. */
  state(options: O): S;
  /** The device has power and sits on its bus. */
  started?(device: Device<S>): void;
  /** A frame arrives from the wire. */
  receive?(device: Device<S>, frame: Uint8Array): void;
  /** Something happens that the device interrupts for whenever it may: a change of the link. Scenarios bring it about. */
  provoke?(device: Device<S>): void;
  /**
   * The troubles this device can show, by name, each as the options that bring it about: `{ 'no-link': { linkUp: false } }`.
   * Names that troubles.ts has words for are shown in those words. What any device can show need not be listed.
   */
  readonly troubles?: Readonly<Record<string, Partial<O>>>;
  /** The cable is pulled out or put back. */
  cable?(device: Device<S>, connected: boolean): void;
  /**
   * What the device still does on its own, in words: `receive DMA`, `transmit DMA`, `interrupts enabled`, `tick running`,
   * `wake-up armed`. What is listed when MiniportHaltEx returns is a finding.
   */
  activity(device: Device<S>): readonly string[];
  /** Memory the device may touch at any moment: rings, and the buffers of descriptors it owns. */
  dmaTargets?(device: Device<S>): readonly DmaTarget[];
}

/** Declares a device: `export default defineDevice({ … })`. */
export function defineDevice<S, O = Record<never, never>>(definition: DeviceDefinition<S, O>): DeviceDefinition<S, O> {
  return definition;
}

/** A block of registers in memory space. */
export function memoryBar<S>(
  size: number,
  registers: RegisterTable<Device<S>>,
  unknown?: UnknownRegisters<Device<S>>,
): Bar<S> {
  return { kind: 'memory', size, registers, ...(unknown === undefined ? {} : { unknown }) };
}

/** A range of I/O ports. */
export function portBar<S>(
  size: number,
  registers: RegisterTable<Device<S>>,
  unknown?: UnknownRegisters<Device<S>>,
): Bar<S> {
  return { kind: 'port', size, registers, ...(unknown === undefined ? {} : { unknown }) };
}
