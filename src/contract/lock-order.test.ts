import { expect, it } from 'vitest';
import { judge } from './judge.ts';
import { TraceByHand } from './testing.ts';

const order = (callback: string, first: string, second: string, others = {}) => ({
  first,
  firstIs: 'spin lock',
  second,
  secondIs: 'read/write lock',
  context: 'a context',
  callback,
  ...others,
});

it('two orders of two locks', () => {
  const trace = new TraceByHand();
  trace.fact('locks-in-order', order('NetTimerCallback', '0x2', '0x1'));
  trace.fact('locks-in-opposite-orders', order('MiniportHaltEx', '0x1', '0x2', { others: 1 }));
  trace.end();
  expect(trace.rules()).toEqual(['lock-order-inverted']);
  expect(judge(trace.events)[0]?.message).toBe(
    'MiniportHaltEx takes the read/write lock at 0x2 while it holds the spin lock at 0x1; NetTimerCallback takes them the other way round. When they meet, each waits for the other for ever.',
  );
});

it('a circle of three, that hangs in this run', () => {
  const trace = new TraceByHand();
  trace.fact('locks-in-order', order('one', '0x2', '0x3'));
  trace.fact('locks-in-order', order('two', '0x3', '0x1'));
  trace.fact('locks-in-opposite-orders', order('three', '0x1', '0x2', { others: 2 }));
  trace.add({ kind: 'stop', reason: 'hang', text: 'nothing will ever run' });
  const findings = judge(trace.events);
  expect(findings.map(({ rule }) => rule)).toEqual(['lock-order-inverted']);
  expect(findings[0]?.message).toContain('one and two take them and others in orders that close the circle');
});

it('a lock of an ISR held at DISPATCH_LEVEL', () => {
  const trace = new TraceByHand();
  trace.fact('lock-of-isr', { lock: '0x1', irql: 9, context: 'interrupt', callback: 'MiniportInterrupt' });
  trace.fact('lock-held-below-isr', { lock: '0x1', irql: 2, context: 'PnP manager', callback: 'MiniportHaltEx' });
  trace.end();
  expect(trace.rules()).toEqual(['lock-shared-with-isr']);
});
