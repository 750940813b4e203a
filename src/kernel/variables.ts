/**
 * Variables that the kernel exports: `KeNumberProcessors`, `ExEventObjectType`, `NlsMbCodePageTag`. A driver imports the address
 * of the variable and reads through it, without a call that could be traced.
 */
import type { Address } from '../trace/units.ts';
import { type GuestMemory, Shadow } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';

/** The value, little-endian, in this many bytes; bytes as they are. */
export type VariableValue =
  | { readonly bytes: Uint8Array }
  | { readonly value: number | bigint; readonly size?: 1 | 2 | 4 | 8 };

/**
 * Makes a variable with an initial value and provides it under its name; gives its address. Drivers may only read it unless
 * `writable`; its owner changes it with `memory.raw`.
 */
export function provideVariable(
  parts: { readonly memory: GuestMemory; readonly heap: Heap; readonly code: HostCode },
  name: string,
  initial: VariableValue,
  writable = false,
): Address {
  const bytes = 'bytes' in initial ? initial.bytes : littleEndian(initial.value, initial.size ?? 8);
  const shadow = writable ? Shadow.ReadWrite : Shadow.ReadOnly;
  const address = parts.heap.allocate(bytes.length, `the kernel's variable ${name}`, { shadow });
  parts.memory.raw(address, bytes.length).set(bytes);
  parts.code.provideData(name, address);
  return address;
}

function littleEndian(value: number | bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return bytes.subarray(0, size);
}
