import { describe, expect, it } from 'vitest';
import type { Finding } from '../contract/rule.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import type { Stack } from '../trace/events.ts';
import type { Address } from '../trace/units.ts';
import { Causes } from './causes.ts';
import type { Outcome } from './outcome.ts';

const stack = (...offsets: number[]): Stack =>
  offsets.map((offset) => ({ address: offset as Address, module: 'nic.sys', offset }));

const found = (rule: string, more: Partial<Finding> = {}): Finding => ({
  rule,
  severity: 'error',
  message: `${rule}.`,
  seq: 1,
  stack: [],
  ...more,
});

/** The rules that are told of runs with these findings, the first run without a failure and each other one with a failure. */
function told(...runs: Finding[][]): string[] {
  const causes = new Causes();
  runs.forEach((findings, nth) => {
    const faults = nth === 0 ? [] : [{ fn: 'NdisMAllocatePort', nth, failure: 'resources' }];
    const scenario: Scenario = { ...plainScenario, faults };
    causes.add({ scenario, findings, length: 10 } as unknown as Outcome);
  });
  return causes.list().map(([, { finding }]) => finding.rule);
}

describe('one finding per cause', () => {
  const etw = (rule: string) =>
    found(rule, {
      resource: { type: 'etw', key: '0x1', fn: 'EtwRegister', callback: 'DriverEntry', detail: {}, acquired: stack(1) },
    });

  it('a missing undo is named after the moment when nothing fails', () => {
    expect(told([etw('unload-leaks-etw')], [etw('driverentry-register-failed-leaks')])).toEqual(['unload-leaks-etw']);
    expect(told([], [etw('driverentry-register-failed-leaks')], [etw('unload-leaks-etw')])).toEqual([
      'unload-leaks-etw',
    ]);
  });

  it('what is undone though it is not there is one at one call, whether it never was or is not any more', () => {
    const at = (rule: string, offset: number) => found(rule, { stack: stack(offset, 2, 3) });
    expect(told([at('undo-without-acquire', 1)], [at('halt-then-reinit-stale-state', 1)])).toHaveLength(1);
    expect(told([at('undo-without-acquire', 1)], [at('halt-then-reinit-stale-state', 9)])).toHaveLength(2);
  });

  it('a rule may say what its findings share though their places differ', () => {
    const freed = (offset: number, cause: string) =>
      found('halt-frees-memory-under-dma', { stack: stack(offset), cause });
    expect(told([freed(1, 'DMA goes on')], [freed(2, 'DMA goes on')])).toHaveLength(1);
    expect(told([freed(1, 'DMA goes on')], [freed(2, 'another')])).toHaveLength(2);
  });

  it('that a free waits for nobody is not told beside what runs on, hit in another run', () => {
    const rules = ['free-without-waiting', 'halt-leaks-memory'];
    expect(told(rules.map((rule) => found(rule)))).toEqual(rules);
    expect(
      told(
        rules.map((rule) => found(rule)),
        [found('memory-use-after-free')],
      ),
    ).toEqual(['halt-leaks-memory', 'memory-use-after-free']);
  });
});
