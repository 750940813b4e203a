import { expect, it } from 'vitest';
import { ADAPTER, TraceByHand } from './testing.ts';

const INIT = 'MiniportInitializeEx';
const FAILURE = '0xC0000001';

it.each([
  ['file', 'NdisOpenFile', 'init-leaks-file'],
  ['string', 'NdisInitializeString', 'init-leaks-string'],
])('a %s is owed when initialize returns, whatever it returns', (type, fn, rule) => {
  for (const result of [FAILURE, '0x0']) {
    const trace = new TraceByHand();
    trace.routine(INIT, result, (where) => trace.acquire(type, fn, where));
    expect(trace.rules()).toContain(rule);
    const clean = new TraceByHand();
    clean.routine(INIT, result, (where) => clean.undo(clean.acquire(type, fn, where), 'NdisCloseFile', where));
    expect(clean.rules()).not.toContain(rule);
  }
});

it('a string that another routine made is not initialize’s', () => {
  const trace = new TraceByHand();
  trace.routine('MiniportSetOptions', '0x0', (where) => trace.acquire('string', 'NdisInitializeString', where));
  trace.routine(INIT, FAILURE);
  expect(trace.rules()).toEqual([]);
});

it('want of shared memory is logged', () => {
  const failing = (logs: boolean) => {
    const trace = new TraceByHand();
    trace.acquire('sg-dma', 'NdisMRegisterScatterGatherDma', { callback: 'MiniportAddDevice' });
    trace.routine(INIT, FAILURE, (where) => {
      const call = trace.call('NdisMAllocateSharedMemory', {}, where);
      trace.returned('NdisMAllocateSharedMemory', call, { VirtualAddress: '0x0' }, where);
      if (logs) trace.call('NdisWriteErrorLogEntry', {}, where);
    });
    return trace.rules();
  };
  expect(failing(false)).toContain('init-fail-no-error-log');
  expect(failing(true)).not.toContain('init-fail-no-error-log');
});

it('an interrupt comes last', () => {
  const order = (...types: readonly string[]) => {
    const trace = new TraceByHand();
    trace.routine(INIT, '0x0', (where) => {
      for (const type of types) trace.acquire(type, `acquires ${type}`, where);
    });
    return trace.rules();
  };
  expect(order('interrupt', 'shared-memory')).toContain('init-order-typical');
  expect(order('shared-memory', 'interrupt', 'port', 'timer-set')).not.toContain('init-order-typical');
});

it('message handlers need the four of the line', () => {
  const line = {
    InterruptHandler: '0x1',
    InterruptDpcHandler: '0x1',
    DisableInterruptHandler: '0x1',
    EnableInterruptHandler: '0x1',
  };
  const given = (handlers: Readonly<Record<string, string | boolean>>) => {
    const trace = new TraceByHand();
    trace.call('NdisMRegisterInterruptEx', { MiniportInterruptCharacteristics: handlers });
    return trace.rules();
  };
  expect(given({ ...line, MsiSupported: true })).toEqual([]);
  expect(given({ ...line, InterruptHandler: '0x0', MsiSupported: false })).toEqual([]);
  expect(given({ ...line, InterruptHandler: '0x0', MsiSupported: true })).toEqual(['msi-without-line-handlers']);
});

it('configuration is read one call at a time', () => {
  const reads = (second: 'beside' | 'after') => {
    const trace = new TraceByHand();
    const first = trace.call('NdisReadConfiguration', {}, { context: 'PnP manager', adapter: ADAPTER });
    if (second === 'after') trace.returned('NdisReadConfiguration', first, '0x0');
    trace.call('NdisReadConfiguration', {}, { context: 'system thread 1' });
    if (second === 'beside') trace.returned('NdisReadConfiguration', first, '0x0');
    return trace.rules();
  };
  expect(reads('beside')).toEqual(['config-calls-not-serialized']);
  expect(reads('after')).toEqual([]);
});
