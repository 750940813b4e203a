import { describe, expect, it } from 'vitest';
import { type Address, NULL } from '../trace/units.ts';
import type { InterruptSource } from './hardware.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const test = testKernel();
  const source: InterruptSource = {
    kind: 'line',
    vector: 0x51,
    asserted: false,
    inService: false,
    connected: undefined,
  };
  test.kernel.hardware.interrupts.push(source);
  const ledger = () =>
    test.kernel.trace.events.flatMap((event) =>
      event.kind === 'acquire' ? [`+${event.type}`] : event.kind === 'undo' ? [`${event.outcome} ${event.type}`] : [],
    );
  return { ...test, source, ledger };
}

describe('interrupt objects', () => {
  it('connect a vector: the ISR runs at its level until it is disconnected', () => {
    const { kernel, wdk, run, source, ledger } = setUp();
    const seen: number[] = [];
    run(function* () {
      const connecting = {
        ServiceRoutine: ({ ServiceContext }: { ServiceContext: Address }) => {
          seen.push(ServiceContext, kernel.scheduler.irql);
          kernel.hardware.deassert(source);
          return true;
        },
        ServiceContext: 7 as Address,
        SpinLock: NULL,
        Vector: 0x51,
        Irql: 8,
        SynchronizeIrql: 9,
        InterruptMode: 0,
        ShareVector: true,
        ProcessorEnableMask: 1 as Address,
        FloatingSave: false,
      };
      const { result, InterruptObject } = yield* wdk.IoConnectInterrupt(connecting);
      expect(result).toBe(0);
      expect((yield* wdk.IoConnectInterrupt(connecting)).result).toBe(0xc000000d);
      kernel.hardware.assert(source);
      yield* wdk.KeGetCurrentIrql();
      const OldIrql = yield* wdk.KeAcquireInterruptSpinLock({ Interrupt: InterruptObject });
      expect(kernel.scheduler.irql).toBe(9);
      yield* wdk.KeReleaseInterruptSpinLock({ Interrupt: InterruptObject, OldIrql });
      const { GroupAffinity } = yield* wdk.IoGetAffinityInterrupt({ InterruptObject });
      expect(GroupAffinity.Mask).toBe(1);
      yield* wdk.IoDisconnectInterrupt({ InterruptObject });
      kernel.hardware.assert(source);
      yield* wdk.KeGetCurrentIrql();
    });
    expect(seen).toEqual([7, 9]);
    expect(ledger()).toEqual(['+wdm-interrupt', 'undone wdm-interrupt']);
  });

  it('connect the line of a device, and rest while they are inactive', () => {
    const { kernel, wdk, run, source, ledger } = setUp();
    const PhysicalDeviceObject = kernel.heap.allocate(16, 'DEVICE_OBJECT');
    kernel.interruptObjects.describe(PhysicalDeviceObject, () => source);
    const cell = kernel.heap.allocate(8, 'PKINTERRUPT', { fill: 0 });
    let count = 0;
    run(function* () {
      const isr = () => {
        count++;
        kernel.hardware.deassert(source);
        return true;
      };
      const ServiceRoutine = kernel.code.expose(isr);
      const Parameters = { Version: 2, PhysicalDeviceObject, InterruptObject: cell, ServiceRoutine };
      expect(yield* wdk.IoConnectInterruptEx({ Parameters })).toBe(0);
      const connection = { Parameters: { Version: 2, ConnectionContext: kernel.memory.readPointer(cell) } };
      yield* wdk.IoReportInterruptInactive(connection);
      kernel.hardware.assert(source);
      yield* wdk.KeGetCurrentIrql();
      expect(count).toBe(0);
      yield* wdk.IoReportInterruptActive(connection);
      yield* wdk.KeGetCurrentIrql();
      expect(count).toBe(1);
      yield* wdk.IoDisconnectInterruptEx(connection);
    });
    expect(ledger()).toEqual(['+wdm-interrupt', 'undone wdm-interrupt']);
  });
});
