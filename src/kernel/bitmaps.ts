/**
 * RTL_BITMAP: bits in the driver's own buffer, numbered from the lowest bit of each byte. Searches begin at a hint and wrap.
 * Pages: wdm-rtlinitializebitmap, wdm-rtlfindclearbitsandset and their neighbours.
 */
import { at } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u32, type View } from './layout.ts';
import { ANY, functionsOf, IN, POINTER, ULONG, ULONG64 } from './record.ts';

export const RTL_BITMAP = struct('RTL_BITMAP', { SizeOfBitMap: u32, Buffer: pointer });
type Bitmap = View<typeof RTL_BITMAP.fields>;

const NOT_FOUND = 0xffff_ffff;

function read(memory: GuestMemory, { Buffer }: Bitmap, bit: number): boolean {
  return ((memory.readU8(at(Buffer, bit >> 3)) >> (bit & 7)) & 1) === 1;
}

function write(memory: GuestMemory, { Buffer }: Bitmap, start: number, count: number, value: boolean): void {
  for (let bit = start; bit < start + count; bit++) {
    const byte = at(Buffer, bit >> 3);
    const mask = 1 << (bit & 7);
    memory.writeU8(byte, value ? memory.readU8(byte) | mask : memory.readU8(byte) & ~mask);
  }
}

/** Every bit of a range that lies in the bitmap has the value; an empty range or one beyond the end does not. */
function are(memory: GuestMemory, map: Bitmap, start: number, count: number, value: boolean): boolean {
  if (count === 0 || start + count > map.SizeOfBitMap) return false;
  for (let bit = start; bit < start + count; bit++) if (read(memory, map, bit) !== value) return false;
  return true;
}

function count(memory: GuestMemory, map: Bitmap, value: boolean): number {
  let bits = 0;
  for (let bit = 0; bit < map.SizeOfBitMap; bit++) if (read(memory, map, bit) === value) bits++;
  return bits;
}

/** The first run of `wanted` bits, from the hint's byte to the end, then from the start. */
function find(memory: GuestMemory, map: Bitmap, wanted: number, hint: number, value: boolean): number {
  const from = hint < map.SizeOfBitMap ? hint & ~7 : 0;
  if (wanted === 0) return from;
  const search = (start: number) => {
    let run = 0;
    for (let bit = start; bit < map.SizeOfBitMap; bit++) {
      run = read(memory, map, bit) === value ? run + 1 : 0;
      if (run === wanted) return bit - wanted + 1;
    }
    return NOT_FOUND;
  };
  const found = search(from);
  return found === NOT_FOUND && from > 0 ? search(0) : found;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: ANY } as const;

const one = (page: string, value: boolean) =>
  f({
    ...common,
    page,
    params: { BitMapHeader: IN(RTL_BITMAP), BitNumber: ULONG },
    returns: 'void',
    body({ memory }, { BitMapHeader, BitNumber }) {
      write(memory, BitMapHeader, BitNumber, 1, value);
      return undefined;
    },
  });
const all = (page: string, value: boolean) =>
  f({
    ...common,
    page,
    params: { BitMapHeader: IN(RTL_BITMAP) },
    returns: 'void',
    body({ memory }, { BitMapHeader }) {
      // Whole words: the bits behind the last one go too, as Windows fills the buffer.
      memory.fill(BitMapHeader.Buffer, Math.ceil(BitMapHeader.SizeOfBitMap / 32) * 4, value ? 0xff : 0);
      return undefined;
    },
  });
const some = (page: string, value: boolean) =>
  f({
    ...common,
    page,
    params: { BitMapHeader: IN(RTL_BITMAP), StartingIndex: ULONG, NumberToChange: ULONG },
    returns: 'void',
    body({ memory }, { BitMapHeader, StartingIndex, NumberToChange }) {
      write(memory, BitMapHeader, StartingIndex, NumberToChange, value);
      return undefined;
    },
  });
const testing = (page: string, value: boolean) =>
  f({
    ...common,
    page,
    params: { BitMapHeader: IN(RTL_BITMAP), StartingIndex: ULONG, Length: ULONG },
    returns: 'bool',
    body: ({ memory }, { BitMapHeader, StartingIndex, Length }) =>
      are(memory, BitMapHeader, StartingIndex, Length, value),
  });
