import { expect, it } from 'vitest';
import { at } from '../trace/units.ts';
import { testKernel } from './testing.ts';

const OBJECT = 0x1000 as never;

it('an error log entry goes with its writing, or with freeing it', () => {
  const { kernel, wdk, run } = testKernel();
  run(function* () {
    const entry = yield* wdk.IoAllocateErrorLogEntry({ IoObject: OBJECT, EntrySize: 64 });
    kernel.memory.writeU32(at(entry, 12), 0xc000_138d);
    yield* wdk.IoWriteErrorLogEntry({ ElEntry: entry });
    expect(kernel.heap.blockAt(entry)?.state).toBe('freed');
    const unused = yield* wdk.IoAllocateErrorLogEntry({ IoObject: OBJECT, EntrySize: 48 });
    yield* wdk.IoFreeErrorLogEntry({ ElEntry: unused });
    for (const EntrySize of [0, 47, 241]) {
      expect(yield* wdk.IoAllocateErrorLogEntry({ IoObject: OBJECT, EntrySize })).toBe(0);
    }
  });
  const logged = kernel.trace.events.flatMap((event) => (event.kind === 'fact' ? [event.detail.code] : []));
  expect(logged).toEqual(['0xC000138D']);
});

it('what is no entry cannot be given back', () => {
  const { kernel, wdk, run } = testKernel();
  const block = kernel.heap.allocate(64, 'pool block');
  expect(() => run(() => wdk.IoFreeErrorLogEntry({ ElEntry: block }))).toThrow('is no error log entry');
});
