/** C structures that several families of the kernel share. Layouts: the WDK's wdm.h and ntdef.h for x64. */

import type { Address } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { array, type CType, i32, pointer, struct, u8, u16 } from './layout.ts';

/** LONGLONG as a JavaScript number: relative times are exact, absolute ones (since 1601) to 1.6 microseconds. */
export const longlong: CType<number> = {
  size: 8,
  align: 8,
  read: (memory: GuestMemory, address: Address) => memory.readPointer(address),
  write: (memory: GuestMemory, address: Address, value: number) => memory.writePointer(address, value),
};

/** wdm.h; only QuadPart, as a number. */
export const LARGE_INTEGER = struct('LARGE_INTEGER', { QuadPart: longlong });

/** wdm.h. */
export const LIST_ENTRY = struct('LIST_ENTRY', { Flink: pointer, Blink: pointer });

/** wdm.h. */
export const PROCESSOR_NUMBER = struct('PROCESSOR_NUMBER', { Group: u16, Number: u8, Reserved: u8 });

/** wdm.h. */
export const GROUP_AFFINITY = struct('GROUP_AFFINITY', { Mask: pointer, Group: u16, Reserved: array(u16, 3) });

/** What every object a thread can wait for begins with. */
export const DISPATCHER_HEADER = struct('DISPATCHER_HEADER', {
  Type: u8,
  Signalling: u8,
  Size: u8,
  Reserved1: u8,
  SignalState: i32,
  WaitListHead: LIST_ENTRY,
});
