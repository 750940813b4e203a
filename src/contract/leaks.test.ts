/** Every kind of resource at the three moments at which nothing of it may be left. */
import { describe, expect, it } from 'vitest';
import { kernelFunctions } from '../kernel/functions.ts';
import type { AnyFunction } from '../kernel/record.ts';
import { ndisFunctions } from '../ndis/functions.ts';
import { owed, unloadTwin } from './leaks.ts';
import { TraceByHand } from './testing.ts';

const records: readonly AnyFunction[] = [...Object.values(kernelFunctions), ...Object.values(ndisFunctions)];

/** Their acquisitions are written by bodies, which know more than the call's arguments. */
const BY_BODIES = [
  ...['data-start', 'default-port-active', 'device-interface', 'hal-sg-list', 'sg-list', 'shared-memory-async'],
  ...['system-thread', 'wmi'],
];

describe.each(owed)('$type', (row) => {
  const { type, rule, scope } = row;
  /** The rules of a trace in which one is acquired in `callback`, which gives `result`, and never given back. */
  const left = (callback: string, result: string, then: (trace: TraceByHand) => void) => {
    const trace = new TraceByHand();
    trace.routine(callback, result, (where) => trace.acquire(type, 'Acquire', where));
    then(trace);
    return trace.rules();
  };
  const halted = (trace: TraceByHand) => trace.routine('MiniportHaltEx', null);

  it('can be acquired', () => {
    expect(records.some(({ acquires }) => acquires?.type === type)).toBe(!BY_BODIES.includes(type));
  });

  it.runIf(scope === 'adapter')('is owed by halt, and by an initialize that fails', () => {
    expect(left('MiniportInitializeEx', '0x0', halted)).toContain(rule);
    expect(left('MiniportInitializeEx', '0xC000009A', () => {})).toContain(rule.replace('halt-', 'init-fail-'));
  });

  it('is owed by unload, where no adapter’s handle is needed for it', () => {
    const twin = unloadTwin(row);
    if (twin !== undefined) expect(left('DriverEntry', '0x0', (trace) => trace.fact('unloaded'))).toContain(twin);
  });
});
