/**
 * Copying, filling and comparing memory: the C runtime's four and the Rtl routines over them. Every byte goes through checked
 * memory, so an overrun faults at the first byte it may not touch, with what came before already done, as in guest code.
 * Pages: wdm-rtlcopymemory, wdm-rtlmovememory, wdm-rtlzeromemory, wdm-rtlfillmemory, wdm-rtlcomparememory; the C runtime reference (pages `crt:…`).
 */
import { type Address, at } from '../trace/units.ts';
import { type GuestMemory, Shadow } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { ANY, functionsOf, LONG, POINTER, SIZE_T, UCHAR, ULONG } from './record.ts';

/** Device registers are read and written as wide as the copying loops of ntoskrnl do it (assumed: 8 bytes where aligned). */
function width(memory: GuestMemory, to: Address, from: Address, left: number): 1 | 8 {
  const device = memory.shadowAt(to) === Shadow.Device || memory.shadowAt(from) === Shadow.Device;
  return device && left >= 8 && to % 8 === 0 && from % 8 === 0 ? 8 : 1;
}

/** memmove: overlapping ranges come out right. */
export function moveMemory(memory: GuestMemory, to: Address, from: Address, size: number): void {
  if (size === 0) return;
  if (memory.readable(from, size) && memory.writable(to, size)) {
    memory.write(to, memory.read(from, size));
    return;
  }
  if (to > from && to < from + size) {
    for (let i = size - 1; i >= 0; i--) memory.writeU8(at(to, i), memory.readU8(at(from, i)));
    return;
  }
  for (let i = 0; i < size; ) {
    const step = width(memory, at(to, i), at(from, i), size - i);
    if (step === 8) memory.writeU64(at(to, i), memory.readU64(at(from, i)));
    else memory.writeU8(at(to, i), memory.readU8(at(from, i)));
    i += step;
  }
}

/** Bytes that are equal before the first difference. */
export function equalBytes(memory: GuestMemory, first: Address, second: Address, size: number): number {
  let i = 0;
  while (i < size && memory.readU8(at(first, i)) === memory.readU8(at(second, i))) i++;
  return i;
}

const f = functionsOf<Kernel>();

const copying = (page: string) =>
  f({
    module: 'ntoskrnl.exe',
    page,
    params: { Destination: POINTER, Source: POINTER, Length: SIZE_T },
    returns: 'pointer',
    irql: ANY,
    body({ memory }, { Destination, Source, Length }) {
      moveMemory(memory, Destination, Source, Length);
      return Destination;
    },
  });

const zeroing = (page: string) =>
  f({
    module: 'ntoskrnl.exe',
    page,
    params: { Destination: POINTER, Length: SIZE_T },
    returns: 'void',
    irql: ANY,
    body({ memory }, { Destination, Length }) {
      memory.fill(Destination, Length, 0);
      return undefined;
    },
  });

export const memoryFunctions = {
  memcpy: copying('crt:memcpy'),
  memmove: copying('crt:memmove'),
  RtlCopyMemory: copying('wdm-rtlcopymemory'),
  RtlMoveMemory: copying('wdm-rtlmovememory'),
  RtlZeroMemory: zeroing('wdm-rtlzeromemory'),
  RtlSecureZeroMemory: zeroing('wdm-rtlsecurezeromemory'),
  memset: f({
    module: 'ntoskrnl.exe',
    page: 'crt:memset',
    params: { Destination: POINTER, Value: LONG, Length: SIZE_T },
    returns: 'pointer',
    irql: ANY,
    body({ memory }, { Destination, Value, Length }) {
      memory.fill(Destination, Length, Value & 0xff);
      return Destination;
    },
  }),
  RtlFillMemory: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-rtlfillmemory',
    params: { Destination: POINTER, Length: SIZE_T, Fill: UCHAR },
    returns: 'void',
    irql: ANY,
    body({ memory }, { Destination, Length, Fill }) {
      memory.fill(Destination, Length, Fill);
      return undefined;
    },
  }),
  RtlFillMemoryUlong: f({
    module: 'ntoskrnl.exe',
    page: 'ntifs-rtlfillmemoryulong',
    params: { Destination: POINTER, Length: SIZE_T, Pattern: ULONG },
    returns: 'void',
    irql: ANY,
    body({ memory }, { Destination, Length, Pattern }) {
      for (let i = 0; i + 4 <= Length; i += 4) memory.writeU32(at(Destination, i), Pattern);
      return undefined;
    },
  }),
  memcmp: f({
    module: 'ntoskrnl.exe',
    page: 'crt:memcmp',
    params: { Buffer1: POINTER, Buffer2: POINTER, Count: SIZE_T },
    returns: 'i32',
    irql: ANY,
    body({ memory }, { Buffer1, Buffer2, Count }) {
      const equal = equalBytes(memory, Buffer1, Buffer2, Count);
      return equal === Count ? 0 : memory.readU8(at(Buffer1, equal)) < memory.readU8(at(Buffer2, equal)) ? -1 : 1;
    },
  }),
  RtlCompareMemory: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-rtlcomparememory',
    params: { Source1: POINTER, Source2: POINTER, Length: SIZE_T },
    returns: 'u64',
    irql: ANY,
    body({ memory }, { Source1, Source2, Length }) {
      return BigInt(equalBytes(memory, Source1, Source2, Length));
    },
  }),
  memchr: f({
    module: 'ntoskrnl.exe',
    page: 'crt:memchr',
    params: { Buffer: POINTER, Character: LONG, Count: SIZE_T },
    returns: 'pointer',
    irql: ANY,
    body({ memory }, { Buffer, Character, Count }) {
      for (let i = 0; i < Count; i++) if (memory.readU8(at(Buffer, i)) === (Character & 0xff)) return at(Buffer, i);
      return 0 as Address;
    },
  }),
};
