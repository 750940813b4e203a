import { expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import { testKernel } from './testing.ts';

it('initializes once, again after a failure, and gives everybody the same', () => {
  const { kernel, wdk, run } = testKernel();
  const RunOnce = kernel.heap.allocate(8, 'RTL_RUN_ONCE', { fill: 0 });
  let calls = 0;
  const InitFn = ({ Context }: { Context: Address }) => {
    kernel.memory.writePointer(Context, 0x1230 as Address);
    return calls++ === 0 ? 0 : 1;
  };
  const execute = () => run(() => wdk.RtlRunOnceExecuteOnce({ RunOnce, InitFn, Parameter: NULL }));
  expect(execute()).toMatchObject({ result: 0xc0000001 });
  expect(execute()).toMatchObject({ result: 0, Context: 0x1230 });
  expect(execute()).toMatchObject({ result: 0, Context: 0x1230 });
  expect(calls).toBe(2);
  const begun = run(() => wdk.RtlRunOnceBeginInitialize({ RunOnce, Flags: 0 }));
  expect(begun).toMatchObject({ result: 0, Context: 0x1230 });
});

it('lets a second caller wait for the first', () => {
  const { kernel, wdk, run } = testKernel();
  const RunOnce = kernel.heap.allocate(8, 'RTL_RUN_ONCE', { fill: 0 });
  const seen = run(function* () {
    const first = yield* wdk.RtlRunOnceBeginInitialize({ RunOnce, Flags: 0 });
    const second: number[] = [];
    kernel.scheduler.startThread(
      'second',
      (function* () {
        const { result, Context } = yield* wdk.RtlRunOnceBeginInitialize({ RunOnce, Flags: 0 });
        second.push(result, Context);
      })(),
    );
    yield* wdk.KeGetCurrentIrql();
    yield* wdk.RtlRunOnceComplete({ RunOnce, Flags: 0, Context: 0x40 as Address });
    yield { kind: 'wait', what: 'the second', ready: () => second.length > 0 };
    return [first.result, ...second];
  });
  expect(seen).toEqual([0x103, 0, 0x40]);
});
