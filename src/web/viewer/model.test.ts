import { expect, it } from 'vitest';
import { events } from '../../report/testing.ts';
import { lifetimesOf } from './lifetimes.ts';
import { fold, rowsOf } from './rows.ts';

it('a call and its return are one numbered row, with what it acquired beside it', () => {
  const rows = rowsOf(events, new Set([5]));
  expect(
    rows.map(({ number, from, to, label, note }) =>
      [number, `${from} → ${to}`, label, note?.text].filter((part) => part !== undefined).join(' | '),
    ),
  ).toEqual([
    '1 | NDIS → miniport | DriverEntry',
    'miniport → NDIS | DriverEntry returns',
    'NDIS → NDIS | Halted → Initializing',
    '2 | NDIS → miniport | MiniportInitializeEx',
    '3 | miniport → NDIS | NdisMRegisterInterruptEx | + interrupt, never undone',
    '4 | miniport → NDIS | NdisAllocateMdl | + mdl',
    'miniport → NDIS | MiniportInitializeEx returns',
    'NDIS → NDIS | Initializing → Paused',
    '5 | device → miniport | MiniportInterrupt',
    'miniport → device | MiniportInterrupt returns',
    '6 | NDIS → miniport | MiniportHaltEx',
    '7 | miniport → NDIS | NdisFreeMdl | − mdl',
    'miniport → NDIS | MiniportHaltEx returns',
    'miniport → miniport | halt-returned',
    'NDIS → NDIS | The scenario was played to its end.',
  ]);
});

it('the chart has bars for resources, the owed first, bands for states, marks for interrupts', () => {
  const { resources, states, callbacks, marks } = lifetimesOf(events);
  expect(resources.map(({ type, owed, bars }) => [type, owed, bars[0]?.begin, bars[0]?.end])).toEqual([
    ['interrupt', 1, 5, undefined],
    ['mdl', 0, 8, 16],
  ]);
  expect(states[0]?.map(({ label }) => label)).toEqual(['Initializing', 'Paused']);
  expect(callbacks.map(({ label }) => label)).toEqual(['DriverEntry', 'MiniportInitializeEx', 'MiniportHaltEx']);
  expect(marks).toEqual([{ label: 'Interrupts', at: [12] }]);
});

it('what is held where a run breaks off is not owed, unless a finding is about it', () => {
  const broken = events.slice(0, -2);
  expect(lifetimesOf(broken).resources.map(({ owed }) => owed)).toEqual([0, 0]);
  expect(lifetimesOf(broken, new Set(['interrupt 0xAB'])).resources.map(({ owed }) => owed)).toEqual([1, 0]);
});

it('repetitions are told once and open on demand', () => {
  const [, , , , call] = rowsOf(events);
  if (call === undefined) throw new Error('no row');
  const row = (label: string, seq: number) => ({ ...call, label, event: { ...call.event, seq } });
  const rows = ['start', 'a', 'b', 'a', 'b', 'a', 'b', 'end'].map(row);
  const shown = (open: ReadonlySet<number>) =>
    fold(rows, open).map((line) => ('row' in line ? line.row.label : `${line.fold.again} × ${line.fold.period}`));
  expect(shown(new Set())).toEqual(['start', 'a', 'b', '2 × 2', 'end']);
  expect(shown(new Set([3]))).toEqual(['start', 'a', 'b', '2 × 2', 'a', 'b', 'a', 'b', 'end']);
});
