import { describe, expect, it } from 'vitest';
import { type Address, MILLISECOND, NULL } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { KEVENT } from './dispatcher.ts';
import type { Coroutine } from './scheduler.ts';
import { testKernel } from './testing.ts';

const forever = { WaitReason: 0, WaitMode: 0, Alertable: false } as const;

function machine(processors = 1) {
  const made = testKernel({ processors });
  const { kernel, wdk } = made;
  const start = (routine: (args: { StartContext: Address }) => Coroutine<void>, context: Address = NULL) =>
    wdk.PsCreateSystemThread({
      DesiredAccess: 0x1fffff,
      ObjectAttributes: NULL,
      ProcessHandle: NULL,
      StartRoutine: routine,
      StartContext: context,
    });
  const reference = (handle: Address) =>
    wdk.ObReferenceObjectByHandle({
      Handle: handle,
      DesiredAccess: 0,
      ObjectType: kernel.memory.readPointer(kernel.code.resolve('PsThreadType', 'ntoskrnl.exe')),
      AccessMode: 0,
      HandleInformation: NULL,
    });
  return { ...made, start, reference };
}

describe('system threads', () => {
  it('can be waited for by their handle', () => {
    const { wdk, run, start } = machine();
    run(function* () {
      const { ThreadHandle } = yield* start(function* () {
        yield* wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -50 * MILLISECOND } });
      });
      const soon = { Handle: ThreadHandle, Alertable: false, Timeout: { QuadPart: -5 * MILLISECOND } };
      expect(yield* wdk.ZwWaitForSingleObject(soon)).toBe(0x102);
      expect(yield* wdk.ZwWaitForSingleObject({ Handle: ThreadHandle, Alertable: false })).toBe(0);
      yield* wdk.ZwClose({ Handle: ThreadHandle });
      expect((yield* wdk.ZwWaitForSingleObject(soon)) >>> 0).toBe(0xc0000008);
    });
  });

  it('run with their context, end themselves, and can be waited for', () => {
    const { kernel, wdk, run, start, reference } = machine();
    const log: unknown[] = [];
    const event = kernel.heap.allocate(KEVENT.size, 'KEVENT');
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
      const { result, ThreadHandle } = yield* start(function* ({ StartContext }) {
        yield* wdk.KeWaitForSingleObject({ Object: StartContext, ...forever });
        log.push('woken');
        yield* wdk.PsTerminateSystemThread({ ExitStatus: 0 });
        log.push('never');
      }, event);
      expect(result).toBe(0);
      const { Object: thread } = yield* reference(ThreadHandle);
      expect(kernel.resources.live(['system-thread'], thread)).toBeDefined();
      yield* wdk.ZwClose({ Handle: ThreadHandle });
      const soon = { QuadPart: -5 * MILLISECOND };
      expect(yield* wdk.KeWaitForSingleObject({ Object: thread, ...forever, Timeout: soon })).toBe(0x102);
      yield* wdk.KeSetEvent({ Event: event, Increment: 0, Wait: false });
      expect(yield* wdk.KeWaitForSingleObject({ Object: thread, ...forever })).toBe(0);
      expect(log).toEqual(['woken']);
      expect(kernel.resources.live(['system-thread'], thread)).toBeUndefined();
      expect(kernel.threads.alive()).toEqual([]);
      yield* wdk.ObDereferenceObject({ Object: thread });
      expect(() => kernel.dispatcher.state(thread)).toThrow(MemoryFault);
    });
    const undone = kernel.trace.events.filter((event) => event.kind === 'undo');
    expect(undone.map((event) => event.kind === 'undo' && [event.type, event.outcome])).toEqual([
      ['handle', 'undone'],
      ['system-thread', 'undone'],
      ['object-reference', 'undone'],
    ]);
  });

  it('may end by returning; nobody else may be ended', () => {
    const { wdk, run, start } = machine();
    run(function* () {
      yield* start(function* () {});
      expect(yield* wdk.PsTerminateSystemThread({ ExitStatus: 0 })).toBe(0xc000000d);
    });
  });

  it('know who they are', () => {
    const { wdk, run, start } = machine();
    run(function* () {
      const mine = yield* wdk.KeGetCurrentThread();
      let other: Address = NULL;
      const { ThreadHandle } = yield* start(function* () {
        other = yield* wdk.KeGetCurrentThread();
        expect(yield* wdk.KeAreApcsDisabled()).toBe(true);
      });
      yield* wdk.ZwYieldExecution();
      yield* wdk.ZwYieldExecution();
      expect(other).not.toBe(mine);
      expect(yield* wdk.KeSetPriorityThread({ Thread: mine, Priority: 16 })).toBe(8);
      expect(yield* wdk.KeQueryPriorityThread({ Thread: mine })).toBe(16);
      expect(yield* wdk.ZwClose({ Handle: ThreadHandle })).toBe(0);
      expect(yield* wdk.ZwClose({ Handle: ThreadHandle })).toBe(0xc0000008);
    });
  });

  it('move to the processors of their affinity', () => {
    const { kernel, wdk, run } = machine(2);
    run(function* () {
      const before = yield* wdk.KeSetSystemAffinityThreadEx({ Affinity: 2n });
      expect([before, kernel.scheduler.processor.number]).toEqual([0, 1]);
      yield* wdk.KeSetSystemGroupAffinityThread({ Affinity: { Mask: 1 as Address, Group: 0 } });
      expect(kernel.scheduler.processor.number).toBe(0);
      yield* wdk.KeRevertToUserAffinityThreadEx({ Affinity: 0n });
      expect(kernel.scheduler.current.affinity).toBeUndefined();
    });
  });

  it('give up their processor at the end of a quantum, so that a busy wait for another thread ends', () => {
    const { run, start } = machine();
    run(function* () {
      let done = false;
      yield* start(function* () {
        done = true;
      });
      while (!done) yield { kind: 'point', spinning: true };
    });
  });

  it('every reference is owed on its own', () => {
    const { kernel, wdk, run } = machine();
    run(function* () {
      const thread = yield* wdk.KeGetCurrentThread();
      yield* wdk.ObfReferenceObject({ Object: thread });
      yield* wdk.ObfReferenceObject({ Object: thread });
      yield* wdk.ObfDereferenceObject({ Object: thread });
      expect(kernel.resources.live(['object-reference'], thread)).toBeDefined();
      yield* wdk.ObfDereferenceObject({ Object: thread });
      expect(kernel.resources.live(['object-reference'], thread)).toBeUndefined();
      yield* wdk.ObfDereferenceObject({ Object: thread });
    });
    expect(kernel.trace.events.filter((event) => event.kind === 'undo').at(-1)).toMatchObject({ outcome: 'again' });
  });
});
