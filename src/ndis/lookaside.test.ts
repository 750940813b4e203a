import { expect, test } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { testNdis } from './testing.ts';

test('a lookaside list and its entries are owed; stale entries are caught', () => {
  const t = testNdis();
  t.run(function* () {
    const Lookaside = t.kernel.heap.allocate(0x80, 'the driver’s list', { align: 16, fill: 0 });
    yield* t.wdk.NdisInitializeNPagedLookasideList({
      Lookaside,
      Allocate: NULL,
      Free: NULL,
      Flags: 0,
      Size: 32,
      Tag: 0x6b6f6f4c,
      Depth: 0,
    });
    const Entry = yield* t.wdk.NdisAllocateFromNPagedLookasideList({ Lookaside });
    t.kernel.memory.writeU8((Entry + 31) as Address, 1);
    yield* t.wdk.NdisFreeToNPagedLookasideList({ Lookaside, Entry });
    expect(() => t.kernel.memory.readU8(Entry)).toThrow();
    yield* t.wdk.NdisAllocateFromNPagedLookasideList({ Lookaside });
    yield* t.wdk.NdisDeleteNPagedLookasideList({ Lookaside });
  });
  expect(t.events('acquire').map(({ type }) => type)).toEqual(['lookaside-list', 'lookaside-entry', 'lookaside-entry']);
  expect(t.events('undo').map(({ type, outcome }) => [type, outcome])).toEqual([
    ['lookaside-entry', 'undone'],
    ['lookaside-list', 'undone'],
  ]);
});
