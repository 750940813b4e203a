import { expect, it } from 'vitest';
import { at, NULL } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { testKernel } from './testing.ts';

it('keeps a log from start to stop, and reads what a message names', () => {
  const { kernel, wdk, run } = testKernel();
  const { memory, heap } = kernel;
  const WppCb = heap.allocate(0x50, 'WPP_MAIN_CB', { fill: 0 });
  run(() => wdk.WppAutoLogStart({ WppCb, DriverObject: NULL, RegistryPath: NULL }));
  const AutoLogContext = memory.readPointer(at(WppCb, 0x40));
  expect(AutoLogContext).not.toBe(NULL);
  const word = heap.allocate(4, 'argument', { fill: 0 });
  const message = { AutoLogContext, MessageLevel: 2, MessageFlags: 1, MessageGuid: NULL, MessageNumber: 10 };
  expect(run(() => wdk.WppAutoLogTrace({ ...message, Arguments: [word, 4, 0] }))).toBe(0);
  heap.free(word);
  expect(() => run(() => wdk.WppAutoLogTrace({ ...message, Arguments: [word, 4, 0] }))).toThrow(MemoryFault);
  run(() => wdk.WppAutoLogStop({ WppCb, DriverObject: NULL }));
  expect(memory.readPointer(at(WppCb, 0x40))).toBe(NULL);
});
