import { expect, it } from 'vitest';
import type { Handle } from '../trace/units.ts';
import { ADAPTER, TraceByHand } from './testing.ts';

const OTHER = 0x2000 as Handle;

/** Two adapters; the first makes a control device, and the one that halts first gives it back. */
function rules(leaver: Handle): string[] {
  const trace = new TraceByHand();
  let device = 0;
  trace.routine('MiniportInitializeEx', '0x0', (where) => {
    device = trace.acquire('device-object', 'NdisRegisterDeviceEx', where);
  });
  trace.routine('MiniportInitializeEx', '0x0', () => {}, { adapter: OTHER });
  trace.routine('MiniportHaltEx', null, (where) => trace.undo(device, 'NdisDeregisterDeviceEx', where), {
    adapter: leaver,
  });
  trace.routine('MiniportHaltEx', null, () => {}, { adapter: leaver === ADAPTER ? OTHER : ADAPTER });
  trace.end();
  return trace.rules().filter((rule) => rule.startsWith('halt'));
}

it('an adapter may take away what it made for the driver, but not what another made that lives on', () => {
  expect(rules(ADAPTER)).toEqual([]);
  expect(rules(OTHER)).toEqual(['halt-frees-driver-scope']);
});

it('the last adapter takes away what the first made', () => {
  const trace = new TraceByHand();
  let device = 0;
  trace.routine('MiniportInitializeEx', '0x0', (where) => {
    device = trace.acquire('device-object', 'NdisRegisterDeviceEx', where);
  });
  trace.routine('MiniportInitializeEx', '0x0', () => {}, { adapter: OTHER });
  trace.routine('MiniportHaltEx', null);
  trace.routine('MiniportHaltEx', null, (where) => trace.undo(device, 'NdisDeregisterDeviceEx', where), {
    adapter: OTHER,
  });
  trace.end();
  expect(trace.rules().filter((rule) => rule.startsWith('halt'))).toEqual([]);
});

/** One thread for both adapters, made by the first that came; `ended` by the halt of the other, or when that has returned. */
function sharedThread(ended: 'inside' | 'behind' | 'never', stop: 'finished' | 'bugcheck'): string[] {
  const trace = new TraceByHand();
  let thread = 0;
  trace.routine('MiniportInitializeEx', '0x0', (where) => {
    thread = trace.acquire('system-thread', 'PsCreateSystemThread', where);
  });
  trace.routine('MiniportInitializeEx', '0x0', () => {}, { adapter: OTHER });
  trace.routine('MiniportHaltEx', null);
  const itself = { context: 'system thread 1', callback: 'StartRoutine', adapter: ADAPTER };
  const end = () => trace.undo(thread, 'PsTerminateSystemThread', itself);
  if (stop === 'finished') {
    trace.routine('MiniportHaltEx', null, () => ended === 'inside' && end(), { adapter: OTHER });
    if (ended === 'behind') end();
  }
  trace.add({ kind: 'stop', reason: stop, text: '' });
  return trace.rules().filter((rule) => rule === 'halt-leaves-system-thread');
}

it('a thread of all adapters may end in the halt of another, and a run that breaks off before tells nothing of it', () => {
  expect(sharedThread('inside', 'finished')).toEqual([]);
  expect(sharedThread('never', 'bugcheck')).toEqual([]);
  expect(sharedThread('behind', 'finished')).toEqual(['halt-leaves-system-thread']);
  expect(sharedThread('never', 'finished')).toEqual(['halt-leaves-system-thread']);
});
