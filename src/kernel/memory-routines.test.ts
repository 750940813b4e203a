import { describe, expect, it } from 'vitest';
import { at } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { testKernel } from './testing.ts';

describe('memory routines', () => {
  it('copies overlapping ranges right', () => {
    const { kernel, wdk, run } = testKernel();
    const block = kernel.heap.allocate(8, 'block');
    kernel.memory.write(block, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    run(() => wdk.memmove({ Destination: at(block, 2), Source: block, Length: 6 }));
    expect([...kernel.memory.read(block, 8)]).toEqual([1, 2, 1, 2, 3, 4, 5, 6]);
  });

  it('faults at the first byte behind the block, after copying what fits', () => {
    const { kernel, wdk, run } = testKernel();
    const from = kernel.heap.allocate(8, 'from', { fill: 7 });
    const to = kernel.heap.allocate(4, 'to', { fill: 0 });
    try {
      run(() => wdk.RtlCopyMemory({ Destination: to, Source: from, Length: 8 }));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(MemoryFault);
      expect((error as MemoryFault).address).toBe(at(to, 4));
      expect((error as MemoryFault).access).toBe('write');
    }
    expect([...kernel.memory.read(to, 4)]).toEqual([7, 7, 7, 7]);
  });

  it('faults on a length that is a negative number', () => {
    const { kernel, wdk, run } = testKernel();
    const block = kernel.heap.allocate(16, 'block', { fill: 0 });
    expect(() => run(() => wdk.memset({ Destination: block, Value: 0, Length: 2 ** 64 - 2 ** 12 }))).toThrow(
      MemoryFault,
    );
  });

  it('compares', () => {
    const { kernel, wdk, run } = testKernel();
    const first = kernel.heap.allocate(4, 'first', { fill: 1 });
    const second = kernel.heap.allocate(4, 'second', { fill: 1 });
    kernel.memory.writeU8(at(second, 2), 9);
    expect(run(() => wdk.memcmp({ Buffer1: first, Buffer2: second, Count: 4 }))).toBe(-1);
    expect(run(() => wdk.memcmp({ Buffer1: first, Buffer2: second, Count: 2 }))).toBe(0);
    expect(run(() => wdk.RtlCompareMemory({ Source1: first, Source2: second, Length: 4 }))).toBe(2n);
  });
});
