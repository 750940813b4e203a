/** Scatter/gather lists as HAL and NDIS hand them to drivers. Layout: wdm.h for x64 (Elements is an open array behind the head). */
import { type Address, at } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { pointer, struct, u32 } from './layout.ts';

/** The elements follow. */
export const SCATTER_GATHER_LIST = struct('SCATTER_GATHER_LIST', { NumberOfElements: u32, Reserved: pointer });
/** wdm.h: one piece of memory as the device sees it. */
export const SCATTER_GATHER_ELEMENT = struct('SCATTER_GATHER_ELEMENT', {
  Address: pointer,
  Length: u32,
  Reserved: pointer,
});

export interface Piece {
  readonly physical: number;
  readonly size: number;
}

export function listSize(elements: number): number {
  return SCATTER_GATHER_LIST.size + elements * SCATTER_GATHER_ELEMENT.size;
}

export function writeList(memory: GuestMemory, list: Address, pieces: readonly Piece[]): void {
  SCATTER_GATHER_LIST.write(memory, list, { NumberOfElements: pieces.length, Reserved: 0 as Address });
  pieces.forEach(({ physical, size }, index) => {
    SCATTER_GATHER_ELEMENT.write(memory, at(list, listSize(index)), {
      Address: physical as Address,
      Length: size,
      Reserved: 0 as Address,
    });
  });
}
