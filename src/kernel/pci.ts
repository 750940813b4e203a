/** A PCI function as the kernel and NDIS see it. Device models implement it (devices/). */
import type { InterruptSource } from './hardware.ts';

export interface PciRange {
  readonly kind: 'memory' | 'port';
  /** Physical address, or first port. */
  readonly start: number;
  readonly size: number;
}

export interface PciDevice {
  /** `haltex sample NIC (4858:0001)`: how findings name it. */
  readonly name: string;
  /** BARs in order, as the plug and play manager assigned them. */
  readonly ranges: readonly PciRange[];
  readonly line: InterruptSource | undefined;
  readonly messages: readonly InterruptSource[];
  readConfig(offset: number, size: 1 | 2 | 4): number;
  writeConfig(offset: number, size: 1 | 2 | 4, value: number): void;
  /** False from the moment it was pulled out: every register then reads all ones. */
  readonly present: boolean;
  /** Pulls the device out of its slot. */
  remove(): void;
  /** What it is still doing on its own, in words (`receive DMA`, `interrupts enabled`); empty when it is stopped. */
  activity(): readonly string[];
  /** Frames the driver sent out on the wire, so far. */
  readonly sent: readonly Uint8Array[];
  /** A frame arrives from the wire. */
  receive(frame: Uint8Array): void;
}
