import { describe, expect, test } from 'vitest';
import { sampleNic } from '../devices/nic.ts';
import { plug } from '../devices/pci-bus.ts';
import type { FaultPlan } from '../kernel/calls.ts';
import { SCATTER_GATHER_ELEMENT, SCATTER_GATHER_LIST } from '../kernel/scatter-gather-lists.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { type Address, at, DISPATCH_LEVEL, type Handle, hex, NULL } from '../trace/units.ts';
import { Attributes } from './driver-structures.ts';
import { NET_BUFFER } from './net-buffer-structures.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCE_CONFLICT,
} from './status.ts';
import { testNdis } from './testing.ts';

const CONTEXT = 0x55 as Address;

function setUp(soft?: { fn: string; id: string }) {
  const faults: FaultPlan = { strike: (fn) => (fn === soft?.fn ? soft.id : undefined) };
  const t = testNdis({ device: (kernel) => plug(kernel, sampleNic, {}), faults });
  t.adapter.attributeFlags = Attributes.BUS_MASTER;
  t.adapter.context = 0x77 as Handle;
  const [registers, ports] = t.adapter.device?.ranges ?? [];
  return {
    ...t,
    MiniportAdapterHandle: t.adapter.handle,
    registers: registers as NonNullable<typeof registers>,
    ports: ports as NonNullable<typeof ports>,
    undone: () => t.events('undo').map(({ type, outcome, differs }) => [type, outcome, ...(differs ?? [])]),
  };
}

describe('I/O space', () => {
  test('reaches the device and is given back whole', () => {
    const t = setUp();
    t.run(function* () {
      const { result, VirtualAddress } = yield* t.wdk.NdisMMapIoSpace({
        MiniportAdapterHandle: t.MiniportAdapterHandle,
        PhysicalAddress: t.registers.start,
        Length: 0x1000,
      });
      expect(result).toBe(0);
      expect(t.kernel.memory.readU32(at(VirtualAddress, 0x70))).toBe(1000);
      yield* t.wdk.NdisMUnmapIoSpace({
        MiniportAdapterHandle: t.MiniportAdapterHandle,
        VirtualAddress,
        Length: 0x800,
      });
      expect(() => t.kernel.memory.readU32(VirtualAddress)).toThrow();
    });
    expect(t.undone()).toEqual([['io-space', 'mismatch', 'Length']]);
  });

  test('is not RAM, and not where nobody answers', () => {
    const t = setUp();
    const block = t.kernel.heap.allocate(64, 'pool');
    t.run(function* () {
      const map = { MiniportAdapterHandle: t.MiniportAdapterHandle, Length: 64 };
      yield* t.wdk.NdisMMapIoSpace({ ...map, PhysicalAddress: t.kernel.hardware.physicalOf(block) });
      const { result, VirtualAddress } = yield* t.wdk.NdisMMapIoSpace({ ...map, PhysicalAddress: 0xe000_0000 });
      expect([result, VirtualAddress]).toEqual([NDIS_STATUS_FAILURE, NULL]);
    });
    expect(t.facts('ram-mapped-as-io-space')).toHaveLength(1);
    expect(t.facts('io-space-not-ours')).toHaveLength(1);
  });
});

describe('I/O ports', () => {
  test('are the device’s, are read and written while held, and noticed afterwards', () => {
    const t = setUp();
    const { start, size } = t.ports;
    t.run(function* () {
      const range = { MiniportAdapterHandle: t.MiniportAdapterHandle, InitialPort: start, NumberOfPorts: size };
      expect((yield* t.wdk.NdisMRegisterIoPortRange({ ...range, InitialPort: 0x60 })).result).toBe(
        NDIS_STATUS_RESOURCE_CONFLICT,
      );
      t.kernel.hardware.readPort(start, 2);
      const { result, PortOffset } = yield* t.wdk.NdisMRegisterIoPortRange(range);
      expect([result, PortOffset]).toEqual([0, start]);
      t.kernel.hardware.writePort(start, 2, 1);
      expect(t.kernel.hardware.readPort(start + 4, 2)).toBe(0x0058);
      yield* t.wdk.NdisMDeregisterIoPortRange({ ...range, PortOffset });
      t.kernel.hardware.writePort(start + 0xc, 1, 0);
      t.kernel.hardware.writePort(start + 0xc, 1, 0);
    });
    expect(t.undone()).toEqual([['io-port-range', 'undone']]);
    expect(t.facts('port-access-unregistered').map(({ detail }) => detail.port)).toEqual([hex(start)]);
    expect(t.facts('port-access-after-release').map(({ detail }) => detail)).toEqual([
      { port: hex(start + 0xc), size: 1, access: 'write' },
    ]);
  });
});

