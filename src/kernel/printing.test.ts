import { describe, expect, it } from 'vitest';
import { readString } from './arguments.ts';
import { UNICODE_STRING, wideBytes } from './strings.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const { kernel, wdk, run } = testKernel();
  const buffer = kernel.heap.allocate(128, 'buffer', { fill: 0x55 });
  const bytes = (data: Uint8Array) => {
    const address = kernel.heap.allocate(data.length, 'text');
    kernel.memory.write(address, data);
    return address;
  };
  const narrow = (text: string) => bytes(new TextEncoder().encode(`${text}\0`));
  const wide = (text: string) => bytes(wideBytes(`${text}\0`));
  const print = (Format: string, ...Arguments: (number | bigint)[]) => {
    run(() => wdk.sprintf({ Buffer: buffer, Format, Arguments }));
    return readString(kernel.memory, buffer, 8);
  };
  return { kernel, wdk, run, buffer, narrow, wide, print };
}

describe('printing', () => {
  it('prints numbers as C does', () => {
    const { print } = setUp();
    expect(print('%d|%5d|%-5d|%05d|%+d', -1, 42, 42, -42, 7)).toBe('-1|   42|42   |-0042|+7');
    expect(print('%u %x %X %#x %08X', 0xffffffff, 255, 255, 255, 0xbeef)).toBe('4294967295 ff FF 0xff 0000BEEF');
    expect(print('%.3d|%8.3x|%.0d|', 7, 10, 0)).toBe('007|     00a||');
    expect(print('%I64u %llx %I64d', 2n ** 63n, 2n ** 63n, -5n)).toBe('9223372036854775808 8000000000000000 -5');
    expect(print('%p', 0xffff_f800_0000_1000n)).toBe('FFFFF80000001000');
    expect(print('%*d%%', 4, 3)).toBe('   3%');
    expect(print('%hx %o %c%c', 0x12345, 8, 0x41, 0x42)).toBe('2345 10 AB');
    expect(print('%.2f %e', 0x400921fb54442d18n, 0x400921fb54442d18n)).toBe('3.14 3.141593e+00');
  });

  it('prints strings of every kind', () => {
    const { kernel, print, narrow, wide } = setUp();
    const counted = kernel.heap.allocate(UNICODE_STRING.size, 'UNICODE_STRING');
    UNICODE_STRING.write(kernel.memory, counted, { Length: 6, MaximumLength: 8, Buffer: wide('NICxx') });
    expect(
      print('%s|%S|%ws|%wZ|%.2s|%6s|%s', narrow('a'), wide('b'), wide('c'), counted, narrow('xyz'), narrow('r'), 0),
    ).toBe('a|b|c|NIC|xy|     r|(null)');
  });

  it('cuts at the count of _snprintf and _vsnprintf', () => {
    const { kernel, wdk, run, buffer, narrow } = setUp();
    const cut = run(() => wdk._snprintf({ Buffer: buffer, Count: 3, Format: 'abc%d', Arguments: [1] }));
    expect(cut).toBe(-1);
    expect([...kernel.memory.read(buffer, 4)]).toEqual([0x61, 0x62, 0x63, 0x55]);
    const list = kernel.heap.allocate(8, 'va_list');
    kernel.memory.writePointer(list, narrow('ok'));
    expect(run(() => wdk._vsnprintf({ Buffer: buffer, Count: 8, Format: '<%s>', ArgumentList: list }))).toBe(4);
    expect(readString(kernel.memory, buffer, 8)).toBe('<ok>');
  });

  it('shows debug output in the trace', () => {
    const { kernel, wdk, run } = setUp();
    run(() => wdk.DbgPrint({ Format: 'halt %d\n', Arguments: [3] }));
    expect(kernel.trace.events).toContainEqual(
      expect.objectContaining({ kind: 'fact', what: 'debug-print', detail: { text: 'halt 3\n' } }),
    );
  });
});
