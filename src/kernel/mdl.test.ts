import { describe, expect, it } from 'vitest';
import { at } from '../trace/units.ts';
import { MemoryFault, Shadow } from '../x64/memory.ts';
import type { FaultPlan } from './calls.ts';
import { RAM_BASE } from './hardware.ts';
import { MDL, MdlFlag } from './mdl.ts';
import { RaisedStatus } from './raised-status.ts';
import { testKernel } from './testing.ts';

const mdlOf = (VirtualAddress: never, Length: number) => ({
  VirtualAddress,
  Length,
  SecondaryBuffer: false,
  ChargeQuota: false,
  Irp: 0 as never,
});
const mapOf = (mdl: never, BugCheckOnFailure = 0) => ({
  MemoryDescriptorList: mdl,
  AccessMode: 0,
  CacheType: 1,
  RequestedAddress: 0 as never,
  BugCheckOnFailure,
  Priority: 16,
});

function setUp(faults?: FaultPlan) {
  const test = testKernel(faults === undefined ? {} : { faults });
  const { kernel, wdk, run } = test;
  const allocate = (size: number, shadow?: typeof Shadow.Pageable) => {
    const block = kernel.heap.allocate(size, 'block', { fill: 0, ...(shadow === undefined ? {} : { shadow }) });
    return { block, mdl: run(() => wdk.IoAllocateMdl(mdlOf(block as never, size))) };
  };
  const ledger = () =>
    kernel.trace.events.flatMap((event) =>
      event.kind === 'acquire' ? [`+${event.type}`] : event.kind === 'undo' ? [`${event.outcome} ${event.type}`] : [],
    );
  return { ...test, allocate, ledger };
}

