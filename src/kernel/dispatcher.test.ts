import { describe, expect, it } from 'vitest';
import { type Address, at, MILLISECOND, NULL } from '../trace/units.ts';
import { KEVENT, KMUTANT } from './dispatcher.ts';
import type { Coroutine } from './scheduler.ts';
import { testKernel } from './testing.ts';
import { KSEMAPHORE } from './waits.ts';

const forever = { WaitReason: 0, WaitMode: 0, Alertable: false } as const;
const milliseconds = (count: number) => ({ QuadPart: -count * MILLISECOND });

function machine(processors = 1) {
  const made = testKernel({ processors });
  const { kernel, wdk, run } = made;
  const event = kernel.heap.allocate(KEVENT.size, 'KEVENT');
  const log: string[] = [];
  const waiter = (name: string, object: Address) =>
    kernel.scheduler.startThread(
      name,
      (function* (): Coroutine<void> {
        const status = yield* wdk.KeWaitForSingleObject({ Object: object, ...forever });
        log.push(`${name} ${status}`);
      })(),
    );
  const sleep = (count: number) =>
    wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: milliseconds(count) });
  return { kernel, wdk, run, event, log, waiter, sleep };
}

describe('events', () => {
  it('SignalState is real memory', () => {
    const { kernel, wdk, run, event } = machine();
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 0, State: false });
      expect(kernel.memory.readU32(at(event, 4))).toBe(0);
      expect(yield* wdk.KeSetEvent({ Event: event, Increment: 0, Wait: false })).toBe(0);
      expect(kernel.memory.readU32(at(event, 4))).toBe(1);
      expect(yield* wdk.KeResetEvent({ Event: event })).toBe(1);
      expect(yield* wdk.KeReadStateEvent({ Event: event })).toBe(0);
    });
  });

  it('an auto-reset event lets one waiter through per set, even when both sets come before either wakes', () => {
    const { wdk, run, event, log, waiter, sleep } = machine();
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
      waiter('first', event);
      waiter('second', event);
      waiter('third', event);
      yield* sleep(1);
      yield* wdk.KeSetEvent({ Event: event, Increment: 0, Wait: false });
      yield* wdk.KeSetEvent({ Event: event, Increment: 0, Wait: false });
      yield* sleep(1);
      expect(log).toEqual(['first 0', 'second 0']);
      expect(yield* wdk.KeReadStateEvent({ Event: event })).toBe(0);
    });
  });

  it('a notification event that is set and cleared at once releases who waited, and nobody who comes later', () => {
    const { wdk, run, event, log, waiter, sleep } = machine();
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 0, State: false });
      waiter('first', event);
      waiter('second', event);
      yield* sleep(1);
      yield* wdk.KeSetEvent({ Event: event, Increment: 0, Wait: false });
      yield* wdk.KeClearEvent({ Event: event });
      waiter('late', event);
      yield* sleep(1);
    });
    expect(log).toEqual(['first 0', 'second 0']);
  });

  it('waits end by their time: relative, absolute, zero', () => {
    const { kernel, wdk, run, event } = machine();
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
      const start = kernel.clock.now;
      const relative = { Object: event, ...forever, Timeout: milliseconds(5) };
      expect(yield* wdk.KeWaitForSingleObject(relative)).toBe(0x102);
      expect(kernel.clock.now - start).toBeGreaterThanOrEqual(5 * MILLISECOND);
      const absolute = { QuadPart: Number(kernel.clock.systemTime) + 5 * MILLISECOND };
      expect(yield* wdk.KeWaitForSingleObject({ Object: event, ...forever, Timeout: absolute })).toBe(0x102);
      const zero = { Object: event, ...forever, Timeout: { QuadPart: 0 } };
      expect(yield* wdk.KeWaitForSingleObject(zero)).toBe(0x102);
      yield* wdk.KeSetEvent({ Event: event, Increment: 0, Wait: false });
      expect(yield* wdk.KeWaitForSingleObject(zero)).toBe(0);
      expect(yield* wdk.KeWaitForSingleObject(zero)).toBe(0x102);
    });
  });

  it('a wait that nobody can end is a hang, named by its object', () => {
    const { wdk, run, event } = machine();
    expect(() =>
      run(function* () {
        yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
        yield* wdk.KeWaitForSingleObject({ Object: event, ...forever });
      }),
    ).toThrow(/waits for the SynchronizationEvent/);
  });

  it('polling lets time pass', () => {
    const { kernel, wdk, run, event } = machine();
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
      kernel.clock.set(1000 as never, () => kernel.dispatcher.setEvent(event));
      const zero = { Object: event, ...forever, Timeout: { QuadPart: 0 } };
      while ((yield* wdk.KeWaitForSingleObject(zero)) !== 0);
    });
  });
});

