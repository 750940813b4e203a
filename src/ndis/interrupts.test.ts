import { describe, expect, test } from 'vitest';
import { type NicOptions, sampleNic } from '../devices/nic.ts';
import { plug } from '../devices/pci-bus.ts';
import type { FaultPlan } from '../kernel/calls.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { type Address, at, DEVICE_LEVEL, DISPATCH_LEVEL, type Handle, NULL, PASSIVE_LEVEL } from '../trace/units.ts';
import { InterruptType, NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS } from './interrupt-structures.ts';
import { testNdis } from './testing.ts';

const ICR = 0x08;
const IMS = 0x0c;
const IMC = 0x10;
const CTRL = 0x00;
const CONTEXT = 0x1234 as Handle;

interface Seen {
  readonly what: string;
  readonly message?: number;
  readonly irql: number;
  readonly processor: number;
}

interface Answers {
  readonly QueueDefaultInterruptDpc: { set(value: number): void };
  readonly TargetProcessors: { set(value: number): void };
}

function setUp(
  options: {
    nic?: NicOptions;
    msi?: boolean;
    faults?: FaultPlan;
    processors?: number;
    dpc?: () => Coroutine<void>;
    /** What the ISR returns, instead of looking at the NIC. */
    claims?: () => boolean;
  } = {},
) {
  const test = testNdis({
    device: (kernel) => plug(kernel, sampleNic, options.nic ?? {}),
    processors: options.processors ?? 1,
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
  const { kernel, adapter, wdk } = test;
  const registers = kernel.hardware.mapRegisters(adapter.device?.ranges[0]?.start as number, 0x1000, 'registers');
  const read = (offset: number) => kernel.memory.readU32(at(registers, offset));
  const write = (offset: number, value: number) => kernel.memory.writeU32(at(registers, offset), value);
  const seen: Seen[] = [];
  const note = (what: string, message?: number) => {
    const { scheduler } = kernel;
    const where = { irql: scheduler.irql as number, processor: scheduler.processor.number };
    seen.push({ what, ...where, ...(message === undefined ? {} : { message }) });
  };
  const isr = (name: string) =>
    function* (args: Answers & { MessageId?: number }): Coroutine<boolean> {
      note(name, args.MessageId);
      const ours = options.claims?.() ?? (read(IMS) !== 0 && read(ICR) !== 0);
      if (ours) write(IMC, 0xf);
      args.QueueDefaultInterruptDpc.set(ours ? 1 : 0);
      return ours;
    };
  const dpc = (name: string) =>
    function* (args: { MessageId?: number; MiniportDpcContext: Address }): Coroutine<void> {
      note(name, args.MessageId);
      if (options.dpc !== undefined) yield* options.dpc();
    };
  const none = function* (): Coroutine<void> {};
  const characteristics = kernel.heap.allocate(NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS.size, 'characteristics', {
    fill: 0,
  });
  NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS.write(kernel.memory, characteristics, {
    Header: { Type: 0x84, Revision: 1, Size: NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS.size },
    InterruptHandler: kernel.code.expose(isr('isr')),
    InterruptDpcHandler: kernel.code.expose(dpc('dpc')),
    DisableInterruptHandler: kernel.code.expose(none),
    EnableInterruptHandler: kernel.code.expose(none),
    MsiSupported: options.msi ?? false,
    MessageInterruptHandler: kernel.code.expose(isr('message isr')),
    MessageInterruptDpcHandler: kernel.code.expose(dpc('message dpc')),
  });
  const view = NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS.at(kernel.memory, characteristics);
  return {
    ...test,
    seen,
    read,
    write,
    view,
    register: () =>
      wdk.NdisMRegisterInterruptEx({
        MiniportAdapterHandle: adapter.handle,
        MiniportInterruptContext: CONTEXT,
        MiniportInterruptCharacteristics: characteristics,
      }),
    *pass(time: number): Coroutine<void> {
      const until = kernel.clock.now + time;
      yield { kind: 'wait', what: 'time', ready: () => kernel.clock.now >= until, deadline: until as never };
    },
  };
}

describe('a line interrupt', () => {
  test('runs the ISR at the device’s IRQL and the DPC it asks for', () => {
    const t = setUp();
    t.run(function* () {
      const { result, NdisInterruptHandle } = yield* t.register();
      expect(result).toBe(0);
      t.write(IMS, 8);
      t.write(CTRL, 8);
      yield* t.pass(550_000);
      t.write(CTRL, 0);
      yield* t.wdk.NdisMDeregisterInterruptEx({ NdisInterruptHandle });
    });
    expect(t.view.InterruptType).toBe(InterruptType.LineBased);
    expect(t.seen).toEqual([
      { what: 'isr', irql: DEVICE_LEVEL, processor: 0 },
      { what: 'dpc', irql: DISPATCH_LEVEL, processor: 0 },
    ]);
    expect(t.events('acquire').map(({ type, owner }) => [type, owner])).toEqual([['interrupt', t.adapter.handle]]);
    expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone']);
    expect(t.facts('interrupt-deregistered-unmasked')).toEqual([]);
  });

  test.each([
    ['never', [false], 0],
    ['once, for a cause it had masked', [true, false], 0],
    ['again and again', [true, true], 1],
  ])('of a neighbour is claimed %s', (_, answers, told) => {
    const left = [...answers];
    const t = setUp({ claims: () => left.shift() ?? false });
    t.run(function* () {
      yield* t.register();
      t.kernel.hardware.pulse(t.adapter.device?.line as never);
      yield* t.pass(100);
    });
    expect(left).toEqual([]);
    expect(t.facts('foreign-interrupt-claimed')).toHaveLength(told);
  });

  test('may come before the registration returns', () => {
    const t = setUp({ nic: { interruptsAtStart: true } });
    const order: string[] = [];
    t.run(function* () {
      yield* t.register();
      order.push(...t.seen.map(({ what }) => what), 'returned');
    });
    expect(order).toEqual(['isr', 'dpc', 'returned']);
  });

  test('of another device on the line reaches the ISR once and is not ours', () => {
    const t = setUp();
    t.run(function* () {
      yield* t.register();
      t.kernel.hardware.pulse(t.adapter.device?.line as never);
      yield* t.pass(100);
    });
    expect(t.seen.map(({ what }) => what)).toEqual(['isr']);
    expect(t.events('leave').map(({ result }) => result)).toEqual([false]);
  });
});

describe('messages', () => {
  test('are granted to a driver that knows them, with their table', () => {
    const t = setUp({ msi: true });
    t.run(function* () {
      yield* t.register();
      t.write(IMS, 4);
      t.write(CTRL, 1);
      t.write(IMS, 4);
      yield* t.pass(20_000);
    });
    expect(t.view.InterruptType).toBe(InterruptType.MessageBased);
    expect(t.kernel.memory.readU32(at(t.view.MessageInfoTable, 4))).toBe(2);
    expect(t.seen.map(({ what, message }) => [what, message])).toEqual([
      ['message isr', 1],
      ['message dpc', 1],
    ]);
  });

  test('may be refused: the line is granted instead', () => {
    const strike: FaultPlan = {
      strike: (fn, failures) => {
        if (fn !== 'NdisMRegisterInterruptEx') return undefined;
        expect(failures).toEqual(['resources', 'failure', 'line-based']);
        return 'line-based';
      },
    };
    const t = setUp({ msi: true, faults: strike });
    const result = t.run(function* () {
      return (yield* t.register()).result;
    });
    expect(result).toBe(0);
    expect(t.view.InterruptType).toBe(InterruptType.LineBased);
    expect(t.view.MessageInfoTable).toBe(NULL);
    const back = t.events('return').find(({ fn }) => fn === 'NdisMRegisterInterruptEx');
    expect(back?.injected).toBe('fail-ndismregisterinterruptex-line-based');
    expect(t.events('acquire')).toHaveLength(1);
  });
});

describe('DPCs and deregistration', () => {
  test('NdisMQueueDpcEx schedules one DPC for each message and processor', () => {
    const t = setUp({ processors: 2 });
    const results = t.run(function* () {
      const { NdisInterruptHandle } = yield* t.register();
      const ask = { NdisInterruptHandle, MessageId: 0, MiniportDpcContext: NULL };
      const old = t.kernel.scheduler.setIrql(DISPATCH_LEVEL);
      const first = yield* t.wdk.NdisMQueueDpc({ ...ask, TargetProcessors: 1 });
      const again = yield* t.wdk.NdisMQueueDpcEx({
        ...ask,
        TargetProcessors: { Mask: 1 as Address, Group: 0 },
      });
      t.kernel.scheduler.setIrql(old);
      yield* t.pass(100);
      return [first, again];
    });
    expect(results).toEqual([1, 0]);
    expect(t.seen.filter(({ what }) => what === 'dpc')).toHaveLength(1);
  });

  test('deregistration waits for scheduled DPCs, those they queue included; nothing comes afterwards', () => {
    let again = 3;
    const t = setUp({
      processors: 2,
      *dpc() {
        if (again-- <= 0) return;
        yield* t.wdk.NdisMQueueDpc({
          NdisInterruptHandle: handle,
          MessageId: 0,
          TargetProcessors: 3,
          MiniportDpcContext: NULL,
        });
      },
    });
    let handle = NULL as Handle;
    t.run(function* () {
      handle = (yield* t.register()).NdisInterruptHandle;
      t.write(IMS, 8);
      t.write(CTRL, 8);
      yield* t.wdk.NdisMQueueDpc({
        NdisInterruptHandle: handle,
        MessageId: 0,
        TargetProcessors: 3,
        MiniportDpcContext: NULL,
      });
      yield* t.wdk.NdisMDeregisterInterruptEx({ NdisInterruptHandle: handle });
      const before = t.seen.length;
      expect(before).toBeGreaterThan(2);
      yield* t.pass(50_000);
      expect(t.seen).toHaveLength(before);
    });
    expect(t.facts('interrupt-deregistered-unmasked')).toHaveLength(1);
  });

  test('a dead handle is a fact, and runs nothing', () => {
    const t = setUp();
    t.run(function* () {
      const { NdisInterruptHandle } = yield* t.register();
      yield* t.wdk.NdisMDeregisterInterruptEx({ NdisInterruptHandle });
      const result = yield* t.wdk.NdisMSynchronizeWithInterruptEx({
        NdisInterruptHandle,
        MessageId: 0,
        SynchronizeFunction: () => true,
        SynchronizeContext: NULL,
      });
      expect(result).toBe(false);
      yield* t.wdk.NdisMDeregisterInterruptEx({ NdisInterruptHandle });
    });
    expect(t.facts('interrupt-handle-not-valid').map(({ detail }) => detail.was)).toEqual(['deregistered']);
    expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'again']);
  });

  test('NDIS calls nothing once the adapter is gone', () => {
    const t = setUp();
    t.run(function* () {
      yield* t.register();
      t.write(IMS, 8);
      t.write(CTRL, 8);
      t.ndis.adapterGone(t.adapter, 'halt');
      yield* t.pass(50_000);
    });
    expect(t.seen).toEqual([]);
  });
});

test('a synchronised routine runs at the device’s IRQL with the ISR locked out', () => {
  const t = setUp({ processors: 2 });
  t.run(function* () {
    const { NdisInterruptHandle } = yield* t.register();
    t.write(IMS, 8);
    const result = yield* t.wdk.NdisMSynchronizeWithInterruptEx({
      NdisInterruptHandle,
      MessageId: 0,
      *SynchronizeFunction(args: { SynchronizeContext: Handle }): Coroutine<boolean> {
        expect(args.SynchronizeContext).toBe(CONTEXT);
        expect(t.kernel.scheduler.irql).toBe(DEVICE_LEVEL);
        t.kernel.hardware.pulse(t.adapter.device?.line as never);
        for (let i = 0; i < 10; i++) yield { kind: 'point', spinning: true };
        expect(t.seen).toEqual([]);
        return true;
      },
      SynchronizeContext: CONTEXT,
    });
    expect(result).toBe(true);
    expect(t.kernel.scheduler.irql).toBe(PASSIVE_LEVEL);
    yield* t.pass(100);
  });
  expect(t.seen.map(({ what }) => what)).toEqual(['isr']);
});