function* registerDma(t: ReturnType<typeof setUp>, handlers: Record<string, unknown> = {}): Coroutine<Handle> {
  const { result, NdisMiniportDmaHandle } = yield* t.wdk.NdisMRegisterScatterGatherDma({
    MiniportAdapterHandle: t.MiniportAdapterHandle,
    DmaDescription: {
      Header: { Type: 0x83, Revision: 1, Size: 36 },
      MaximumPhysicalMapping: 1514,
      ...handlers,
    },
  });
  expect(result).toBe(0);
  return NdisMiniportDmaHandle;
}

describe('shared memory', () => {
  test('wants DMA first, and every argument again when it is freed', () => {
    const t = setUp();
    const { MiniportAdapterHandle } = t;
    t.run(function* () {
      const want = { MiniportAdapterHandle, Length: 100, Cached: false };
      expect((yield* t.wdk.NdisMAllocateSharedMemory(want)).VirtualAddress).toBe(NULL);
      yield* registerDma(t);
      const { VirtualAddress, PhysicalAddress } = yield* t.wdk.NdisMAllocateSharedMemory(want);
      expect(PhysicalAddress).toBe(t.kernel.hardware.physicalOf(VirtualAddress));
      t.kernel.memory.fill(VirtualAddress, 100, 1);
      expect(() => t.kernel.memory.writeU8(at(VirtualAddress, 100), 1)).toThrow();
      const free = { ...want, VirtualAddress, PhysicalAddress };
      yield* t.wdk.NdisMFreeSharedMemory({ ...free, Cached: true });
      yield* t.wdk.NdisMFreeSharedMemory(free);
    });
    expect(t.facts('shared-memory-before-dma')).toHaveLength(1);
    expect(t.undone()).toEqual([
      ['shared-memory', 'mismatch', 'Cached'],
      ['shared-memory', 'again'],
    ]);
  });

  const asynchronous = (t: ReturnType<typeof setUp>) => {
    const given: Record<string, Address | number>[] = [];
    return {
      given,
      handlers: {
        *SharedMemAllocateCompleteHandler(args: Record<string, Address | number>): Coroutine<void> {
          given.push({ ...args, irql: t.kernel.scheduler.irql });
        },
      },
      *ask(dma: Handle) {
        return yield* t.wdk.NdisMAllocateSharedMemoryAsyncEx({
          MiniportDmaHandle: dma,
          Length: 4096,
          Cached: true,
          Context: CONTEXT,
        });
      },
    };
  };
  function* wait(t: ReturnType<typeof setUp>): Coroutine<void> {
    const until = t.kernel.clock.now + 100;
    yield { kind: 'wait', what: 'time', ready: () => t.kernel.clock.now >= until, deadline: until as never };
  }

  test('asked for asynchronously comes to the driver in another thread', () => {
    const t = setUp();
    const { given, handlers, ask } = asynchronous(t);
    t.run(function* () {
      expect(yield* ask(yield* registerDma(t, handlers))).toBe(NDIS_STATUS_PENDING);
      expect(given).toEqual([]);
      yield* wait(t);
      expect(given).toMatchObject([{ MiniportAdapterContext: 0x77, Length: 4096, Context: CONTEXT, irql: 0 }]);
      const VirtualAddress = given[0]?.VirtualAddress as Address;
      yield* t.wdk.NdisMFreeSharedMemory({
        MiniportAdapterHandle: t.MiniportAdapterHandle,
        Length: 4096,
        Cached: true,
        VirtualAddress,
        PhysicalAddress: t.kernel.hardware.physicalOf(VirtualAddress),
      });
    });
    expect(t.undone()).toEqual([['shared-memory-async', 'undone']]);
  });

  test('asked for asynchronously may turn out not to be there', () => {
    const t = setUp({ fn: 'NdisMAllocateSharedMemoryAsyncEx', id: 'null' });
    const { given, handlers, ask } = asynchronous(t);
    t.run(function* () {
      expect(yield* ask(yield* registerDma(t, handlers))).toBe(NDIS_STATUS_PENDING);
      yield* wait(t);
    });
    expect(given).toMatchObject([{ VirtualAddress: NULL, PhysicalAddress: NULL }]);
    expect(t.events('acquire').map(({ type }) => type)).toEqual(['sg-dma']);
  });

  test('still pending when DMA is deregistered is a fact, and does not come any more', () => {
    const t = setUp();
    const { given, handlers, ask } = asynchronous(t);
    t.run(function* () {
      const NdisMiniportDmaHandle = yield* registerDma(t, handlers);
      yield* ask(NdisMiniportDmaHandle);
      yield* t.wdk.NdisMDeregisterScatterGatherDma({ NdisMiniportDmaHandle });
      yield* wait(t);
      expect(yield* ask(NdisMiniportDmaHandle)).toBe(NDIS_STATUS_FAILURE);
    });
    expect(given).toEqual([]);
    expect(t.facts('shared-memory-async-pending').map(({ detail }) => detail.at)).toEqual(['deregister']);
    expect(t.facts('dma-handle-not-valid').map(({ detail }) => detail.was)).toEqual(['deregistered']);
  });
});