describe('semaphores and mutexes', () => {
  it('a semaphore lets as many through as it counts', () => {
    const { kernel, wdk, run, log, waiter, sleep } = machine();
    const semaphore = kernel.heap.allocate(KSEMAPHORE.size, 'KSEMAPHORE');
    run(function* () {
      yield* wdk.KeInitializeSemaphore({ Semaphore: semaphore, Count: 1, Limit: 3 });
      for (const name of ['a', 'b', 'c', 'd']) waiter(name, semaphore);
      yield* sleep(1);
      expect(log).toEqual(['a 0']);
      yield* wdk.KeReleaseSemaphore({ Semaphore: semaphore, Increment: 0, Adjustment: 2, Wait: false });
      yield* sleep(1);
      expect(log).toEqual(['a 0', 'b 0', 'c 0']);
      yield* wdk.KeReleaseSemaphore({ Semaphore: semaphore, Increment: 0, Adjustment: 1, Wait: false });
      yield* sleep(1);
      expect(log).toHaveLength(4);
    });
    expect(() =>
      run(function* () {
        yield* wdk.KeReleaseSemaphore({ Semaphore: semaphore, Increment: 0, Adjustment: 4, Wait: false });
      }),
    ).toThrow('beyond its limit');
  });

  it('a mutex is its thread’s, as often as it takes it', () => {
    const { kernel, wdk, run, log, waiter, sleep } = machine();
    const mutex = kernel.heap.allocate(KMUTANT.size, 'KMUTEX');
    run(function* () {
      yield* wdk.KeInitializeMutex({ Mutex: mutex, Level: 0 });
      yield* wdk.KeWaitForSingleObject({ Object: mutex, ...forever });
      yield* wdk.KeWaitForSingleObject({ Object: mutex, ...forever });
      waiter('other', mutex);
      yield* sleep(1);
      expect(yield* wdk.KeReleaseMutex({ Mutex: mutex, Wait: false })).toBe(-1);
      yield* sleep(1);
      expect(log).toEqual([]);
      expect(yield* wdk.KeReleaseMutex({ Mutex: mutex, Wait: false })).toBe(0);
      yield* sleep(1);
      expect(log).toEqual(['other 0']);
    });
    expect(() => run(() => wdk.KeReleaseMutex({ Mutex: mutex, Wait: false }))).toThrow('does not own');
  });
});

describe('KeWaitForMultipleObjects', () => {
  it('any: tells which; all: takes them together or not at all', () => {
    const { kernel, wdk, run, event } = machine();
    const other = kernel.heap.allocate(KEVENT.size, 'KEVENT');
    const list = kernel.heap.allocate(16, 'array');
    run(function* () {
      yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
      yield* wdk.KeInitializeEvent({ Event: other, Type: 1, State: true });
      kernel.memory.writePointer(list, event);
      kernel.memory.writePointer(at(list, 8), other);
      const both = { Count: 2, Object: list, ...forever, WaitBlockArray: NULL };
      const soon = { Timeout: milliseconds(1) };
      expect(yield* wdk.KeWaitForMultipleObjects({ ...both, WaitType: 0, ...soon })).toBe(0x102);
      expect(yield* wdk.KeReadStateEvent({ Event: other })).toBe(1);
      expect(yield* wdk.KeWaitForMultipleObjects({ ...both, WaitType: 1 })).toBe(1);
      kernel.clock.set((kernel.clock.now + 100) as never, () => kernel.dispatcher.setEvent(other));
      kernel.clock.set((kernel.clock.now + 200) as never, () => kernel.dispatcher.setEvent(event));
      expect(yield* wdk.KeWaitForMultipleObjects({ ...both, WaitType: 0 })).toBe(0);
      expect(yield* wdk.KeReadStateEvent({ Event: other })).toBe(0);
      expect(yield* wdk.KeReadStateEvent({ Event: event })).toBe(0);
    });
  });
});

it('memory freed around an event with a waiter is a fact', () => {
  const { kernel, wdk, run, event, waiter, sleep } = machine();
  run(function* () {
    yield* wdk.KeInitializeEvent({ Event: event, Type: 1, State: false });
    waiter('waiter', event);
    yield* sleep(1);
    kernel.heap.free(event);
  });
  expect(kernel.trace.events).toContainEqual(expect.objectContaining({ kind: 'fact', what: 'freed-with-live-object' }));
});
