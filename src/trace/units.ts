/**
 * The branded numbers of the simulated world. A brand costs nothing at run time and keeps an address from being added to a
 * time or passed as a handle's index.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/**
 * A 64-bit guest virtual address, held as the *signed* value of its 64 bits: every canonical x64 address then fits a
 * JavaScript number exactly. Kernel addresses are negative: `0xFFFFF80000001000` is `-0x7FFFFFFF000`.
 * Non-canonical values may be rounded; they fault wherever they are used.
 */
export type Address = Branded<'Address'>;

/** An opaque value NDIS or the kernel gave to the driver; it is an address in the guest so that a driver may store it. */
export type Handle = Address;

/** Interrupt request level, 0 (PASSIVE_LEVEL) to 15 (HIGH_LEVEL). */
export type Irql = Branded<'Irql'>;

/** Virtual time since the simulated boot, in Windows' unit of 100 nanoseconds. */
export type VirtualTime = Branded<'VirtualTime'>;

/** The null pointer, of handles and of memory. */
export const NULL = 0 as Address;

/** Threads of the system and of drivers, unless they have raised it. */
export const PASSIVE_LEVEL = 0 as Irql;
/** Page faults are possible, APCs are not. */
export const APC_LEVEL = 1 as Irql;
/** DPCs, timers and whoever holds a spin lock: no waits, no pageable memory. */
export const DISPATCH_LEVEL = 2 as Irql;
/** Device interrupts on x64 run at 3 to 11; the level haltex gives the simulated device. */
export const DEVICE_LEVEL = 9 as Irql;
/** Nothing interrupts it. */
export const HIGH_LEVEL = 15 as Irql;

const irqlNames: Readonly<Record<number, string>> = {
  0: 'PASSIVE_LEVEL',
  1: 'APC_LEVEL',
  2: 'DISPATCH_LEVEL',
  15: 'HIGH_LEVEL',
};

export function irqlName(irql: number): string {
  return irqlNames[irql] ?? `DIRQL ${irql}`;
}

/** `address + bytes`, still an address. */
export function at(address: Address, bytes: number): Address {
  return (address + bytes) as Address;
}

/** The 64 bits of an address as an unsigned bigint, as registers hold it. */
export function toBits(address: number): bigint {
  return BigInt.asUintN(64, BigInt(Math.trunc(address)));
}

/** The address that 64 register bits stand for. */
export function fromBits(bits: bigint): Address {
  return Number(BigInt.asIntN(64, bits)) as Address;
}

/** `0xFFFFF80000001000`, the way debuggers on Windows print a pointer. */
export function hex(value: number | bigint): string {
  if (typeof value === 'bigint') return `0x${BigInt.asUintN(64, value).toString(16).toUpperCase()}`;
  const whole = Math.trunc(value);
  // Two halves of 32 bits: a bigint would take several times as long.
  const high = Math.floor(whole / 0x1_0000_0000) >>> 0;
  const low = (whole >>> 0).toString(16).toUpperCase();
  return high === 0 ? `0x${low}` : `0x${high.toString(16).toUpperCase()}${low.padStart(8, '0')}`;
}

/** In units of 100 ns, which virtual time counts in. */
export const MICROSECOND = 10;
/** In units of 100 ns. */
export const MILLISECOND = 10_000;
/** In units of 100 ns. */
export const SECOND = 10_000_000;
