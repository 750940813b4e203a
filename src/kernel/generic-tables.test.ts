import { describe, expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { testKernel } from './testing.ts';

/** A table of numbers in the driver's own order; what it holds of memory is pool. */
function setUp(suffix: '' | 'Avl') {
  const t = testKernel();
  const { kernel, wdk, run } = t;
  const { memory, heap } = kernel;
  const Table = heap.allocate(0x68, 'table', { fill: 0 });
  const number = heap.allocate(4, 'number', { fill: 0 });
  const routines = {
    CompareRoutine(args: { FirstStruct: Address; SecondStruct: Address }) {
      const [a, b] = [memory.readU32(args.FirstStruct), memory.readU32(args.SecondStruct)];
      return a < b ? 0 : a > b ? 1 : 2;
    },
    *AllocateRoutine({ ByteSize }: { ByteSize: number }) {
      return yield* wdk.ExAllocatePoolWithTag({ PoolType: 512, NumberOfBytes: ByteSize, Tag: 1 });
    },
    *FreeRoutine({ Buffer }: { Buffer: Address }) {
      yield* wdk.ExFreePool({ P: Buffer });
    },
    TableContext: NULL,
  };
  run(() => wdk[`RtlInitializeGenericTable${suffix}`]({ Table, ...routines }));
  const with_ = (value: number) => {
    memory.writeU32(number, value);
    return { Table, Buffer: number };
  };
  const read = (element: Address) => (element === NULL ? undefined : memory.readU32(element));
  return { ...t, Table, with_, read };
}

describe.each(['', 'Avl'] as const)('a generic table (%s)', (suffix) => {
  it('keeps its elements in order, each once, in the driver’s memory', () => {
    const { kernel, wdk, run, Table, with_, read } = setUp(suffix);
    const isNew = kernel.heap.allocate(1, 'flag', { fill: 0 });
    const insert = (value: number) => {
      const args = { ...with_(value), BufferSize: 4, NewElement: isNew };
      const element = run(() => wdk[`RtlInsertElementGenericTable${suffix}`](args));
      return [read(element), kernel.memory.readU8(isNew)];
    };
    expect([3, 1, 2, 3].map(insert)).toEqual([
      [3, 1],
      [1, 1],
      [2, 1],
      [3, 0],
    ]);
    const all: unknown[] = [];
    for (let Restart = true; ; Restart = false) {
      const value = read(run(() => wdk[`RtlEnumerateGenericTable${suffix}`]({ Table, Restart })));
      if (value === undefined) break;
      all.push(value);
    }
    expect(all).toEqual([1, 2, 3]);
    const first = run(() => wdk[`RtlGetElementGenericTable${suffix}`]({ Table, I: 0 }));
    expect(read(first)).toBe(suffix === 'Avl' ? 1 : 3);
    const key = kernel.heap.allocate(8, 'restart key', { fill: 0 });
    const next = () => run(() => wdk[`RtlEnumerateGenericTableWithoutSplaying${suffix}`]({ Table, RestartKey: key }));
    expect([next(), next(), next(), next()].map(read)).toEqual([1, 2, 3, undefined]);
    expect(read(run(() => wdk[`RtlLookupElementGenericTable${suffix}`](with_(2))))).toBe(2);
    expect(run(() => wdk[`RtlDeleteElementGenericTable${suffix}`](with_(2)))).toBe(true);
    expect(run(() => wdk[`RtlDeleteElementGenericTable${suffix}`](with_(2)))).toBe(false);
    expect(run(() => wdk[`RtlNumberGenericTableElements${suffix}`]({ Table }))).toBe(2);
    expect(run(() => wdk[`RtlIsGenericTableEmpty${suffix}`]({ Table }))).toBe(false);
    const kinds = kernel.trace.events.flatMap(({ kind }) => (kind === 'acquire' || kind === 'undo' ? [kind] : []));
    expect(kinds).toEqual(['acquire', 'acquire', 'acquire', 'undo']);
  });
});
