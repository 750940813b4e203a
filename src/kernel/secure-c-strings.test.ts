import { describe, expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const test = testKernel();
  const { memory, heap } = test.kernel;
  const text = (value: string, room = value.length + 1) => {
    const address = heap.allocate(room, 'text', { fill: 0x7f });
    memory.write(
      address,
      Uint8Array.from([...value, '\0'], (character) => character.charCodeAt(0)),
    );
    return address;
  };
  const read = (address: Address) => {
    let result = '';
    for (let i = 0; memory.readU8(at(address, i)) !== 0; i++)
      result += String.fromCharCode(memory.readU8(at(address, i)));
    return result;
  };
  return { ...test, text, read };
}

describe('checked string functions', () => {
  it('copy what fits, and leave an empty string with an errno where it does not', () => {
    const { wdk, run, text, read } = setUp();
    const Destination = text('', 6);
    const copy = (Source: Address, SizeInCharacters = 6) =>
      run(() => wdk.strcpy_s({ Destination, SizeInCharacters, Source }));
    expect([copy(text('hello')), read(Destination)]).toEqual([0, 'hello']);
    expect([copy(text('longer')), read(Destination)]).toEqual([34, '']);
    expect(copy(NULL)).toBe(22);
    expect(run(() => wdk.strcpy_s({ Destination: NULL, SizeInCharacters: 6, Source: text('x') }))).toBe(22);
  });

  it('append, count, and cut off when asked to', () => {
    const { wdk, run, text, read } = setUp();
    const Destination = text('ab', 6);
    expect(run(() => wdk.strcat_s({ Destination, SizeInCharacters: 6, Source: text('cd') }))).toBe(0);
    expect(read(Destination)).toBe('abcd');
    expect(run(() => wdk.strncat_s({ Destination, SizeInCharacters: 6, Source: text('efgh'), Count: 1 }))).toBe(0);
    expect(read(Destination)).toBe('abcde');
    const truncate = -1;
    expect(
      run(() => wdk.strncpy_s({ Destination, SizeInCharacters: 6, Source: text('12345678'), Count: truncate })),
    ).toBe(80);
    expect(read(Destination)).toBe('12345');
  });

  it('copy memory and zero the destination of a copy that is too long', () => {
    const { kernel, wdk, run, text } = setUp();
    const Destination = text('1234');
    const Source = text('abcdefgh');
    expect(run(() => wdk.memcpy_s({ Destination, DestinationSize: 4, Source, Count: 4 }))).toBe(0);
    expect([...kernel.memory.read(Destination, 4)]).toEqual([0x61, 0x62, 0x63, 0x64]);
    expect(run(() => wdk.memcpy_s({ Destination, DestinationSize: 4, Source, Count: 5 }))).toBe(34);
    expect([...kernel.memory.read(Destination, 4)]).toEqual([0, 0, 0, 0]);
  });

  it('find tokens one after the other', () => {
    const { kernel, wdk, run, text, read } = setUp();
    const Context = kernel.heap.allocate(8, 'context', { fill: 0 });
    const Delimiters = text(', ');
    const next = (Text: Address) => {
      const found = run(() => wdk.strtok_s({ Text, Delimiters, Context }));
      return found === NULL ? undefined : read(found);
    };
    expect([next(text(', one, two')), next(NULL), next(NULL)]).toEqual(['one', 'two', undefined]);
  });
});