describe('scatter/gather DMA', () => {
  test('is for bus masters', () => {
    const t = setUp();
    t.adapter.attributeFlags = 0;
    const result = t.run(function* () {
      const call = yield* t.wdk.NdisMRegisterScatterGatherDma({
        MiniportAdapterHandle: t.MiniportAdapterHandle,
        DmaDescription: { Header: { Type: 0x83, Revision: 1, Size: 36 } },
      });
      return call.result;
    });
    expect(result).toBe(NDIS_STATUS_NOT_SUPPORTED);
  });

  /** A NET_BUFFER over two MDLs of 100 and 50 bytes, 120 of them data from byte 20 on. */
  function netBuffer({ kernel }: ReturnType<typeof setUp>) {
    const blocks = [100, 50].map((size) => kernel.heap.allocate(size, 'frame'));
    const [first, second] = blocks.map((block, i) => kernel.mdls.describe(block, [100, 50][i] as number, 'MDL'));
    if (first === undefined || second === undefined) throw new Error('no MDLs');
    first.Next = second.address;
    const address = kernel.heap.allocate(NET_BUFFER.size, 'NET_BUFFER', { fill: 0 });
    NET_BUFFER.write(kernel.memory, address, { CurrentMdl: first.address, CurrentMdlOffset: 20, DataLength: 120 });
    return { address, blocks: blocks as [Address, Address] };
  }

  function listOf({ kernel }: ReturnType<typeof setUp>, list: Address) {
    const count = SCATTER_GATHER_LIST.at(kernel.memory, list).NumberOfElements;
    return Array.from({ length: count }, (_, i) => {
      const element = SCATTER_GATHER_ELEMENT.at(kernel.memory, at(list, 16 + 24 * i));
      return [element.Address, element.Length];
    });
  }

  test.each([
    { soft: undefined, inCall: true, own: false },
    { soft: 'late', inCall: false, own: false },
    { soft: 'other-buffer', inCall: true, own: true },
  ])('gives a list in MiniportProcessSGList ($soft)', ({ soft, inCall, own }) => {
    const t = setUp(soft === undefined ? undefined : { fn: 'NdisMAllocateNetBufferSGList', id: soft });
    const { address, blocks } = netBuffer(t);
    const storage = t.kernel.heap.allocate(256, 'storage');
    const lists: Address[] = [];
    t.run(function* () {
      const dma = yield* registerDma(t, {
        *ProcessSGListHandler(args: { pSGL: Address; Context: Address }): Coroutine<void> {
          expect([args.Context, t.kernel.scheduler.irql]).toEqual([CONTEXT, DISPATCH_LEVEL]);
          lists.push(args.pSGL);
        },
      });
      const old = t.kernel.scheduler.setIrql(DISPATCH_LEVEL);
      const result = yield* t.wdk.NdisMAllocateNetBufferSGList({
        NdisMiniportDmaHandle: dma,
        NetBuffer: address,
        Context: CONTEXT,
        Flags: 1,
        ScatterGatherListBuffer: storage,
        ScatterGatherListBufferSize: 256,
      });
      expect([result, lists.length]).toEqual([0, inCall ? 1 : 0]);
      t.kernel.scheduler.setIrql(old);
      yield { kind: 'point' };
      const [list] = lists as [Address];
      expect(list === storage).toBe(!own);
      const { hardware } = t.kernel;
      // The list begins with the MDL, not with the data, and ends with the data.
      expect(listOf(t, list)).toEqual([
        [hardware.physicalOf(blocks[0]), 100],
        [hardware.physicalOf(blocks[1]), 40],
      ]);
      hardware.dmaRead(hardware.physicalOf(blocks[0]), 100);
      expect(t.facts('dma-outside-mapping')).toEqual([]);
      hardware.dmaWrite(hardware.physicalOf(blocks[1]), new Uint8Array(40));
      t.kernel.scheduler.setIrql(DISPATCH_LEVEL);
      yield* t.wdk.NdisMFreeNetBufferSGList({ NdisMiniportDmaHandle: dma, pSGL: list, NetBuffer: address });
      t.kernel.scheduler.setIrql(old);
      hardware.dmaRead(hardware.physicalOf(blocks[0]), 100);
    });
    expect(t.undone()).toEqual([['sg-list', 'undone']]);
    expect(t.facts('dma-outside-mapping').map(({ detail }) => [detail.why, detail.access])).toEqual([
      ['direction', 'write'],
      ['unmapped', 'read'],
    ]);
  });
});

