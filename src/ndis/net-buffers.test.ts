import { describe, expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { NET_BUFFER, NET_BUFFER_LIST, NET_BUFFER_LIST_CONTEXT } from './net-buffer-structures.ts';
import { ObjectType } from './object-header.ts';
import { type TestNdis, testNdis } from './testing.ts';

const listPool = (more: object = {}) => ({
  Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: 16 },
  PoolTag: 0x6e6c6261,
  ...more,
});
const bufferPool = (DataSize = 0) => ({
  Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: 12 },
  PoolTag: 0x6e6c6261,
  DataSize,
});

/** An MDL chain of buffers that hold ascending bytes. */
function chain({ kernel }: TestNdis, ...sizes: number[]): Address {
  let value = 0;
  const mdls = sizes.map((size) => {
    const data = kernel.heap.allocate(size, 'data');
    for (let i = 0; i < size; i++) kernel.memory.writeU8(at(data, i), value++);
    return kernel.mdls.describe(data, size, 'MDL');
  });
  mdls.forEach((mdl, i) => {
    mdl.Next = mdls[i + 1]?.address ?? NULL;
  });
  return mdls[0]?.address ?? NULL;
}

describe('pools and lists', () => {
  it('gives a list with its NET_BUFFER on the caller’s MDLs and takes both back', () => {
    const t = testNdis();
    t.run(function* () {
      const pool = yield* t.wdk.NdisAllocateNetBufferListPool({
        NdisHandle: t.adapter.handle,
        Parameters: listPool({ fAllocateNetBuffer: true, ContextSize: 32 }),
      });
      const list = yield* t.wdk.NdisAllocateNetBufferAndNetBufferList({
        PoolHandle: pool,
        ContextSize: 16,
        ContextBackFill: 0,
        MdlChain: chain(t, 10, 20),
        DataOffset: 12,
        DataLength: 18,
      });
      const view = NET_BUFFER_LIST.at(t.kernel.memory, list);
      const buffer = NET_BUFFER.at(t.kernel.memory, view.FirstNetBuffer);
      expect(view.NdisPoolHandle).toBe(pool);
      expect([buffer.DataOffset, buffer.DataLength, buffer.CurrentMdlOffset]).toEqual([12, 18, 2]);
      expect(buffer.CurrentMdl).not.toBe(buffer.MdlChain);
      const context = NET_BUFFER_LIST_CONTEXT.at(t.kernel.memory, view.Context);
      expect([context.Size, context.Offset]).toEqual([32, 16]);
      yield* t.wdk.NdisFreeNetBufferList({ NetBufferList: list });
      expect(() => buffer.DataLength).toThrow(MemoryFault);
      yield* t.wdk.NdisFreeNetBufferListPool({ PoolHandle: pool });
    });
    expect(t.events('undo').map(({ type, outcome }) => [type, outcome])).toEqual([
      ['nbl', 'undone'],
      ['nbl-pool', 'undone'],
    ]);
    expect(t.events('fact')).toEqual([]);
  });

  it('tells of members out when a pool goes, and faults when one is freed to it', () => {
    const t = testNdis();
    expect(() =>
      t.run(function* () {
        const pool = yield* t.wdk.NdisAllocateNetBufferListPool({
          NdisHandle: t.adapter.handle,
          Parameters: listPool(),
        });
        const list = yield* t.wdk.NdisAllocateNetBufferList({ PoolHandle: pool, ContextSize: 0, ContextBackFill: 0 });
        yield* t.wdk.NdisFreeNetBufferListPool({ PoolHandle: pool });
        yield* t.wdk.NdisFreeNetBufferList({ NetBufferList: list });
      }),
    ).toThrow(MemoryFault);
    expect(t.facts('pool-freed-with-members')[0]?.detail).toMatchObject({ members: 1, tag: 'abln' });
  });

  it('refuses a pool of another make', () => {
    const t = testNdis();
    const results = t.run(function* () {
      const plain = yield* t.wdk.NdisAllocateNetBufferListPool({ NdisHandle: NULL, Parameters: listPool() });
      const list = yield* t.wdk.NdisAllocateNetBufferAndNetBufferList({
        PoolHandle: plain,
        ContextSize: 0,
        ContextBackFill: 0,
        MdlChain: NULL,
        DataOffset: 0,
        DataLength: 0,
      });
      const nb = yield* t.wdk.NdisAllocateNetBufferPool({ NdisHandle: NULL, Parameters: bufferPool() });
      return [list, yield* t.wdk.NdisAllocateNetBufferMdlAndData({ PoolHandle: nb })];
    });
    expect(results).toEqual([NULL, NULL]);
    expect(t.facts('nbl-pool-kind-mismatch')).toHaveLength(2);
  });

  it('reserves context space in what is unused, then in a new block', () => {
    const t = testNdis();
    t.run(function* () {
      const PoolHandle = yield* t.wdk.NdisAllocateNetBufferListPool({ NdisHandle: NULL, Parameters: listPool() });
      const list = yield* t.wdk.NdisAllocateNetBufferList({ PoolHandle, ContextSize: 16, ContextBackFill: 16 });
      const NetBufferList = NET_BUFFER_LIST.at(t.kernel.memory, list);
      const first = NetBufferList.Context;
      yield* t.wdk.NdisAllocateNetBufferListContext({
        NetBufferList: list,
        ContextSize: 16,
        ContextBackFill: 0,
        PoolTag: 1,
      });
      expect(NetBufferList.Context).toBe(first);
      yield* t.wdk.NdisAllocateNetBufferListContext({
        NetBufferList: list,
        ContextSize: 32,
        ContextBackFill: 8,
        PoolTag: 1,
      });
      const context = NET_BUFFER_LIST_CONTEXT.at(t.kernel.memory, NetBufferList.Context);
      expect([context.Size, context.Offset, context.Next]).toEqual([40, 8, first]);
      yield* t.wdk.NdisFreeNetBufferListContext({ NetBufferList: list, ContextSize: 32 });
      expect(NetBufferList.Context).toBe(first);
      yield* t.wdk.NdisFreeNetBufferListContext({ NetBufferList: list, ContextSize: 16 });
      expect(NetBufferList.Context).toBe(first);
    });
    expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'undone']);
  });
});

