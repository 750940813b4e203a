import { describe, expect, it } from 'vitest';
import { hex, SECOND, type VirtualTime } from '../trace/units.ts';
import { ADAPTER, TraceByHand } from './testing.ts';

const adapter = hex(ADAPTER);
const after = (seconds: number) => ({ time: (seconds * SECOND) as VirtualTime });

function sent(completedAfter: number | undefined): string[] {
  const trace = new TraceByHand();
  trace.fact('send-started', { adapter, lists: ['0x1', '0x2'] });
  trace.fact('send-completed', { adapter, list: '0x1', status: 'NDIS_STATUS_SUCCESS' }, after(1));
  if (completedAfter !== undefined) trace.fact('send-completed', { adapter, list: '0x2' }, after(completedAfter));
  trace.add({ kind: 'stop', reason: 'finished', text: '' }, after(completedAfter ?? 60));
  return trace.rules();
}

describe('a send', () => {
  it('may take 30 s', () => {
    expect(sent(29)).toEqual([]);
    expect(sent(31)).toEqual(['send-timeout']);
    expect(sent(undefined)).toEqual(['nbl-stuck']);
  });
});

function reset(minor: number, completed: 'before' | 'after'): string[] {
  const trace = new TraceByHand();
  trace.call('NdisMRegisterMiniportDriver', {
    MiniportDriverCharacteristics: {
      Header: { Type: 0x8a, Revision: 2, Size: 0x100 },
      MinorNdisVersion: minor,
    },
  });
  trace.fact('send-started', { adapter, lists: ['0x1'] });
  trace.fact('reset-started', { adapter });
  trace.fact('send-started', { adapter, lists: ['0x2'] });
  if (completed === 'before') trace.fact('send-completed', { adapter, list: '0x1' });
  trace.fact('reset-completed', { adapter });
  trace.fact('send-completed', { adapter, list: '0x1' });
  trace.fact('send-completed', { adapter, list: '0x2' });
  return trace.rules().filter((rule) => rule.startsWith('reset'));
}

describe('a reset', () => {
  it('since NDIS 6.30 completes first what it found', () => {
    expect(reset(30, 'before')).toEqual([]);
    expect(reset(30, 'after')).toEqual(['reset-holds-requests']);
    expect(reset(20, 'after')).toEqual([]);
  });
});
