/**
 * The seven states of a miniport adapter and the events that move it, as one table: contract.md C1.
 * Page: network/miniport-adapter-states-and-operations. An event in a blank cell never happens on real NDIS: if haltex brings
 * one about, haltex is wrong; if the driver does (a completion nobody waits for), it is a finding.
 */
import type { AdapterState } from '../trace/events.ts';

export type AdapterEvent =
  | 'MiniportInitializeEx'
  | 'initialize complete'
  | 'initialize failed'
  | 'MiniportRestart'
  | 'restart complete'
  | 'restart failed'
  | 'MiniportPause'
  | 'pause complete'
  | 'MiniportHaltEx'
  | 'MiniportShutdownEx'
  | 'send or receive'
  | 'OID request';

type Row = Partial<Readonly<Record<AdapterState, AdapterState>>>;

export const transitions: Readonly<Record<AdapterEvent, Row>> = {
  MiniportInitializeEx: { Halted: 'Initializing' },
  'initialize complete': { Initializing: 'Paused' },
  'initialize failed': { Initializing: 'Halted' },
  MiniportRestart: { Paused: 'Restarting' },
  'restart complete': { Restarting: 'Running' },
  'restart failed': { Restarting: 'Paused' },
  MiniportPause: { Running: 'Pausing' },
  'pause complete': { Pausing: 'Paused' },
  MiniportHaltEx: { Paused: 'Halted' },
  MiniportShutdownEx: { Paused: 'Shutdown', Restarting: 'Shutdown', Running: 'Shutdown', Pausing: 'Shutdown' },
  'send or receive': { Running: 'Running', Pausing: 'Pausing' },
  'OID request': { Paused: 'Paused', Restarting: 'Restarting', Running: 'Running', Pausing: 'Pausing' },
};

/** Where the event leads from a state, or undefined where the table is blank. */
export function next(state: AdapterState, event: AdapterEvent): AdapterState | undefined {
  return transitions[event][state];
}