describe('data', () => {
  function* netBuffer(t: TestNdis, sizes: number[], DataOffset: number, DataLength: number) {
    const PoolHandle = yield* t.wdk.NdisAllocateNetBufferPool({ NdisHandle: NULL, Parameters: bufferPool() });
    const MdlChain = chain(t, ...sizes);
    return NET_BUFFER.at(
      t.kernel.memory,
      yield* t.wdk.NdisAllocateNetBuffer({ PoolHandle, MdlChain, DataOffset, DataLength }),
    );
  }

  it('NdisGetDataBuffer points into one MDL, copies across two, and gives NULL otherwise', () => {
    const t = testNdis();
    t.run(function* () {
      const buffer = yield* netBuffer(t, [8, 8], 4, 12);
      const get = (BytesNeeded: number, Storage: Address, AlignMultiple = 1) =>
        t.wdk.NdisGetDataBuffer({ NetBuffer: buffer.address, BytesNeeded, Storage, AlignMultiple, AlignOffset: 0 });
      const storage = t.kernel.heap.allocate(16, 'storage');
      const inside = yield* get(4, NULL);
      expect([...t.kernel.memory.read(inside, 4)]).toEqual([4, 5, 6, 7]);
      expect(yield* get(6, NULL)).toBe(NULL);
      expect(yield* get(6, storage)).toBe(storage);
      expect([...t.kernel.memory.read(storage, 6)]).toEqual([4, 5, 6, 7, 8, 9]);
      expect(yield* get(4, storage, 16)).toBe(storage);
      expect(yield* get(13, storage)).toBe(NULL);
    });
  });

  it('copies between NET_BUFFERs as far as source and destination reach', () => {
    const t = testNdis();
    t.run(function* () {
      const source = yield* netBuffer(t, [4, 4, 4], 2, 8);
      const target = yield* netBuffer(t, [3, 5], 0, 0);
      const copied = yield* t.wdk.NdisCopyFromNetBufferToNetBuffer({
        Destination: target.address,
        DestinationOffset: 1,
        BytesToCopy: 100,
        Source: source.address,
        SourceOffset: 1,
      });
      expect(copied).toEqual({ result: 0, BytesCopied: 7 });
      target.DataLength = 8;
      expect([...t.ndis.netBufferData.read(target)]).toEqual([0, 3, 4, 5, 6, 7, 8, 9]);
    });
  });

  it('comes with all of its data buffer unused: a retreat into it allocates nothing', () => {
    const t = testNdis();
    t.run(function* () {
      const PoolHandle = yield* t.wdk.NdisAllocateNetBufferPool({ NdisHandle: NULL, Parameters: bufferPool(100) });
      const address = yield* t.wdk.NdisAllocateNetBufferMdlAndData({ PoolHandle });
      const buffer = NET_BUFFER.at(t.kernel.memory, address);
      const move = { NetBuffer: address, DataOffsetDelta: 60, DataBackFill: 0, AllocateMdlHandler: NULL };
      expect(yield* t.wdk.NdisRetreatNetBufferDataStart(move)).toBe(0);
      expect([buffer.DataOffset, buffer.DataLength]).toEqual([40, 60]);
      expect(yield* t.wdk.NdisQueryNetBufferPhysicalCount({ NetBuffer: address })).toBe(1);
      yield* t.wdk.NdisFreeNetBuffer({ NetBuffer: address });
    });
    expect(t.events('acquire').map(({ type }) => type)).toEqual(['nb-pool', 'nb']);
  });

  it('a retreat beyond the unused space owes an MDL until it is advanced past', () => {
    const t = testNdis();
    t.run(function* () {
      const buffer = yield* netBuffer(t, [20], 4, 16);
      const first = buffer.MdlChain;
      yield* t.wdk.NdisRetreatNetBufferDataStart({
        NetBuffer: buffer.address,
        DataOffsetDelta: 14,
        DataBackFill: 6,
        AllocateMdlHandler: NULL,
      });
      expect([buffer.DataOffset, buffer.DataLength]).toEqual([6, 30]);
      expect([...t.ndis.netBufferData.read(buffer)].slice(10)).toEqual([...Array(20).keys()]);
      yield* t.wdk.NdisAdvanceNetBufferDataStart({
        NetBuffer: buffer.address,
        DataOffsetDelta: 14,
        FreeMdl: true,
        FreeMdlHandler: NULL,
      });
      expect([buffer.MdlChain, buffer.DataOffset, buffer.DataLength]).toEqual([first, 4, 16]);
    });
    expect(t.events('undo').map(({ type, outcome }) => [type, outcome])).toEqual([['data-start', 'undone']]);
  });

  it('asks the driver’s own handlers for the MDL of a retreat', () => {
    const t = testNdis();
    const calls: string[] = [];
    t.run(function* () {
      const buffer = yield* netBuffer(t, [20], 0, 20);
      yield* t.wdk.NdisRetreatNetBufferDataStart({
        NetBuffer: buffer.address,
        DataOffsetDelta: 14,
        DataBackFill: 2,
        AllocateMdlHandler: ({ BufferSize }: { BufferSize: { get(): number } }) => {
          calls.push(`allocate ${BufferSize.get()}`);
          return chain(t, BufferSize.get());
        },
      });
      yield* t.wdk.NdisAdvanceNetBufferDataStart({
        NetBuffer: buffer.address,
        DataOffsetDelta: 14,
        FreeMdl: true,
        FreeMdlHandler: () => {
          calls.push('free');
        },
      });
    });
    expect(calls).toEqual(['allocate 16', 'free']);
  });
});

