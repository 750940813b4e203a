import { expect, it } from 'vitest';
import { judge } from '../contract/judge.ts';
import { struct, u32 } from '../kernel/layout.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { NDIS_SPIN_LOCK } from '../ndis/spin-locks.ts';
import { NDIS_STATUS_FAILURE } from '../ndis/status.ts';
import { type Address, DISPATCH_LEVEL, NULL } from '../trace/units.ts';
import { run } from './machine.ts';
import { defineMiniport, type Wdk } from './miniport.ts';
import { plainScenario, type Scenario } from './scenario.ts';

const PAIR = struct('PAIR', { First: u32, Second: u32 });

/** Runs a body as DriverEntry, which then fails; gives the rules broken. */
function rulesOf(body: (wdk: Wdk) => Coroutine<void>, scenario: Partial<Scenario> = {}): string[] {
  const miniport = defineMiniport((wdk) => ({
    *DriverEntry() {
      yield* body(wdk);
      return NDIS_STATUS_FAILURE;
    },
  }));
  const driver = { kind: 'typescript', name: 'test.ts', miniport } as const;
  return judge(run({ driver }, { ...plainScenario, ...scenario }).events).map(({ rule }) => rule);
}

it('a local variable is filled in, and lives as long as its routine', () => {
  const seen: number[] = [];
  const rules = rulesOf(function* (wdk) {
    let kept = NULL as Address;
    const routine = function* () {
      const pair = wdk.local(PAIR, { Second: 7 });
      seen.push(pair.First, pair.Second);
      kept = pair.address;
    };
    const item = yield* wdk.IoAllocateWorkItem({ DeviceObject: NULL });
    yield* wdk.IoQueueWorkItem({ IoWorkItem: item, WorkerRoutine: routine, QueueType: 1, Context: NULL });
    yield* wdk.NdisMSleep({ MicrosecondsToSleep: 1000 });
    yield* wdk.IoFreeWorkItem({ IoWorkItem: item });
    wdk.memory.readU32(kept);
  });
  expect(seen).toEqual([0, 7]);
  expect(rules).toEqual(['memory-use-after-free']);
});

it('a constant is read and not written', () => {
  const rules = rulesOf(function* (wdk) {
    const { Length, MaximumLength, Buffer } = wdk.string('ab');
    expect([Length, MaximumLength]).toEqual([4, 6]);
    expect([...wdk.memory.read(Buffer, 6)]).toEqual([0x61, 0, 0x62, 0, 0, 0]);
    wdk.memory.writeU16(Buffer, 0);
  });
  expect(rules).toEqual(['driver-writes-read-only']);
});

it('a lock is held for its body, at DISPATCH_LEVEL', () => {
  const rules = rulesOf(function* (wdk) {
    const lock = wdk.local(NDIS_SPIN_LOCK);
    const inside = yield* wdk.locked(lock, () => wdk.KeGetCurrentIrql());
    const raised = yield* wdk.atDispatch(() => wdk.KeGetCurrentIrql());
    expect([inside, raised, yield* wdk.KeGetCurrentIrql()]).toEqual([DISPATCH_LEVEL, DISPATCH_LEVEL, 0]);
  });
  expect(rules).toEqual([]);
});

it('memory that is allocated is zero; without memory there is no view', () => {
  const fault = { fn: 'NdisAllocateMemoryWithTagPriority', nth: 2, failure: 'null' };
  rulesOf(
    function* (wdk) {
      const from = { NdisHandle: NULL, Tag: 1 };
      const pair = yield* wdk.allocate(PAIR, from);
      expect([pair?.First, pair?.Second]).toEqual([0, 0]);
      expect(yield* wdk.allocate(PAIR, from)).toBeUndefined();
    },
    { faults: [fault] },
  );
});
