import { describe, expect, it } from 'vitest';
import type { FaultPlan } from './calls.ts';
import { ANSI_STRING, UNICODE_STRING, unicodeText, wideBytes } from './strings.ts';
import { testKernel } from './testing.ts';

function setUp(faults?: FaultPlan) {
  const { kernel, wdk, run } = testKernel(faults === undefined ? {} : { faults });
  const { memory, heap } = kernel;
  const wide = (text: string) => {
    const address = heap.allocate(2 * text.length + 2, 'text');
    memory.write(address, wideBytes(`${text}\0`));
    return address;
  };
  const empty = (room: number) => {
    const address = heap.allocate(UNICODE_STRING.size, 'UNICODE_STRING');
    UNICODE_STRING.write(memory, address, {
      Length: 0,
      MaximumLength: room,
      Buffer: room === 0 ? (0 as never) : heap.allocate(room, 'buffer'),
    });
    return UNICODE_STRING.at(memory, address);
  };
  const string = (text: string) => {
    const address = heap.allocate(UNICODE_STRING.size, 'UNICODE_STRING');
    UNICODE_STRING.write(memory, address, {
      Length: 2 * text.length,
      MaximumLength: 2 * text.length,
      Buffer: wide(text),
    });
    return UNICODE_STRING.at(memory, address);
  };
  return { kernel, wdk, run, wide, empty, string };
}

describe('counted strings', () => {
  it('initialises over the driver’s own buffer', () => {
    const { kernel, wdk, run, empty, wide } = setUp();
    const view = empty(0);
    run(() => wdk.RtlInitUnicodeString({ DestinationString: view.address, SourceString: wide('NIC') }));
    expect([view.Length, view.MaximumLength, unicodeText(kernel.memory, view)]).toEqual([6, 8, 'NIC']);
  });

  it('appends what fits and refuses what does not', () => {
    const { kernel, wdk, run, empty, string } = setUp();
    const to = empty(8);
    expect(run(() => wdk.RtlAppendUnicodeStringToString({ Destination: to, Source: string('abc') }))).toBe(0);
    expect(run(() => wdk.RtlAppendUnicodeStringToString({ Destination: to, Source: string('de') }))).toBe(0xc0000023);
    expect(unicodeText(kernel.memory, to)).toBe('abc');
  });

  it('compares with and without case', () => {
    const { wdk, run, string } = setUp();
    const [a, b] = [string('Netcard'), string('NETCARD')];
    expect(run(() => wdk.RtlEqualUnicodeString({ String1: a, String2: b, CaseInSensitive: true }))).toBe(true);
    expect(run(() => wdk.RtlCompareUnicodeString({ String1: a, String2: b, CaseInSensitive: false }))).toBeGreaterThan(
      0,
    );
  });

  it('owes the buffer of an allocating conversion until it is freed', () => {
    const { kernel, wdk, run, empty, string } = setUp();
    const to = empty(0);
    run(() =>
      wdk.RtlUnicodeStringToAnsiString({
        DestinationString: to,
        SourceString: string('abc'),
        AllocateDestinationString: true,
      }),
    );
    const view = ANSI_STRING.at(kernel.memory, to.address);
    expect([...kernel.memory.read(view.Buffer, 4)]).toEqual([0x61, 0x62, 0x63, 0]);
    run(() => wdk.RtlFreeAnsiString({ String: to }));
    const kinds = kernel.trace.events.filter(({ kind }) => kind === 'acquire' || kind === 'undo');
    expect(kinds).toMatchObject([
      { kind: 'acquire', type: 'rtl-string' },
      { kind: 'undo', outcome: 'undone' },
    ]);
    expect(view.Buffer).toBe(0);
  });

  it('fails for want of memory only where it allocates', () => {
    const { kernel, wdk, run, empty, string } = setUp({ strike: (_, failures) => failures[0] });
    const convert = (AllocateDestinationString: boolean) =>
      run(() =>
        wdk.RtlUnicodeStringToAnsiString({
          DestinationString: empty(16),
          SourceString: string('abc'),
          AllocateDestinationString,
        }),
      );
    expect(convert(false)).toBe(0);
    expect(convert(true)).toBe(0xc0000017);
    expect(kernel.trace.events).toContainEqual(
      expect.objectContaining({ kind: 'return', injected: 'fail-rtlunicodestringtoansistring-no-memory' }),
    );
  });

  it('reads the numbers of the documentation’s table', () => {
    const { wdk, run, string } = setUp();
    const value = (text: string, Base: number) =>
      run(() => wdk.RtlUnicodeStringToInteger({ String: string(text), Base })).Value | 0;
    expect(value('123', 10)).toBe(123);
    expect(value('-345', 10)).toBe(-345);
    expect(value('xyz', 10)).toBe(0);
    expect(value('+678abc', 16)).toBe(6785724);
    expect(value('789', 8)).toBe(7);
    expect(value('FGH', 16)).toBe(15);
    expect(value('0x1F', 0)).toBe(31);
  });
});
