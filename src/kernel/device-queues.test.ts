import { expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { KDEVICE_QUEUE, KDEVICE_QUEUE_ENTRY } from './device-queues.ts';
import { testKernel } from './testing.ts';

it('a device queue keeps what comes while the device is busy, by key where asked', () => {
  const { kernel, wdk, run } = testKernel();
  const { heap, memory } = kernel;
  const DeviceQueue = heap.allocate(40, 'KDEVICE_QUEUE');
  const entry = () => heap.allocate(KDEVICE_QUEUE_ENTRY.size, 'entry', { fill: 0 });
  const [a, b, c, d] = [entry(), entry(), entry(), entry()];
  expect(KDEVICE_QUEUE.size).toBe(40);
  run(function* () {
    yield* wdk.KeInitializeDeviceQueue({ DeviceQueue });
    yield* wdk.KeRaiseIrqlToDpcLevel();
    const insert = (DeviceQueueEntry: Address, SortKey: number) =>
      wdk.KeInsertByKeyDeviceQueue({ DeviceQueue, DeviceQueueEntry, SortKey });
    expect(yield* insert(a, 5)).toBe(false);
    expect(yield* insert(b, 5)).toBe(true);
    expect(yield* insert(c, 3)).toBe(true);
    expect(yield* insert(d, 9)).toBe(true);
    expect(yield* wdk.KeRemoveByKeyDeviceQueue({ DeviceQueue, SortKey: 6 })).toBe(d);
    expect(yield* wdk.KeRemoveDeviceQueue({ DeviceQueue })).toBe(c);
    expect(yield* wdk.KeRemoveEntryDeviceQueue({ DeviceQueue, DeviceQueueEntry: b })).toBe(true);
    expect(yield* wdk.KeRemoveEntryDeviceQueue({ DeviceQueue, DeviceQueueEntry: b })).toBe(false);
    expect(yield* wdk.KeRemoveDeviceQueue({ DeviceQueue })).toBe(NULL);
    expect(memory.readU8(at(DeviceQueue, KDEVICE_QUEUE.offset('Busy')))).toBe(0);
    yield* wdk.KeLowerIrql({ NewIrql: 0 });
  });
});
