/** The resource list as a driver reads it: CM_PARTIAL_RESOURCE_LIST and its descriptors, packed to four bytes (wdm.h). */
import { type CType, pointer, struct, u8, u16, u32, union } from '../kernel/layout.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';

const packed = <T, I>(type: CType<T, I>): CType<T, I> => ({ ...type, align: 4 });
const range = struct('Generic', { Start: packed(pointer), Length: u32 });

export const CM_PARTIAL_RESOURCE_DESCRIPTOR = struct('CM_PARTIAL_RESOURCE_DESCRIPTOR', {
  Type: u8,
  ShareDisposition: u8,
  Flags: u16,
  u: union('u', {
    Generic: range,
    Port: range,
    Memory: range,
    Interrupt: struct('Interrupt', { Level: u16, Group: u16, Vector: u32, Affinity: packed(pointer) }),
  }),
});

/** NDIS_RESOURCE_LIST; the descriptors follow. */
export const CM_PARTIAL_RESOURCE_LIST = struct('CM_PARTIAL_RESOURCE_LIST', { Version: u16, Revision: u16, Count: u32 });

/** Views of a list's descriptors; none for a NULL list. */
export function descriptorsOf(memory: GuestMemory, list: Address) {
  const count = list === NULL ? 0 : CM_PARTIAL_RESOURCE_LIST.at(memory, list).Count;
  return Array.from({ length: count }, (_, i) =>
    CM_PARTIAL_RESOURCE_DESCRIPTOR.at(
      memory,
      at(list, CM_PARTIAL_RESOURCE_LIST.size + i * CM_PARTIAL_RESOURCE_DESCRIPTOR.size),
    ),
  );
}
