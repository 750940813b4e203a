import { expect, test } from 'vitest';
import { type Address, at, hex, NULL } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { testNdis } from './testing.ts';

const Tag = 0x7478_6c68;
const Length = 40;

test('memory is exact to the byte, not zeroed, and gone when freed', () => {
  const t = testNdis();
  t.run(function* () {
    const NdisHandle = t.adapter.handle;
    const block = yield* t.wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length, Tag, Priority: 16 });
    expect(t.kernel.memory.readU8(at(block, 39))).toBe(0xcd);
    expect(() => t.kernel.memory.readU8(at(block, 40))).toThrow(MemoryFault);
    yield* t.wdk.NdisFreeMemory({ VirtualAddress: block, Length: 0, MemoryFlags: 0 });
    expect(() => t.kernel.memory.readU8(block)).toThrow(MemoryFault);
  });
  expect(t.events('acquire')).toMatchObject([
    { type: 'memory', owner: t.adapter.handle, detail: { Length, Tag: 'hlxt' } },
  ]);
  expect(t.events('undo')).toMatchObject([{ type: 'memory', outcome: 'undone' }]);
});

test('what a free must repeat', () => {
  const t = testNdis();
  const stale = t.ndis.newHandle('some other handle');
  t.run(function* () {
    const NdisHandle = t.adapter.handle;
    const get = () => t.wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length, Tag, Priority: 16 });
    yield* t.wdk.NdisFreeMemory({ VirtualAddress: yield* get(), Length, MemoryFlags: 2 });
    yield* t.wdk.NdisFreeMemoryWithTagPriority({ NdisHandle: stale, VirtualAddress: yield* get(), Tag: 1 });
    const { VirtualAddress } = yield* t.wdk.NdisAllocateMemoryWithTag({ Length, Tag });
    yield* t.wdk.NdisFreeMemoryWithTagPriority({ NdisHandle: stale, VirtualAddress, Tag });
  });
  expect(t.events('undo').map(({ outcome, differs }) => [outcome, differs])).toEqual([
    ['mismatch', ['MemoryFlags']],
    ['mismatch', ['NdisHandle', 'Tag']],
    ['undone', undefined],
  ]);
});

test('frees that name no live block say what they name', () => {
  const t = testNdis();
  const handle = hex(t.adapter.handle);
  t.run(function* () {
    const NdisHandle = t.adapter.handle;
    const block = yield* t.wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length, Tag, Priority: 16 });
    const free = (VirtualAddress: Address) => t.wdk.NdisFreeMemory({ VirtualAddress, Length, MemoryFlags: 0 });
    yield* free(at(block, 8));
    yield* free(NULL);
    yield* free(block);
    yield* free(block);
  });
  expect(handle).toMatch(/^0xFFFFF8/);
  expect(t.events('undo').map(({ outcome, detail }) => [outcome, detail.pointer])).toEqual([
    ['never', "8 bytes into the NDIS memory 'hlxt'"],
    ['never', 'no memory of this run'],
    ['undone', undefined],
    ['again', "the start of the freed NDIS memory 'hlxt'"],
  ]);
});

test('pool of the kernel freed through NDIS works, and shows', () => {
  const t = testNdis();
  t.run(function* () {
    const block = yield* t.wdk.ExAllocatePoolWithTag({ PoolType: 0, NumberOfBytes: 8, Tag });
    yield* t.wdk.NdisFreeMemory({ VirtualAddress: block, Length: 0, MemoryFlags: 0 });
  });
  expect(t.events('undo')).toMatchObject([{ type: 'pool', fn: 'NdisFreeMemory', outcome: 'undone' }]);
});

test('injected failure is NULL, and nothing is owed', () => {
  const t = testNdis({ faults: { strike: () => 'null' } });
  const block = t.run(() =>
    t.wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle: t.adapter.handle, Length, Tag, Priority: 16 }),
  );
  expect(block).toBe(NULL);
  expect(t.events('acquire')).toEqual([]);
  expect(t.events('return')).toMatchObject([{ injected: 'fail-ndisallocatememorywithtagpriority-null' }]);
});

test('an adapter instance name and an initialized string are freed as memory', () => {
  const t = testNdis();
  t.run(function* () {
    const string = t.kernel.heap.allocate(16, 'a UNICODE_STRING', { fill: 0 });
    const named = yield* t.wdk.NdisMQueryAdapterInstanceName({ MiniportHandle: t.adapter.handle });
    yield* t.wdk.NdisFreeMemory({ VirtualAddress: named.pAdapterInstanceName.Buffer, Length: 0, MemoryFlags: 0 });
    const made = yield* t.wdk.NdisInitializeString({ Source: 'speed' });
    t.kernel.memory.writeU16(string, 10);
    expect(made.Destination.Length).toBe(10);
    t.kernel.memory.writePointer(at(string, 8), made.Destination.Buffer);
    yield* t.wdk.NdisFreeString({ String: string });
  });
  expect(t.events('acquire').map(({ type }) => type)).toEqual(['adapter-instance-name', 'string']);
  expect(t.events('undo').map(({ type, outcome }) => [type, outcome])).toEqual([
    ['adapter-instance-name', 'undone'],
    ['string', 'undone'],
  ]);
});
