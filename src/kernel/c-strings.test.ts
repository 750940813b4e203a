import { describe, expect, it } from 'vitest';
import { readString } from './arguments.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const { kernel, wdk, run } = testKernel();
  const text = (value: string, size = value.length + 1) => {
    const address = kernel.heap.allocate(size, 'text', { fill: 0 });
    kernel.memory.write(address, new TextEncoder().encode(value));
    return address;
  };
  const wide = (value: string) => {
    const address = kernel.heap.allocate(2 * value.length + 2, 'text', { fill: 0 });
    kernel.memory.write(address, new Uint8Array(Buffer.from(value, 'utf16le')));
    return address;
  };
  return { kernel, wdk, run, text, wide };
}

describe('C strings', () => {
  it('measures and compares both widths', () => {
    const { wdk, run, text, wide } = setUp();
    expect(run(() => wdk.strlen({ Text: text('abc') }))).toBe(3n);
    expect(run(() => wdk.wcslen({ Text: wide('abcd') }))).toBe(4n);
    expect(run(() => wdk.strcmp({ String1: text('abc'), String2: text('abd') }))).toBe(-1);
    expect(run(() => wdk._wcsicmp({ String1: wide('NetLuid'), String2: wide('NETLUID') }))).toBe(0);
    expect(run(() => wdk.strncmp({ String1: text('abc'), String2: text('abd'), Count: 2 }))).toBe(0);
  });

  it('copies with bounds as C does', () => {
    const { kernel, wdk, run, text } = setUp();
    const to = text('xxxxxxxx');
    run(() => wdk.strncpy({ Destination: to, Source: text('ab'), Count: 4 }));
    expect([...kernel.memory.read(to, 5)]).toEqual([0x61, 0x62, 0, 0, 0x78]);
    const joined = text('ab', 16);
    run(() => wdk.strcat({ Destination: joined, Source: text('cd') }));
    expect(readString(kernel.memory, joined, 8)).toBe('abcd');
  });

  it('finds characters and strings', () => {
    const { wdk, run, text } = setUp();
    const path = text('a/b/c');
    expect(run(() => wdk.strrchr({ Text: path, Character: 0x2f }))).toBe(path + 3);
    expect(run(() => wdk.strstr({ Text: path, Wanted: text('b/') }))).toBe(path + 2);
    expect(run(() => wdk.strchr({ Text: path, Character: 0x7a }))).toBe(0);
  });

  it('sorts and searches by the driver’s comparison', () => {
    const { kernel, wdk, run } = setUp();
    const array = kernel.heap.allocate(5, 'array');
    kernel.memory.write(array, Uint8Array.of(3, 1, 5, 2, 4));
    const Compare = ({ First, Second }: { First: never; Second: never }) =>
      kernel.memory.readU8(First) - kernel.memory.readU8(Second);
    run(() => wdk.qsort({ Base: array, Count: 5, Width: 1, Compare }));
    expect([...kernel.memory.read(array, 5)]).toEqual([1, 2, 3, 4, 5]);
    expect(run(() => wdk.bsearch({ Key: array, Base: array, Count: 5, Width: 1, Compare }))).toBe(array);
  });

  it('parses and folds', () => {
    const { wdk, run, text } = setUp();
    expect(run(() => wdk.atoi({ Text: text(' -42x') }))).toBe(-42);
    expect(run(() => wdk.towlower({ Character: 'Ä'.charCodeAt(0) }))).toBe('ä'.charCodeAt(0));
  });
});