describe('the bus', () => {
  test('configuration space is read and written through the adapter handle', () => {
    const t = setUp();
    const buffer = t.kernel.heap.allocate(8, 'buffer', { fill: 0 });
    t.run(function* () {
      const call = { NdisMiniportHandle: t.MiniportAdapterHandle, WhichSpace: 0, Buffer: buffer };
      expect(yield* t.wdk.NdisMGetBusData({ ...call, Offset: 0, Length: 4 })).toBe(4);
      expect(t.kernel.memory.readU32(buffer)).toBe(0x0001_4858);
      expect(yield* t.wdk.NdisMGetBusData({ ...call, Offset: 252, Length: 8 })).toBe(4);
      expect(yield* t.wdk.NdisMGetBusData({ ...call, WhichSpace: 1, Offset: 0, Length: 4 })).toBe(0);
      t.kernel.memory.writeU16(buffer, 0);
      expect(yield* t.wdk.NdisMSetBusData({ ...call, Offset: 4, Length: 2 })).toBe(2);
      expect(t.adapter.device?.readConfig(4, 2)).toBe(0);
    });
  });

  test('a DMA channel cannot be had', () => {
    const t = setUp();
    const result = t.run(function* () {
      const call = yield* t.wdk.NdisMRegisterDmaChannel({
        MiniportAdapterHandle: t.MiniportAdapterHandle,
        DmaChannel: 0,
        Dma32BitAddresses: true,
        DmaDescription: NULL,
        MaximumLength: 4096,
      });
      return call.result;
    });
    expect(result).toBe(NDIS_STATUS_RESOURCE_CONFLICT);
  });
});
