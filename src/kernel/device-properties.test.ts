import { expect, it } from 'vitest';
import { type Address, at } from '../trace/units.ts';
import { testKernel } from './testing.ts';

it('a property reads as it was written, and is gone when it is deleted', () => {
  const { kernel, wdk, run } = testKernel();
  const { heap, memory } = kernel;
  const PropertyKey = heap.allocate(20, 'DEVPROPKEY', { fill: 0x11 });
  const Data = heap.allocate(4, 'value', { fill: 7 });
  const named = { Pdo: 0x1000 as Address, PropertyKey, Lcid: 0, Flags: 0 };
  const set = (Type: number, data: Address) =>
    run(() => wdk.IoSetDevicePropertyData({ ...named, Type, Size: 4, Data: data }));
  const get = (Size: number, data: Address) => run(() => wdk.IoGetDevicePropertyData({ ...named, Size, Data: data }));
  const back = heap.allocate(4, 'value', { fill: 0 });
  expect(get(4, back).result).toBe(0xc0000034);
  expect(set(7, Data)).toBe(0);
  expect(get(2, back)).toMatchObject({ result: 0xc0000023, RequiredSize: 4, Type: 7 });
  expect(get(4, back).result).toBe(0);
  expect(memory.readU32(at(back, 0))).toBe(0x07070707);
  set(0, 0 as Address);
  expect(get(4, back).result).toBe(0xc0000034);
});
