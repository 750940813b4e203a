import { expect, it } from 'vitest';
import { at } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { testKernel } from './testing.ts';

it('keeps bits in the driver’s buffer and finds runs of them', () => {
  const { kernel, wdk, run } = testKernel();
  const buffer = kernel.heap.allocate(8, 'bits', { fill: 0 });
  const header = kernel.heap.allocate(16, 'RTL_BITMAP');
  run(function* () {
    yield* wdk.RtlInitializeBitMap({ BitMapHeader: header, BitMapBuffer: buffer, SizeOfBitMap: 40 });
    const BitMapHeader = header;
    yield* wdk.RtlSetBits({ BitMapHeader, StartingIndex: 3, NumberToChange: 6 });
    expect(kernel.memory.readU16(buffer)).toBe(0x1f8);
    expect(yield* wdk.RtlNumberOfSetBits({ BitMapHeader })).toBe(6);
    expect(yield* wdk.RtlFindClearBitsAndSet({ BitMapHeader, NumberToFind: 4, HintIndex: 0 })).toBe(9);
    expect(yield* wdk.RtlAreBitsSet({ BitMapHeader, StartingIndex: 3, Length: 10 })).toBe(true);
    expect(yield* wdk.RtlAreBitsSet({ BitMapHeader, StartingIndex: 38, Length: 4 })).toBe(false);
    expect(yield* wdk.RtlFindClearBits({ BitMapHeader, NumberToFind: 30, HintIndex: 0 })).toBe(0xffffffff);
    expect(yield* wdk.RtlFindClearBits({ BitMapHeader, NumberToFind: 3, HintIndex: 39 })).toBe(32);
    yield* wdk.RtlClearBit({ BitMapHeader, BitNumber: 4 });
    expect(yield* wdk.RtlTestBit({ BitMapHeader, BitNumber: 4 })).toBe(false);
    expect(yield* wdk.RtlFindLeastSignificantBit({ Set: 0x50n })).toBe(4);
    expect(yield* wdk.RtlFindMostSignificantBit({ Set: 0n })).toBe(0xff);
    expect(yield* wdk.RtlNumberOfSetBitsUlongPtr({ Target: 0xf0f0n })).toBe(8);
  });
  expect(kernel.memory.readU8(at(buffer, 1))).toBe(0x1f);
  expect(() => run(() => wdk.RtlSetBit({ BitMapHeader: header, BitNumber: 64 }))).toThrow(MemoryFault);
});
