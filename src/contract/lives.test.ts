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
