/** Functions that few drivers call, each a form of another with its own tests. */
import { expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { testKernel } from './testing.ts';

it('MmAllocateContiguousMemoryEx takes its length by address and gives its memory through a pointer', () => {
  const { kernel, wdk, run } = testKernel();
  const limits = { LowestAcceptableAddress: 0, HighestAcceptableAddress: 2 ** 40, BoundaryAddressMultiple: 0 };
  const rest = { PreferredNode: 0, Protect: 4, PartitionObject: NULL, Tag: 1, Flags: 0 };
  run(function* () {
    const NumberOfBytes = { Length: 0x2000 as Address };
    const { result, BaseAddress } = yield* wdk.MmAllocateContiguousMemoryEx({ NumberOfBytes, ...limits, ...rest });
    expect(result).toBe(0);
    kernel.memory.writeU8((BaseAddress + 0x1fff) as Address, 1);
    yield* wdk.MmFreeContiguousMemory({ BaseAddress });
  });
  const outcomes = kernel.trace.events.flatMap((event) => (event.kind === 'undo' ? [event.outcome] : []));
  expect(outcomes).toEqual(['undone']);
});

it('a reference by handle may have a tag', () => {
  const { wdk, run } = testKernel();
  run(function* () {
    const thread = { Handle: -2 as never, DesiredAccess: 0, ObjectType: NULL, AccessMode: 0, HandleInformation: NULL };
    const { result, Object: object } = yield* wdk.ObReferenceObjectByHandleWithTag({ ...thread, Tag: 1 });
    expect(result).toBe(0);
    yield* wdk.ObDereferenceObjectWithTag({ Object: object, Tag: 1 });
  });
});

it('the clock ticks as fast as asked, and no session traces', () => {
  const { wdk, run } = testKernel();
  expect(run(() => wdk.ExSetTimerResolution({ DesiredTime: 10_000, SetResolution: true }))).toBe(10_000);
  expect(run(() => wdk.ExSetTimerResolution({ DesiredTime: 0, SetResolution: false }))).toBe(156_250);
  const none = { TraceInformation: NULL, TraceInformationLength: 0, RequiredLength: NULL, Buffer: NULL };
  expect(run(() => wdk.WmiQueryTraceInformation({ TraceInformationClass: 0, ...none }))).toBe(0xc0000225);
  expect(run(() => wdk.ExAllocatePoolWithQuota({ PoolType: 512, NumberOfBytes: 16 }))).not.toBe(0);
});
