/** Guest memory that tells of every checked access: of the driver's, where the engine has `everyAccess`, and of the kernel's for it. */
import type { Address } from '../trace/units.ts';
import { GuestMemory } from './memory.ts';

/** Told of an access before it is made, whether or not it will be refused. */
export type AccessWatch = (address: Address, size: number, access: 'read' | 'write') => void;

export class WatchedMemory extends GuestMemory {
  /** Set by the kernel; a reset takes it away. */
  watch: AccessWatch | undefined;

  override reset(): void {
    super.reset();
    this.watch = undefined;
  }

  override readU8(address: Address): number {
    this.watch?.(address, 1, 'read');
    return super.readU8(address);
  }
  override readU16(address: Address): number {
    this.watch?.(address, 2, 'read');
    return super.readU16(address);
  }
  override readU32(address: Address): number {
    this.watch?.(address, 4, 'read');
    return super.readU32(address);
  }
  override readU64(address: Address): bigint {
    this.watch?.(address, 8, 'read');
    return super.readU64(address);
  }
  override readPointer(address: Address): Address {
    this.watch?.(address, 8, 'read');
    return super.readPointer(address);
  }

  override writeU8(address: Address, value: number): void {
    this.watch?.(address, 1, 'write');
    super.writeU8(address, value);
  }
  override writeU16(address: Address, value: number): void {
    this.watch?.(address, 2, 'write');
    super.writeU16(address, value);
  }
  override writeU32(address: Address, value: number): void {
    this.watch?.(address, 4, 'write');
    super.writeU32(address, value);
  }
  override writeU64(address: Address, value: bigint): void {
    this.watch?.(address, 8, 'write');
    super.writeU64(address, value);
  }
  override writePointer(address: Address, value: number): void {
    this.watch?.(address, 8, 'write');
    super.writePointer(address, value);
  }

  override read(address: Address, size: number): Uint8Array {
    this.watch?.(address, size, 'read');
    return super.read(address, size);
  }
  override write(address: Address, data: Uint8Array): void {
    this.watch?.(address, data.length, 'write');
    super.write(address, data);
  }
  override fill(address: Address, size: number, value: number): void {
    this.watch?.(address, size, 'write');
    super.fill(address, size, value);
  }
}
