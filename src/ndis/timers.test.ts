import { describe, expect, test } from 'vitest';
import type { Coroutine } from '../kernel/scheduler.ts';
import { type Address, type Handle, MILLISECOND } from '../trace/units.ts';
import { ObjectType } from './object-header.ts';
import { type TestNdis, testNdis } from './testing.ts';
import { NDIS_TIMER_CHARACTERISTICS } from './timers.ts';

function* allocate({ wdk, adapter }: TestNdis, TimerFunction: () => unknown): Coroutine<Handle> {
  const { result, pTimerObject } = yield* wdk.NdisAllocateTimerObject({
    NdisHandle: adapter.handle,
    TimerCharacteristics: {
      Header: { Type: ObjectType.TIMER_CHARACTERISTICS, Revision: 1, Size: NDIS_TIMER_CHARACTERISTICS.size },
      AllocationTag: 0x656d6954,
      TimerFunction,
      FunctionContext: 0x1234 as Address,
    },
  });
  expect(result).toBe(0);
  return pTimerObject;
}

const once = (TimerObject: Handle, milliseconds: number) => ({
  TimerObject,
  DueTime: -milliseconds * MILLISECOND,
  MillisecondsPeriod: 0,
  FunctionContext: 0 as Address,
});

describe('a one-shot timer', () => {
  test('calls back at DISPATCH_LEVEL with the default context, and is then no longer owed', () => {
    const t = testNdis();
    const calls: unknown[] = [];
    t.run(function* () {
      const timer = yield* allocate(t, (args?: unknown) => calls.push(args, t.kernel.scheduler.irql));
      expect(yield* t.wdk.NdisSetTimerObject(once(timer, 5))).toBe(false);
      yield* t.wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -10 * MILLISECOND } });
      expect(yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer })).toBe(false);
      yield* t.wdk.NdisFreeTimerObject({ TimerObject: timer });
    });
    expect(calls).toMatchObject([{ FunctionContext: 0x1234 }, 2]);
    expect(t.events('acquire').map((event) => [event.type, event.owner])).toEqual([
      ['timer-object', t.adapter.handle],
      ['timer-set', t.adapter.handle],
    ]);
    expect(t.events('undo').map(({ type, outcome, fn }) => [type, outcome, fn])).toEqual([
      ['timer-set', 'undone', 'the timer queue'],
      ['timer-object', 'undone', 'NdisFreeTimerObject'],
    ]);
    expect(t.facts('timer-callback-pending')).toEqual([]);
    expect(t.facts('timer-freed-while-active')).toEqual([]);
    expect(t.events('enter')[0]?.adapter).toBe(t.adapter.handle);
  });

  test('set twice is one thing to cancel', () => {
    const t = testNdis();
    t.run(function* () {
      const timer = yield* allocate(t, () => {});
      yield* t.wdk.NdisSetTimerObject(once(timer, 5));
      expect(yield* t.wdk.NdisSetTimerObject(once(timer, 50))).toBe(true);
      expect(yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer })).toBe(true);
      expect(yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer })).toBe(false);
    });
    expect(t.events('acquire').filter(({ type }) => type === 'timer-set')).toHaveLength(1);
    expect(t.events('undo')).toMatchObject([{ type: 'timer-set', outcome: 'undone', fn: 'NdisCancelTimerObject' }]);
    expect(t.facts('timer-rearmed')).toHaveLength(1);
  });

  test('may fire while it is being cancelled: FALSE, and the callback comes later', () => {
    const calls: string[] = [];
    const t = testNdis({
      processors: 2,
      faults: { strike: (fn) => (fn === 'NdisCancelTimerObject' ? 'lost' : undefined) },
    });
    t.run(function* () {
      const timer = yield* allocate(t, () => calls.push('fired'));
      yield* t.wdk.NdisSetTimerObject(once(timer, 1000));
      expect(yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer })).toBe(false);
      expect(calls).toEqual([]);
      yield* t.wdk.KeDelayExecutionThread({
        WaitMode: 0,
        Alertable: false,
        Interval: { QuadPart: -1000 * MILLISECOND },
      });
      expect(calls).toEqual(['fired']);
    });
    expect(t.facts('timer-callback-pending')).toMatchObject([{ detail: { callback: 'queued' } }]);
    expect(t.events('enter')).toMatchObject([{ callback: 'NetTimerCallback', processor: 1 }]);
  });

  test('cannot be lost when there is nothing to lose', () => {
    const asked: (readonly string[])[] = [];
    const t = testNdis({
      processors: 2,
      faults: {
        strike(fn, failures) {
          if (fn === 'NdisCancelTimerObject') asked.push(failures);
          return undefined;
        },
      },
    });
    t.run(function* () {
      const timer = yield* allocate(t, () => {});
      yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer });
    });
    expect(asked).toEqual([]);
  });

  test('re-armed by its own callback is owed again', () => {
    const t = testNdis();
    t.run(function* () {
      let rearm = true;
      const timer: Handle = yield* allocate(t, function* rearming() {
        if (rearm) yield* t.wdk.NdisSetTimerObject(once(timer, 5));
        rearm = false;
      });
      yield* t.wdk.NdisSetTimerObject(once(timer, 5));
      yield* t.wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -6 * MILLISECOND } });
      expect(yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer })).toBe(true);
    });
    expect(t.events('acquire').filter(({ type }) => type === 'timer-set')).toHaveLength(2);
  });
});

