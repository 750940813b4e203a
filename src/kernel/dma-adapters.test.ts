import { describe, expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { DMA_ADAPTER, DMA_OPERATIONS, dmaOperations } from './dma-structures.ts';
import { SCATTER_GATHER_ELEMENT, SCATTER_GATHER_LIST } from './scatter-gather-lists.ts';
import { BugCheck } from './stops.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const test = testKernel();
  const { kernel } = test;
  const ledger = () =>
    kernel.trace.events.flatMap((event) =>
      event.kind === 'acquire' ? [`+${event.type}`] : event.kind === 'undo' ? [`${event.outcome} ${event.type}`] : [],
    );
  return { ...test, ledger };
}

const description = { Version: 3, Master: true, ScatterGather: true, Dma64BitAddresses: true, MaximumLength: 0x4000 };

describe('DMA adapters', () => {
  it('hand out their operations by pointer, as many as the version has', () => {
    const { kernel, wdk, run } = setUp();
    const DeviceDescription = (Version: number) => ({
      PhysicalDeviceObject: NULL,
      DeviceDescription: { ...description, Version },
    });
    const table = (version: number) => {
      const { result, NumberOfMapRegisters } = run(() => wdk.IoGetDmaAdapter(DeviceDescription(version)));
      expect(NumberOfMapRegisters).toBe(5);
      return DMA_OPERATIONS.at(kernel.memory, DMA_ADAPTER.at(kernel.memory, result).DmaOperations);
    };
    expect(table(0).Size).toBe(128);
    const { Size, Routines } = table(3);
    expect(Size).toBe(8 + 8 * dmaOperations.length);
    expect(kernel.code.at(Routines[0] as Address)).toMatchObject({ kind: 'function', name: 'PutDmaAdapter' });
    expect(kernel.code.at(Routines[9] as Address)).toMatchObject({ kind: 'missing', name: 'ReadDmaCounter' });
  });

  it('give common buffers that go back with the same arguments', () => {
    const { kernel, wdk, run, ledger } = setUp();
    run(function* () {
      const { result: DmaAdapter } = yield* wdk.IoGetDmaAdapter({
        PhysicalDeviceObject: NULL,
        DeviceDescription: description,
      });
      const asked = { DmaAdapter, Length: 512, CacheEnabled: true };
      const { result: VirtualAddress, LogicalAddress } = yield* wdk.AllocateCommonBuffer(asked);
      expect(LogicalAddress).toBe(kernel.hardware.physicalOf(VirtualAddress));
      kernel.hardware.dmaWrite(LogicalAddress, Uint8Array.of(7));
      expect(kernel.memory.readU8(VirtualAddress)).toBe(7);
      yield* wdk.FreeCommonBuffer({ ...asked, Length: 511, LogicalAddress, VirtualAddress });
      yield* wdk.PutDmaAdapter({ DmaAdapter });
    });
    expect(ledger()).toEqual(['+dma-adapter', '+common-buffer', 'mismatch common-buffer', 'undone dma-adapter']);
    expect(kernel.trace.events.some((event) => event.kind === 'fact' && event.what === 'dma-outside-mapping')).toBe(
      false,
    );
  });

  it('make a list of what an MDL describes and map it until it is put back', () => {
    const { kernel, wdk, run, ledger } = setUp();
    const { memory, heap } = kernel;
    const buffer = heap.allocate(6000, 'buffer', { fill: 0 });
    const seen: [number, number][] = [];
    run(function* () {
      const { result: DmaAdapter } = yield* wdk.IoGetDmaAdapter({
        PhysicalDeviceObject: NULL,
        DeviceDescription: description,
      });
      const mdl = kernel.mdls.describe(buffer, 6000, 'MDL');
      let list = NULL;
      const old = yield* wdk.KeRaiseIrqlToDpcLevel();
      const status = yield* wdk.GetScatterGatherList({
        DmaAdapter,
        DeviceObject: NULL,
        Mdl: mdl.address,
        CurrentVa: at(buffer, 100),
        Length: 5000,
        ExecutionRoutine: ({ ScatterGather }: { ScatterGather: Address }) => {
          list = ScatterGather;
          expect(SCATTER_GATHER_LIST.at(memory, list).NumberOfElements).toBe(1);
          const { Address: physical, Length } = SCATTER_GATHER_ELEMENT.at(memory, at(list, SCATTER_GATHER_LIST.size));
          seen.push([physical, Length]);
        },
        Context: NULL,
        WriteToDevice: true,
      });
      expect(status).toBe(0);
      kernel.hardware.dmaRead(kernel.hardware.physicalOf(at(buffer, 100)), 5000);
      yield* wdk.PutScatterGatherList({ DmaAdapter, ScatterGather: list, WriteToDevice: true });
      yield* wdk.KeLowerIrql({ NewIrql: old });
      yield* wdk.PutDmaAdapter({ DmaAdapter });
    });
    expect(seen).toEqual([[kernel.hardware.physicalOf(at(buffer, 100)), 5000]]);
    expect(ledger()).toEqual(['+dma-adapter', '+hal-sg-list', 'undone hal-sg-list', 'undone dma-adapter']);
  });

  it('are no use once they are put back', () => {
    const { kernel, wdk, run } = setUp();
    expect(() =>
      run(function* () {
        const { result: DmaAdapter } = yield* wdk.IoGetDmaAdapter({
          PhysicalDeviceObject: NULL,
          DeviceDescription: description,
        });
        yield* wdk.PutDmaAdapter({ DmaAdapter });
        yield* wdk.AllocateCommonBuffer({ DmaAdapter, Length: 64, CacheEnabled: false });
      }),
    ).toThrow(BugCheck);
    expect(kernel.trace.events.some((event) => event.kind === 'fact' && event.what === 'dma-handle-not-valid')).toBe(
      true,
    );
  });
});
