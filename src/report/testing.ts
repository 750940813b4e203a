/** A small result for the reporters' tests: one leak whose scenario is kept, one note, one thing not modelled. */
import type { CheckResult } from '../explore/result.ts';
import type { EventBody, Position, TraceEvent } from '../trace/events.ts';
import type { Address, Handle, Irql, VirtualTime } from '../trace/units.ts';
import type { ReportContext } from './reporter.ts';

const adapter = -1000 as Handle;
const inNdis = { address: -5 as Address, module: 'NDIS.SYS', offset: 0, name: 'NdisMRegisterInterruptEx' };
const inDriver = { address: 0x1000 as Address, module: 'nic.sys', offset: 0x2480 };
const stack = [inNdis, inDriver];

/** What a finding's text might try: markup, the end of a script, a link and a placeholder of SARIF, a command's end. */
export const HOSTILE = `</script><img src=x onerror="alert(1)"> & 'quoted' [a](b) {0} ]]> 100%\u0001`;

const bodies: readonly (EventBody & Partial<Position>)[] = [
  { kind: 'enter', callback: 'DriverEntry', args: {}, address: 1 as Address },
  { kind: 'leave', callback: 'DriverEntry', enter: 0, result: '0x0' },
  { kind: 'state', of: adapter, from: 'Halted', to: 'Initializing', event: 'MiniportInitializeEx' },
  { kind: 'enter', callback: 'MiniportInitializeEx', args: { Handle: '0xFF' }, address: 1 as Address },
  { kind: 'call', fn: 'NdisMRegisterInterruptEx', args: { Handle: '0xFF' }, caller: 1 as Address },
  { kind: 'acquire', resource: 1, type: 'interrupt', key: '0xAB', fn: 'NdisMRegisterInterruptEx', detail: {}, stack },
  { kind: 'return', fn: 'NdisMRegisterInterruptEx', call: 4, result: '0x0' },
  { kind: 'call', fn: 'NdisAllocateMdl', args: { Length: 8 }, caller: 1 as Address },
  { kind: 'acquire', resource: 2, type: 'mdl', key: '0xCD', fn: 'NdisAllocateMdl', detail: { Length: 8 }, stack: [] },
  { kind: 'return', fn: 'NdisAllocateMdl', call: 7, result: '0xCD' },
  { kind: 'leave', callback: 'MiniportInitializeEx', enter: 3, result: '0x0' },
  { kind: 'state', of: adapter, from: 'Initializing', to: 'Paused', event: 'initialize complete' },
  { kind: 'enter', callback: 'MiniportInterrupt', args: {}, address: 1 as Address, context: 'interrupt message 0' },
  { kind: 'leave', callback: 'MiniportInterrupt', enter: 12, result: true, context: 'interrupt message 0' },
  { kind: 'enter', callback: 'MiniportHaltEx', args: {}, address: 1 as Address },
  { kind: 'call', fn: 'NdisFreeMdl', args: {}, caller: 1 as Address },
  { kind: 'undo', outcome: 'undone', type: 'mdl', key: '0xCD', fn: 'NdisFreeMdl', resource: 2, detail: {}, stack: [] },
  { kind: 'return', fn: 'NdisFreeMdl', call: 15, result: null },
  { kind: 'leave', callback: 'MiniportHaltEx', enter: 14, result: null },
  { kind: 'fact', what: 'halt-returned', detail: { receivesOut: 0 } },
  { kind: 'stop', reason: 'finished', text: 'The scenario was played to its end.' },
];

/** `NDIS` asks for an interrupt to be registered; halt gives back the MDL and forgets the interrupt. */
export const events: readonly TraceEvent[] = bodies.map(
  (body, seq): TraceEvent => ({
    seq,
    time: Math.floor(seq / 3) as VirtualTime,
    processor: 0,
    context: 'PnP manager',
    irql: 0 as Irql,
    ...body,
  }),
);

const scenario = { token: 'hx1.ts.e30', description: 'initialize, run, pause, halt, unload' };

export const result: CheckResult = {
  driver: 'nic.sys',
  verdict: 'findings',
  reasons: ['In 1 of 3 scenarios: the driver calls NdisNothing.', 'Something else is missing.'],
  scenarios: { run: 3, clean: 1, findings: 1, unsupported: 1 },
  ended: 'budget',
  phases: [
    { name: 'plain run', scenarios: 1, events: 21, findings: 1, unsupported: 0, milliseconds: 56.4, cut: false },
    { name: 'single faults', scenarios: 2, events: 40, findings: 0, unsupported: 1, milliseconds: 10, cut: true },
  ],
  balance: [{ type: 'interrupt', acquired: 1, undone: 0, owed: 1 }],
  coverage: { faultPoints: { reached: 9, exercised: 8, missed: ['NdisMFoo in MiniportRestart'] } },
  findings: [
    {
      rule: 'halt-leaks-interrupt',
      severity: 'error',
      message: `MiniportInitializeEx acquires an interrupt and still holds it. ${HOSTILE}`,
      seq: 18,
      resource: {
        type: 'interrupt',
        key: '0xAB',
        fn: 'NdisMRegisterInterruptEx',
        callback: 'MiniportInitializeEx',
        detail: {},
        acquired: stack,
      },
      stack: [],
      scenario,
      count: 2,
      faultPoints: ['1st NdisAllocateMdl fails (null)'],
    },
    {
      rule: 'halt-skips-free-spin-lock',
      severity: 'note',
      message: 'A spin lock is not freed.',
      seq: 18,
      stack: [
        { address: 0 as Address, module: 'nic.c', offset: 12, name: 'NicHalt', file: 'src\\nic\\halt.c', line: 3 },
      ],
      scenario,
      count: 1,
      faultPoints: [],
    },
  ],
  unsupported: [{ function: 'NdisNothing', text: 'the driver calls NdisNothing', count: 1 }],
  traces: [{ ...scenario, findings: [0, 1], events }],
};

export const context: ReportContext = { version: '0.0.0', driverPath: './path/nic.sys', colour: false };