describe('derived lists', () => {
  function* list(t: TestNdis, sizes: number[], DataOffset: number, DataLength: number) {
    const Parameters = listPool({ fAllocateNetBuffer: true });
    const PoolHandle = yield* t.wdk.NdisAllocateNetBufferListPool({ NdisHandle: NULL, Parameters });
    return yield* t.wdk.NdisAllocateNetBufferAndNetBufferList({
      PoolHandle,
      ContextSize: 0,
      ContextBackFill: 0,
      MdlChain: chain(t, ...sizes),
      DataOffset,
      DataLength,
    });
  }
  const datas = (t: TestNdis, address: Address) => {
    const found: number[][] = [];
    for (let next = NET_BUFFER_LIST.at(t.kernel.memory, address).FirstNetBuffer; next !== NULL; ) {
      const buffer = NET_BUFFER.at(t.kernel.memory, next);
      found.push([...t.ndis.netBufferData.read(buffer)]);
      next = buffer.Next;
    }
    return found;
  };

  it('clones, fragments and reassembles without copying', () => {
    const t = testNdis();
    t.run(function* () {
      const original = yield* list(t, [4, 6], 2, 8);
      const none = { NetBufferListPoolHandle: NULL, NetBufferPoolHandle: NULL };
      const clone = yield* t.wdk.NdisAllocateCloneNetBufferList({
        OriginalNetBufferList: original,
        ...none,
        AllocateCloneFlags: 0,
      });
      expect(datas(t, clone)).toEqual([[2, 3, 4, 5, 6, 7, 8, 9]]);
      const fragments = yield* t.wdk.NdisAllocateFragmentNetBufferList({
        OriginalNetBufferList: original,
        NetBufferListPool: NULL,
        NetBufferPool: NULL,
        StartOffset: 1,
        MaximumLength: 3,
        DataOffsetDelta: 0,
        DataBackFill: 0,
        AllocateFragmentFlags: 0,
      });
      expect(datas(t, fragments)).toEqual([[3, 4, 5], [6, 7, 8], [9]]);
      const whole = yield* t.wdk.NdisAllocateReassembledNetBufferList({
        FragmentNetBufferList: fragments,
        NetBufferAndNetBufferListPoolHandle: NULL,
        StartOffset: 0,
        DataOffsetDelta: 2,
        DataBackFill: 0,
        AllocateReassembleFlags: 0,
      });
      expect(datas(t, whole)[0]?.slice(2)).toEqual([3, 4, 5, 6, 7, 8, 9]);
      yield* t.wdk.NdisFreeReassembledNetBufferList({
        ReassembledNetBufferList: whole,
        DataOffsetDelta: 2,
        FreeReassembleFlags: 0,
      });
      yield* t.wdk.NdisFreeFragmentNetBufferList({
        FragmentNetBufferList: fragments,
        DataOffsetDelta: 1,
        FreeFragmentFlags: 0,
      });
      yield* t.wdk.NdisFreeNetBufferList({ NetBufferList: clone });
    });
    expect(t.events('undo').map(({ outcome, differs }) => [outcome, differs])).toEqual([
      ['undone', undefined],
      ['mismatch', ['DataOffsetDelta']],
      ['mismatch', ['Kind']],
    ]);
  });
});

describe('MDLs', () => {
  it('are owed, and freed only by their own call', () => {
    const t = testNdis();
    t.run(function* () {
      const VirtualAddress = t.kernel.heap.allocate(100, 'pool block');
      const mdl = yield* t.wdk.NdisAllocateMdl({ NdisHandle: t.adapter.handle, VirtualAddress, Length: 100 });
      expect(t.kernel.mdls.at(mdl).ByteCount).toBe(100);
      yield* t.wdk.NdisFreeMdl({ Mdl: mdl });
    });
    expect(t.events('undo')[0]).toMatchObject({ type: 'mdl', outcome: 'undone' });
  });
});

it('a list freed twice is an undo of what is gone, not a fault', () => {
  const t = testNdis();
  t.run(function* () {
    const PoolHandle = yield* t.wdk.NdisAllocateNetBufferListPool({ NdisHandle: NULL, Parameters: listPool() });
    const list = yield* t.wdk.NdisAllocateNetBufferList({ PoolHandle, ContextSize: 0, ContextBackFill: 0 });
    yield* t.wdk.NdisFreeNetBufferList({ NetBufferList: list });
    yield* t.wdk.NdisFreeNetBufferList({ NetBufferList: list });
  });
  expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'again']);
});
