/** A PCI function as the kernel and NDIS see it. Device models implement it (devices/). */
import type { DmaMaster } from './dma-mappings.ts';
import type { InterruptSource } from './hardware.ts';

export interface PciRange {
  readonly kind: 'memory' | 'port';
  /** Physical address, or first port. */
  readonly start: number;
  readonly size: number;
}

export interface PciDevice extends DmaMaster {
  /** `haltex sample NIC (4858:0001)`: how findings name it. */
  readonly name: string;
  /** BARs in order, as the plug and play manager assigned them. */
  readonly ranges: readonly PciRange[];
  readonly line: InterruptSource | undefined;
  readonly messages: readonly InterruptSource[];
  /** Whether it interrupts by its messages or by its line: the bus driver programs this when interrupts are granted. */
  useMessages(on: boolean): void;
  /** Masks or unmasks one message at its MSI-X table; false without one, or where there is no such entry. */
  maskMessage(message: number, masked: boolean): boolean;
  /** Physical device object, functional device object and the next lower one have this bus location. */
  readonly location: { readonly bus: number; readonly device: number; readonly function: number };
  readConfig(offset: number, size: 1 | 2 | 4): number;
  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void;
  /** False from the moment it was pulled out: every register then reads all ones. */
  readonly present: boolean;
  /** Pulls the device out of its slot. */
  remove(): void;
  /**
   * The bus driver takes it to D3, where only its configuration space answers and it forgets everything, or back to D0. Each
   * routine of the driver that touches it meanwhile is a fact, `device-access-without-power`.
   */
  power(on: boolean): void;
  /**
   * What it is still doing on its own; empty when it is stopped. Rules and reports know these words: `receive DMA`,
   * `transmit DMA`, `interrupts enabled`, `tick running`, `wake-up armed`; a model may add its own.
   */
  activity(): readonly string[];
  /** Frames the driver sent out on the wire, so far. */
  readonly sent: readonly Uint8Array[];
  /** A frame arrives from the wire. */
  receive(frame: Uint8Array): void;
  /** Something happens to it that it interrupts for, as far as its mask lets it: the link changes, a counter runs over. */
  provoke(): void;
  /** Somebody pulls the cable out or puts it back. */
  cable(connected: boolean): void;
}