const counting = (page: string, value: boolean) =>
  f({
    ...common,
    page,
    params: { BitMapHeader: IN(RTL_BITMAP) },
    returns: 'u32',
    body: ({ memory }, { BitMapHeader }) => count(memory, BitMapHeader, value),
  });
/** `change`: the run found is turned over. */
const finding = (page: string, value: boolean, change: boolean) =>
  f({
    ...common,
    page,
    params: { BitMapHeader: IN(RTL_BITMAP), NumberToFind: ULONG, HintIndex: ULONG },
    returns: 'u32',
    body({ memory }, { BitMapHeader, NumberToFind, HintIndex }) {
      const found = find(memory, BitMapHeader, NumberToFind, HintIndex, value);
      if (change && found !== NOT_FOUND) write(memory, BitMapHeader, found, NumberToFind, !value);
      return found;
    },
  });

function ones(value: bigint): number {
  return value.toString(2).replaceAll('0', '').length;
}

export const bitmapFunctions = {
  RtlInitializeBitMap: f({
    ...common,
    page: 'wdm-rtlinitializebitmap',
    params: { BitMapHeader: POINTER, BitMapBuffer: POINTER, SizeOfBitMap: ULONG },
    returns: 'void',
    body({ memory }, { BitMapHeader, BitMapBuffer, SizeOfBitMap }) {
      RTL_BITMAP.write(memory, BitMapHeader, { SizeOfBitMap, Buffer: BitMapBuffer });
      return undefined;
    },
  }),
  RtlSetBit: one('wdm-rtlsetbit', true),
  RtlClearBit: one('wdm-rtlclearbit', false),
  RtlSetAllBits: all('wdm-rtlsetallbits', true),
  RtlClearAllBits: all('wdm-rtlclearallbits', false),
  RtlSetBits: some('wdm-rtlsetbits', true),
  RtlClearBits: some('wdm-rtlclearbits', false),
  RtlAreBitsSet: testing('wdm-rtlarebitsset', true),
  RtlAreBitsClear: testing('wdm-rtlarebitsclear', false),
  RtlNumberOfSetBits: counting('wdm-rtlnumberofsetbits', true),
  RtlNumberOfClearBits: counting('wdm-rtlnumberofclearbits', false),
  RtlFindSetBits: finding('wdm-rtlfindsetbits', true, false),
  RtlFindClearBits: finding('wdm-rtlfindclearbits', false, false),
  RtlFindSetBitsAndClear: finding('wdm-rtlfindsetbitsandclear', true, true),
  RtlFindClearBitsAndSet: finding('wdm-rtlfindclearbitsandset', false, true),
  RtlTestBit: f({
    ...common,
    page: 'wdm-rtltestbit',
    params: { BitMapHeader: IN(RTL_BITMAP), BitNumber: ULONG },
    returns: 'bool',
    body: ({ memory }, { BitMapHeader, BitNumber }) => read(memory, BitMapHeader, BitNumber),
  }),
  RtlFindFirstRunClear: f({
    ...common,
    page: 'wdm-rtlfindfirstrunclear',
    params: { BitMapHeader: IN(RTL_BITMAP), StartingIndex: POINTER },
    returns: 'u32',
    body({ memory }, { BitMapHeader: map, StartingIndex }) {
      const start = find(memory, map, 1, 0, false);
      memory.writeU32(StartingIndex, start);
      if (start === NOT_FOUND) return 0;
      let end = start;
      while (end < map.SizeOfBitMap && !read(memory, map, end)) end++;
      return end - start;
    },
  }),
  RtlFindLeastSignificantBit: f({
    ...common,
    page: 'wdm-rtlfindleastsignificantbit',
    params: { Set: ULONG64 },
    returns: 'u8',
    body: (_, { Set: bits }) => (bits === 0n ? 0xff : (bits & -bits).toString(2).length - 1),
  }),
  RtlFindMostSignificantBit: f({
    ...common,
    page: 'wdm-rtlfindmostsignificantbit',
    params: { Set: ULONG64 },
    returns: 'u8',
    body: (_, { Set: bits }) => (bits === 0n ? 0xff : bits.toString(2).length - 1),
  }),
  RtlNumberOfSetBitsUlongPtr: f({
    ...common,
    page: 'wdm-rtlnumberofsetbitsulongptr',
    params: { Target: ULONG64 },
    returns: 'u32',
    body: (_, { Target }) => ones(Target),
  }),
};
