import { describe, expect, it } from 'vitest';
import { hex } from '../trace/units.ts';
import { ADAPTER, TraceByHand } from './testing.ts';

const adapter = hex(ADAPTER);
const NOT_ACCEPTED = 0x0001_0003;

function toD3(activity: readonly string[], timer: boolean, status = 0): string[] {
  const trace = new TraceByHand();
  const set = trace.acquire('timer-set', 'NdisSetTimerObject', { adapter: ADAPTER });
  if (!timer) trace.undo(set, 'NdisCancelTimerObject');
  trace.fact('oid-result', { request: '0x1', oid: 'OID_PNP_SET_POWER', status, bytes: 0, room: 4, set: true });
  trace.fact('power-state', { adapter, power: 'D3', state: 'Paused', activity });
  return trace.rules();
}

describe('D3', () => {
  it('finds an adapter at rest', () => {
    expect(toD3([], false)).toEqual([]);
    expect(toD3(['wake-up armed'], false)).toEqual([]);
    expect(toD3([], true)).toEqual(['lowpower-timers-not-cancelled']);
    expect(toD3(['receive DMA'], false)).toEqual(['lowpower-timers-not-cancelled']);
  });

  it('is not asked of a driver that failed the request: that is told', () => {
    expect(toD3(['receive DMA'], true, 0xc000_00bb)).toEqual(['oid-must-succeed-failed']);
  });

  it('has no registers', () => {
    const trace = new TraceByHand();
    trace.fact('device-access-without-power', { device: 'NIC', routine: 'NetTimerCallback' });
    expect(trace.rules()).toEqual(['hw-access-in-d3']);
  });
});

function removed(status: number, send: string, plugged = true) {
  const trace = new TraceByHand();
  if (plugged) trace.fact('device-plugged-in', { hardware: 'works' });
  trace.fact('send-started', { adapter, lists: ['0x77'] });
  trace.fact('surprise-removal-told', { adapter, state: 'Running' });
  trace.fact('send-completed', { adapter, list: '0x77', status: 'NDIS_STATUS_SUCCESS' });
  trace.fact('oid-request', { request: '0x1', oid: 'OID_GEN_X', adapter: ADAPTER });
  trace.fact('oid-result', { request: '0x1', oid: 'OID_GEN_X', status, bytes: 0, room: 4, set: true });
  trace.fact('send-started', { adapter, lists: ['0x78'] });
  trace.fact('send-completed', { adapter, list: '0x78', status: send });
  trace.end();
  return trace;
}

describe('after a surprise removal', () => {
  it('what comes later ends with NDIS_STATUS_NOT_ACCEPTED', () => {
    expect(removed(NOT_ACCEPTED, 'NDIS_STATUS_NOT_ACCEPTED').rules()).toEqual([]);
    expect(removed(0, 'NDIS_STATUS_NOT_ACCEPTED').rules()).toEqual(['surprise-removal-requests-not-rejected']);
    expect(removed(NOT_ACCEPTED, 'NDIS_STATUS_SUCCESS').rules()).toEqual(['surprise-removal-requests-not-rejected']);
  });
});
