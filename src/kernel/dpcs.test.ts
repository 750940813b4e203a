import { describe, expect, it } from 'vitest';
import type { EventOf } from '../trace/events.ts';
import { NULL } from '../trace/units.ts';
import { KDPC } from './dpcs.ts';
import { POINT } from './scheduler.ts';
import { testKernel } from './testing.ts';

const of = <K extends 'acquire' | 'undo' | 'fact' | 'enter'>(events: readonly { kind: string }[], kind: K) =>
  events.filter((event) => event.kind === kind) as EventOf<K>[];

describe('KDPC', () => {
  it('runs with the arguments it was queued with, at DISPATCH_LEVEL, once', () => {
    const { kernel, wdk, run } = testKernel();
    const dpc = kernel.heap.allocate(KDPC.size, 'KDPC');
    const seen: unknown[] = [];
    const results = run(function* () {
      yield* wdk.KeInitializeDpc({
        Dpc: dpc,
        DeferredRoutine: (args: { SystemArgument1: number }) => {
          seen.push(args.SystemArgument1, kernel.scheduler.irql);
        },
        DeferredContext: NULL,
      });
      kernel.scheduler.setIrql(2 as never);
      const first = yield* wdk.KeInsertQueueDpc({ Dpc: dpc, SystemArgument1: 7 as never, SystemArgument2: NULL });
      const second = yield* wdk.KeInsertQueueDpc({ Dpc: dpc, SystemArgument1: 8 as never, SystemArgument2: NULL });
      expect(seen).toEqual([]);
      kernel.scheduler.setIrql(0 as never);
      yield POINT;
      yield* wdk.KeFlushQueuedDpcs();
      return [first, second];
    });
    expect(results).toEqual([true, false]);
    expect(seen).toEqual([7, 2]);
    expect(of(kernel.trace.events, 'acquire')).toHaveLength(1);
    expect(of(kernel.trace.events, 'undo')[0]).toMatchObject({ outcome: 'undone', type: 'dpc', fn: 'the DPC queue' });
  });

  it('is taken back while queued; taking back an idle one is no mistake', () => {
    const { kernel, wdk, run } = testKernel();
    const dpc = kernel.heap.allocate(KDPC.size, 'KDPC');
    let ran = false;
    const results = run(function* () {
      yield* wdk.KeInitializeDpc({
        Dpc: dpc,
        DeferredRoutine: () => {
          ran = true;
        },
        DeferredContext: NULL,
      });
      kernel.scheduler.setIrql(2 as never);
      yield* wdk.KeInsertQueueDpc({ Dpc: dpc, SystemArgument1: NULL, SystemArgument2: NULL });
      const removed = yield* wdk.KeRemoveQueueDpc({ Dpc: dpc });
      const again = yield* wdk.KeRemoveQueueDpc({ Dpc: dpc });
      kernel.scheduler.setIrql(0 as never);
      yield* wdk.KeFlushQueuedDpcs();
      return [removed, again];
    });
    expect(results).toEqual([true, false]);
    expect(ran).toBe(false);
    expect(of(kernel.trace.events, 'undo')).toHaveLength(1);
  });

  it('flushing waits for what is queued and what is running on another processor, not for what comes later', () => {
    const { kernel, run } = testKernel({ processors: 2 });
    const order: string[] = [];
    const slow = {};
    run(function* () {
      kernel.dpcs.queue({
        name: 'slow',
        source: slow,
        processor: 1,
        *start() {
          order.push('slow begins');
          for (let i = 0; i < 5; i++) yield { kind: 'point', spinning: true };
          order.push('slow ends');
        },
      });
      while (!kernel.dpcs.isRunning(slow)) yield { kind: 'point', spinning: true };
      kernel.dpcs.queue({
        name: 'queued',
        source: {},
        processor: 1,
        *start() {
          order.push('queued runs');
          kernel.dpcs.queue({
            name: 'late',
            source: {},
            processor: 1,
            *start() {
              for (;;) yield { kind: 'point', spinning: true };
            },
          });
        },
      });
      yield* kernel.dpcs.flush();
      order.push('flushed');
    });
    expect(order).toEqual(['slow begins', 'slow ends', 'queued runs', 'flushed']);
  });

  it('in freed memory is a fact at the free and a stop at its turn', () => {
    const { kernel, wdk, run } = testKernel();
    const dpc = kernel.heap.allocate(KDPC.size, 'KDPC');
    expect(() =>
      run(function* () {
        yield* wdk.KeInitializeDpc({ Dpc: dpc, DeferredRoutine: () => {}, DeferredContext: NULL });
        kernel.scheduler.setIrql(2 as never);
        yield* wdk.KeInsertQueueDpc({ Dpc: dpc, SystemArgument1: NULL, SystemArgument2: NULL });
        kernel.heap.free(dpc);
        kernel.scheduler.setIrql(0 as never);
        yield* wdk.KeFlushQueuedDpcs();
      }),
    ).toThrow('after its memory was freed');
    expect(of(kernel.trace.events, 'fact')[0]).toMatchObject({
      what: 'freed-with-live-object',
      detail: { object: 'queued KDPC' },
    });
  });

  it('of high importance runs first; threaded ones run at PASSIVE_LEVEL', () => {
    const { kernel, wdk, run } = testKernel();
    const order: string[] = [];
    const make = function* (name: string, threaded = false) {
      const dpc = kernel.heap.allocate(KDPC.size, 'KDPC');
      const initialize = threaded ? wdk.KeInitializeThreadedDpc : wdk.KeInitializeDpc;
      yield* initialize({
        Dpc: dpc,
        DeferredRoutine: () => {
          order.push(`${name} ${kernel.scheduler.irql}`);
        },
        DeferredContext: NULL,
      });
      return dpc;
    };
    run(function* () {
      const plain = yield* make('plain');
      const high = yield* make('high');
      const threaded = yield* make('threaded', true);
      yield* wdk.KeSetImportanceDpc({ Dpc: high, Importance: 2 });
      kernel.scheduler.setIrql(2 as never);
      for (const dpc of [threaded, plain, high]) {
        yield* wdk.KeInsertQueueDpc({ Dpc: dpc, SystemArgument1: NULL, SystemArgument2: NULL });
      }
      kernel.scheduler.setIrql(0 as never);
      yield* wdk.KeFlushQueuedDpcs();
    });
    expect(order[0]).toBe('high 2');
    expect(order).toContain('plain 2');
    expect(order).toContain('threaded 0');
  });
});