test('cancelling a periodic timer waits for its callback', () => {
  const t = testNdis({ processors: 2 });
  const order: string[] = [];
  t.run(function* () {
    const timer = yield* allocate(t, function* slow() {
      order.push('callback begins');
      yield { kind: 'wait', what: 'a while', ready: () => false, deadline: t.kernel.clock.dueAt(-3 * MILLISECOND) };
      order.push('callback ends');
    });
    yield* t.wdk.NdisSetTimerObject({ ...once(timer, 5), MillisecondsPeriod: 20 });
    const begun = () => order.length > 0;
    // On another processor than the callback's, as soon as that has begun.
    yield { kind: 'wait', what: 'the callback', ready: begun };
    expect(t.kernel.scheduler.processor.number).toBe(1);
    order.push('cancel');
    expect(yield* t.wdk.NdisCancelTimerObject({ TimerObject: timer })).toBe(true);
    order.push('cancelled');
    yield* t.wdk.NdisFreeTimerObject({ TimerObject: timer });
  });
  expect(order).toEqual(['callback begins', 'cancel', 'callback ends', 'cancelled']);
  expect(t.facts('timer-freed-while-active')).toEqual([]);
});

describe('misuse', () => {
  test('freeing a set timer is a fact, and its expiry ends the run', () => {
    const t = testNdis();
    expect(() =>
      t.run(function* () {
        const timer = yield* allocate(t, () => {});
        yield* t.wdk.NdisSetTimerObject(once(timer, 5));
        yield* t.wdk.NdisFreeTimerObject({ TimerObject: timer });
        yield* t.wdk.KeDelayExecutionThread({
          WaitMode: 0,
          Alertable: false,
          Interval: { QuadPart: -10 * MILLISECOND },
        });
      }),
    ).toThrow('expires after it was freed');
    expect(t.facts('timer-freed-while-active')).toMatchObject([{ detail: { state: 'set' } }]);
  });

  test('calls on a freed timer', () => {
    const t = testNdis();
    t.run(function* () {
      const timer = yield* allocate(t, () => {});
      yield* t.wdk.NdisFreeTimerObject({ TimerObject: timer });
      yield* t.wdk.NdisSetTimerObject(once(timer, 5));
      yield* t.wdk.NdisFreeTimerObject({ TimerObject: timer });
    });
    expect(t.facts('timer-call-on-freed')).toMatchObject([{ detail: { fn: 'NdisSetTimerObject' } }]);
    expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'again']);
  });

  test('a stale adapter handle gets no timer', () => {
    const t = testNdis();
    t.adapter.valid = false;
    const status = t.run(function* () {
      return (yield* t.wdk.NdisAllocateTimerObject({
        NdisHandle: t.adapter.handle,
        TimerCharacteristics: { Header: { Type: 0x97, Revision: 1, Size: 24 } },
      })).result;
    });
    expect(status).toBe(0xc000_0001);
    expect(t.facts('ndis-handle-not-valid')).toMatchObject([{ detail: { kind: 'halted adapter' } }]);
  });
});

test('an NDIS 5 timer in the driver’s memory: periodic, cancelled without waiting', () => {
  const t = testNdis();
  let calls = 0;
  t.run(function* () {
    const Timer = t.kernel.heap.allocate(0xa0, 'the driver’s memory');
    yield* t.wdk.NdisMInitializeTimer({
      Timer,
      MiniportAdapterHandle: t.adapter.handle,
      TimerFunction: () => calls++,
      FunctionContext: 1 as Address,
    });
    yield* t.wdk.NdisMSetPeriodicTimer({ Timer, MillisecondsPeriod: 10 });
    yield* t.wdk.KeDelayExecutionThread({ WaitMode: 0, Alertable: false, Interval: { QuadPart: -35 * MILLISECOND } });
    expect((yield* t.wdk.NdisMCancelTimer({ Timer })).TimerCancelled).toBe(true);
    expect((yield* t.wdk.NdisMCancelTimer({ Timer })).TimerCancelled).toBe(false);
  });
  expect(calls).toBe(3);
  expect(t.events('acquire')).toMatchObject([{ type: 'timer-set', fn: 'NdisMSetPeriodicTimer' }]);
  expect(t.events('undo')).toMatchObject([{ type: 'timer-set', outcome: 'undone' }]);
});
