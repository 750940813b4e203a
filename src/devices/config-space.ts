/**
 * The 256 bytes every PCI function answers configuration reads from: ids, command and status, base address registers, and
 * the capability list. Layout: PCI Local Bus 3.0, chapter 6; capability ids 05h (MSI) and 11h (MSI-X).
 */
import type { PciRange } from '../kernel/pci.ts';

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Class, subclass and programming interface as one number; an Ethernet controller by default. */
  readonly classCode?: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
}

export type MessageCapability = 'msi' | 'msi-x';

const SIZE = 256;
const ETHERNET = 0x02_0000;
const COMMAND = 0x04;
const STATUS = 0x06;
const BAR0 = 0x10;
const CAPABILITIES = 0x34;
const CAPABILITY = 0x50;
/** Message control, and the enable bit in it. */
const CONTROL = CAPABILITY + 2;
const ENABLE = { msi: 0x0001, 'msi-x': 0x8000 } as const;
/** Command register: I/O space, memory space, bus master, interrupt disable. */
const COMMAND_WRITABLE = 0x0407;
/** What the PCI driver leaves it at when it starts a device with all its resources (observed). */
const COMMAND_STARTED = 0x0007;
const BUS_MASTER = 0x0004;
const HAS_CAPABILITIES = 0x0010;
const PORT_BAR = 1;

export class ConfigSpace {
  private readonly bytes = new Uint8Array(SIZE);
  private readonly writable = new Uint8Array(SIZE);
  private readonly view = new DataView(this.bytes.buffer);
  private readonly mask = new DataView(this.writable.buffer);
  private readonly capability: MessageCapability | undefined;

  constructor(parts: {
    identity: PciIdentity;
    ranges: readonly PciRange[];
    line: boolean;
    messages: number;
    capability: MessageCapability;
  }) {
    const { identity, ranges, messages } = parts;
    this.set16(0x00, identity.vendor);
    this.set16(0x02, identity.device);
    this.set16(COMMAND, COMMAND_STARTED, COMMAND_WRITABLE);
    this.set32(0x08, (((identity.classCode ?? ETHERNET) << 8) | (identity.revision ?? 0)) >>> 0);
    this.set16(0x2c, identity.subsystemVendor ?? identity.vendor);
    this.set16(0x2e, identity.subsystem ?? identity.device);
    ranges.forEach((range, index) => {
      const port = range.kind === 'port';
      this.set32(BAR0 + 4 * index, range.start | (port ? PORT_BAR : 0), -range.size & (port ? ~3 : ~15));
    });
    this.bytes[0x3c] = 0xff;
    this.writable[0x3c] = 0xff;
    this.bytes[0x3d] = parts.line ? 1 : 0;
    this.capability = messages > 0 ? parts.capability : undefined;
    if (this.capability === undefined) return;
    this.set16(STATUS, HAS_CAPABILITIES);
    this.bytes[CAPABILITIES] = CAPABILITY;
    this.bytes[CAPABILITY] = this.capability === 'msi' ? 0x05 : 0x11;
    // MSI counts messages as a power of two, MSI-X its table's size less one.
    const control = this.capability === 'msi' ? Math.ceil(Math.log2(messages)) << 1 : messages - 1;
    this.set16(CONTROL, control, ENABLE[this.capability]);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (offset < 0 || offset + size > SIZE) return 0;
    if (size === 1) return this.view.getUint8(offset);
    return size === 2 ? this.view.getUint16(offset, true) : this.view.getUint32(offset, true);
  }

  /** Bits that are read-only keep their value. */
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    for (let i = 0; i < size && offset + i < SIZE; i++) {
      const writable = this.writable[offset + i] as number;
      const byte = Math.floor(value / 2 ** (8 * i)) & 0xff;
      this.bytes[offset + i] = ((this.bytes[offset + i] as number) & ~writable) | (byte & writable);
    }
  }

  get busMaster(): boolean {
    return (this.view.getUint16(COMMAND, true) & BUS_MASTER) !== 0;
  }

  get messagesEnabled(): boolean {
    return this.capability !== undefined && (this.view.getUint16(CONTROL, true) & ENABLE[this.capability]) !== 0;
  }

  enableMessages(on: boolean): void {
    if (this.capability === undefined) return;
    const bit = ENABLE[this.capability];
    const control = this.view.getUint16(CONTROL, true);
    this.view.setUint16(CONTROL, on ? control | bit : control & ~bit, true);
  }

  private set16(offset: number, value: number, writable = 0): void {
    this.view.setUint16(offset, value, true);
    this.mask.setUint16(offset, writable, true);
  }

  private set32(offset: number, value: number, writable = 0): void {
    this.view.setUint32(offset, value, true);
    this.mask.setUint32(offset, writable, true);
  }
}
