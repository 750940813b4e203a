import { describe, expect, it } from 'vitest';
import type { UndoEvent } from '../trace/events.ts';
import { type Address, at, DISPATCH_LEVEL, NULL } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import type { RaisedStatus } from './raised-status.ts';
import type { Coroutine } from './scheduler.ts';
import { type TestKernel, testKernel } from './testing.ts';

const Ndad = 0x6461644e;
const NonPagedPoolNx = 512;
const PagedPool = 1;

const undos = (events: readonly { kind: string }[]) =>
  events.filter((event) => event.kind === 'undo') as unknown as UndoEvent[];

/** The status that a call raises in its caller. */
function raised(run: TestKernel['run'], call: () => Coroutine<unknown>): number | undefined {
  return run(function* () {
    try {
      yield* call();
      return undefined;
    } catch (error) {
      return (error as RaisedStatus).status;
    }
  });
}

describe('pool', () => {
  it('is owed until freed, with its tag', () => {
    const { kernel, wdk, run } = testKernel();
    run(function* () {
      const block = yield* wdk.ExAllocatePoolWithTag({ PoolType: NonPagedPoolNx, NumberOfBytes: 20, Tag: Ndad });
      expect(Math.abs(block % 16)).toBe(0);
      expect(kernel.memory.readU8(block)).toBe(0xcd);
      expect(() => kernel.memory.readU8(at(block, 20))).toThrow(MemoryFault);
      expect(kernel.resources.live(['pool'], block)?.detail).toMatchObject({ Tag: 'Ndad', NumberOfBytes: 20 });
      yield* wdk.ExFreePoolWithTag({ P: block, Tag: Ndad });
      expect(() => kernel.memory.readU8(block)).toThrow(MemoryFault);
      yield* wdk.ExFreePool({ P: block });
    });
    expect(undos(kernel.trace.events).map((event) => event.outcome)).toEqual(['undone', 'again']);
    expect(undos(kernel.trace.events)[1]?.detail.pointer).toBe("the start of the freed pool block 'Ndad'");
  });

  it('another tag, the middle of a block and someone else’s memory are told apart', () => {
    const { kernel, wdk, run } = testKernel();
    const foreign = kernel.heap.allocate(16, 'NET_BUFFER');
    run(function* () {
      const block = yield* wdk.ExAllocatePoolWithTag({ PoolType: NonPagedPoolNx, NumberOfBytes: 64, Tag: Ndad });
      yield* wdk.ExFreePool({ P: at(block, 8) });
      yield* wdk.ExFreePool({ P: foreign });
      yield* wdk.ExFreePool({ P: NULL });
      yield* wdk.ExFreePoolWithTag({ P: block, Tag: Ndad + 1 });
    });
    expect(undos(kernel.trace.events).map(({ outcome, detail }) => [outcome, detail.pointer])).toEqual([
      ['never', "8 bytes into the pool block 'Ndad'"],
      ['never', 'the start of the NET_BUFFER'],
      ['never', 'no memory of this run'],
      ['mismatch', undefined],
    ]);
    expect(kernel.memory.readU8(foreign)).toBe(0);
  });

  it('ExAllocatePool2 zeroes, and refuses what is not valid', () => {
    const { kernel, wdk, run } = testKernel();
    run(function* () {
      const zeroed = yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 8, Tag: Ndad });
      expect(kernel.memory.readU64(zeroed)).toBe(0n);
      const raw = yield* wdk.ExAllocatePool2({ Flags: 0x42n, NumberOfBytes: 8, Tag: Ndad });
      expect(kernel.memory.readU8(raw)).toBe(0xcd);
      expect(yield* wdk.ExAllocatePool2({ Flags: 0x40n, NumberOfBytes: 8, Tag: 0 })).toBe(NULL);
      expect(yield* wdk.ExAllocatePool2({ Flags: 0n, NumberOfBytes: 8, Tag: Ndad })).toBe(NULL);
    });
    expect(raised(run, () => wdk.ExAllocatePool2({ Flags: 0x60n, NumberOfBytes: 8, Tag: 0 }))).toBe(0xc000009a);
  });

  it('fails as the real call does: NULL, or an exception where one was asked for', () => {
    const asked: (readonly string[])[] = [];
    const faults = {
      strike(_: string, failures: readonly string[]) {
        asked.push(failures);
        return failures[0];
      },
    };
    const { kernel, wdk, run } = testKernel({ faults });
    expect(run(() => wdk.ExAllocatePoolWithTag({ PoolType: 0, NumberOfBytes: 8, Tag: Ndad }))).toBe(NULL);
    const quota = { PoolType: 0, NumberOfBytes: 8, Tag: Ndad };
    expect(raised(run, () => wdk.ExAllocatePoolWithQuotaTag(quota))).toBe(0xc000009a);
    expect(run(() => wdk.ExAllocatePoolWithQuotaTag({ ...quota, PoolType: 8 }))).toBe(NULL);
    expect(asked).toEqual([['null'], ['raise'], ['null']]);
    expect(kernel.trace.events).toContainEqual(
      expect.objectContaining({ kind: 'return', injected: 'fail-exallocatepoolwithquotatag-raise' }),
    );
  });

  it('paged pool is plain memory below DISPATCH_LEVEL and a fault from there on', () => {
    const { kernel, wdk, run } = testKernel();
    run(function* () {
      const block = yield* wdk.ExAllocatePoolWithTag({ PoolType: PagedPool, NumberOfBytes: 24, Tag: Ndad });
      kernel.memory.writeU64(block, 0x1122_3344_5566_7788n);
      kernel.memory.writePointer(at(block, 8), block);
      expect(kernel.memory.readU64(block)).toBe(0x1122_3344_5566_7788n);
      expect(kernel.memory.readU16(at(block, 1))).toBe(0x6677);
      expect(kernel.memory.readPointer(at(block, 8))).toBe(block);
      expect(() => kernel.memory.readU64(at(block, 20))).toThrow(MemoryFault);
      const old = kernel.scheduler.setIrql(DISPATCH_LEVEL);
      expect(() => kernel.memory.readU8(block)).toThrow(MemoryFault);
      expect(() => kernel.memory.writeU8(block, 1)).toThrow(MemoryFault);
      kernel.scheduler.setIrql(old);
    });
  });
});

describe('contiguous memory', () => {
  it('lies below the highest address, within its boundaries, and is freed by its base', () => {
    const { kernel, wdk, run } = testKernel();
    run(function* () {
      const limits = { LowestAcceptableAddress: 0, HighestAcceptableAddress: 2 ** 32 - 1 };
      const size = { NumberOfBytes: 3000, CacheType: 1 };
      const block: Address = yield* wdk.MmAllocateContiguousMemorySpecifyCache({
        ...limits,
        ...size,
        BoundaryAddressMultiple: 0x10000,
      });
      const physical = kernel.hardware.physicalOf(block);
      expect(physical % 4096).toBe(0);
      expect(Math.floor(physical / 0x10000)).toBe(Math.floor((physical + 2999) / 0x10000));
      expect(yield* wdk.MmAllocateContiguousMemory({ NumberOfBytes: 16, HighestAcceptableAddress: 0xffff })).toBe(NULL);
      yield* wdk.MmFreeContiguousMemorySpecifyCache({ BaseAddress: block, ...size, NumberOfBytes: 2000 });
    });
    expect(undos(kernel.trace.events)[0]).toMatchObject({ outcome: 'mismatch', differs: ['NumberOfBytes'] });
  });
});