describe('MDLs', () => {
  it('has the layout of wdm.h', () => {
    expect(MDL.size).toBe(48);
    expect(MDL.offset('MdlFlags')).toBe(10);
    expect(MDL.offset('MappedSystemVa')).toBe(24);
    expect(MDL.offset('ByteCount')).toBe(40);
  });

  it('describes nonpaged memory by the pages a device would use', () => {
    const { kernel, wdk, run, allocate } = setUp();
    const { block, mdl } = allocate(0x2100);
    run(() => wdk.MmBuildMdlForNonPagedPool({ MemoryDescriptorList: mdl }));
    const view = kernel.mdls.at(mdl);
    expect(view.MappedSystemVa).toBe(block);
    expect(view.MdlFlags & MdlFlag.SOURCE_IS_NONPAGED_POOL).not.toBe(0);
    const first = kernel.hardware.physicalOf(block) / 4096;
    expect(first * 4096).toBeGreaterThan(RAM_BASE);
    expect(kernel.mdls.pages(view)).toEqual([first, first + 1, first + 2]);
  });

  it('makes locked pageable memory resident, and its mapping ends with the lock', () => {
    const { kernel, wdk, run, allocate, ledger } = setUp();
    const { block, mdl } = allocate(64, Shadow.Pageable);
    run(() => wdk.MmProbeAndLockPages({ MemoryDescriptorList: mdl, AccessMode: 0, Operation: 2 }));
    expect(kernel.memory.readU8(block)).toBe(0);
    expect(run(() => wdk.MmMapLockedPagesSpecifyCache(mapOf(mdl as never)))).toBe(block);
    run(() => wdk.MmUnlockPages({ MemoryDescriptorList: mdl }));
    expect(kernel.memory.shadowAt(block)).toBe(Shadow.Pageable);
    run(() => wdk.IoFreeMdl({ Mdl: mdl }));
    expect(ledger()).toEqual([
      '+io-mdl',
      '+locked-pages',
      '+mapping',
      'undone mapping',
      'undone locked-pages',
      'undone io-mdl',
    ]);
  });

  it('refuses memory that is not there', () => {
    const { kernel, wdk, run, allocate } = setUp();
    const { block, mdl } = allocate(64);
    kernel.heap.free(block);
    expect(() => run(() => wdk.MmBuildMdlForNonPagedPool({ MemoryDescriptorList: mdl }))).toThrow(MemoryFault);
  });

  it('makes partial MDLs within a source', () => {
    const { kernel, wdk, run, allocate } = setUp();
    const { block, mdl } = allocate(0x3000);
    run(() => wdk.MmBuildMdlForNonPagedPool({ MemoryDescriptorList: mdl }));
    const start = at(block, 0x1010);
    const target = run(() => wdk.IoAllocateMdl(mdlOf(start as never, 0x20)));
    run(() => wdk.IoBuildPartialMdl({ SourceMdl: mdl, TargetMdl: target, VirtualAddress: start, Length: 0x20 }));
    const view = kernel.mdls.at(target);
    expect(view.MappedSystemVa).toBe(start);
    expect(kernel.mdls.pages(view)).toEqual([kernel.mdls.pages(kernel.mdls.at(mdl))[1]]);
  });

  it('gives pages that are owed apart from their MDL', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const mdl = run(() =>
      wdk.MmAllocatePagesForMdl({ LowAddress: 0, HighAddress: 2 ** 40, SkipBytes: 0, TotalBytes: 5000 }),
    );
    expect(kernel.mdls.at(mdl).ByteCount).toBe(8192);
    const start = run(() => wdk.MmMapLockedPagesSpecifyCache(mapOf(mdl as never)));
    kernel.memory.writeU64(start, 1n);
    run(() => wdk.MmUnmapLockedPages({ BaseAddress: start, MemoryDescriptorList: mdl }));
    run(() => wdk.MmFreePagesFromMdl({ MemoryDescriptorList: mdl }));
    expect(ledger()).toEqual(['+pool', '+mdl-pages', '+mapping', 'undone mapping', 'undone mdl-pages']);
  });

  it('gives fewer pages than asked for, unless all are required', () => {
    const offered: string[][] = [];
    const { run, wdk, kernel } = setUp({
      strike(_, failures) {
        offered.push([...failures]);
        return failures.find((id) => id === 'fewer-pages');
      },
    });
    const asked = { LowAddress: 0, HighAddress: 2 ** 40, SkipBytes: 0, TotalBytes: 16384, CacheType: 1 };
    const some = run(() => wdk.MmAllocatePagesForMdlEx({ ...asked, Flags: 0 }));
    expect(kernel.mdls.at(some).ByteCount).toBe(8192);
    const all = run(() => wdk.MmAllocatePagesForMdlEx({ ...asked, Flags: 4 }));
    expect(kernel.mdls.at(all).ByteCount).toBe(16384);
    expect(offered).toEqual([['null', 'fewer-pages'], ['null']]);
  });

  it('fails as the real calls do', () => {
    const { run, wdk, kernel } = setUp({ strike: (_, failures) => failures[0] });
    const block = kernel.heap.allocate(64, 'block', { fill: 0 });
    expect(run(() => wdk.IoAllocateMdl(mdlOf(block as never, 64)))).toBe(0);
    const mdl = kernel.mdls.describe(block, 64, 'MDL').address;
    expect(run(() => wdk.MmMapLockedPagesSpecifyCache(mapOf(mdl as never)))).toBe(0);
    expect(() =>
      run(() => wdk.MmProbeAndLockPages({ MemoryDescriptorList: mdl, AccessMode: 0, Operation: 0 })),
    ).toThrow(RaisedStatus);
  });
});

describe('device registers', () => {
  it('maps what answers, reads through it, and is owed', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const written: number[] = [];
    kernel.hardware.addRegisters({
      start: 0xfe000000,
      size: 0x1000,
      read: (offset) => offset + 1,
      write: (_, __, value) => written.push(value),
    });
    const base = run(() => wdk.MmMapIoSpace({ PhysicalAddress: 0xfe000000, NumberOfBytes: 0x100, CacheType: 0 }));
    expect(kernel.memory.readU32(at(base, 0x10))).toBe(0x11);
    kernel.memory.writeU32(base, 7);
    expect(written).toEqual([7]);
    run(() => wdk.MmUnmapIoSpace({ BaseAddress: base, NumberOfBytes: 0x80 }));
    expect(() => kernel.memory.readU32(base)).toThrow(MemoryFault);
    expect(run(() => wdk.MmMapIoSpace({ PhysicalAddress: 0xfd000000, NumberOfBytes: 0x100, CacheType: 0 }))).toBe(0);
    expect(ledger()).toEqual(['+io-mapping', 'mismatch io-mapping']);
  });
});
