import { expect, it } from 'vitest';
import type { TraceEvent } from '../trace/events.ts';
import { withTroubles } from './hardware.ts';
import type { Outcome } from './outcome.ts';
import type { Seen } from './phase.ts';
import { changedSettings, subkeys } from './settings.ts';

const fact = (what: string, detail: object) => ({ kind: 'fact', what, detail }) as unknown as TraceEvent;
const device = fact('device-plugged-in', { troubles: ['absent', 'no-link'] });
const first = (routine: string, access: number) => fact('device-first-access', { routine, access });
const read = (name: string, asked: string, found: string | null) => fact('setting-read', { name, asked, found });

it('plays every trouble of the device, and lets it fall silent where a routine first touches it', () => {
  const plain = [device, first('MiniportInitializeEx', 1), first('MiniportHaltEx', 41)];
  expect(withTroubles(plain).map(({ hardware }) => hardware)).toEqual([
    ...['absent', 'no-link'],
    ...[2, 11, 21, 31, 40, 41, 42].map((access) => `silent-from-${access}`),
  ]);
});

it('plays none for a driver that does not look for hardware, or finds none', () => {
  expect(withTroubles([device])).toEqual([]);
  expect(withTroubles([first('MiniportInitializeEx', 1)])).toEqual([]);
});

it('tries each setting the driver reads at the bounds its INF gives, all settings once before any twice', () => {
  const declared = fact('settings-declared', {
    settings: [
      { name: 'buffers', type: 'int', base: 10, min: 16, max: 64, choices: [] },
      { name: 'unread', type: 'int', base: 10, choices: [] },
    ],
  });
  const settings = changedSettings([declared, read('Buffers', 'integer', 'string'), read('Name', 'text', null)]).map(
    (scenario) => scenario.settings,
  );
  expect(settings.slice(0, 4)).toEqual([{ Buffers: null }, { Name: '' }, { Buffers: '64' }, { Name: 'x'.repeat(300) }]);
  expect(settings.filter((one) => 'Buffers' in one).map((one) => one.Buffers)).toEqual([
    ...[null, '64', '65', '16', '15', '0', '4294967295', 'haltex', [0xff], ''],
  ]);
  expect(settings.some((one) => 'unread' in one)).toBe(false);
});

it('a setting no INF names is tried as a number', () => {
  const settings = changedSettings([read('Depth', 'integer', null)]).map((scenario) => scenario.settings.Depth);
  expect(settings).toEqual([0, 0xffff_ffff, 'haltex', [0xff], '']);
});

it('a subkey that the driver looks for is there, and what it looks for in there', () => {
  const opened = (name: string) => fact('subkey-opened', { name, found: false });
  const played = subkeys.play({
    plain: { events: [opened('Queues'), opened('Queues')] },
    outcomes: [],
  } as unknown as Seen);
  const first = played.next();
  const [scenario] = first.value as Outcome['scenario'][];
  expect(first.value).toHaveLength(1);
  expect(scenario?.settings).toEqual({ 'Queues\\': '' });
  const second = played.next([{ scenario, faultPoints: [], events: [opened('Queues\\0')] } as unknown as Outcome]);
  expect(second.value).toEqual([]);
  const third = played.next([]);
  expect((third.value as Outcome['scenario'][]).map(({ settings }) => settings)).toEqual([{ 'Queues\\0\\': '' }]);
  played.next([{ scenario, faultPoints: [], events: [] } as unknown as Outcome]);
  expect(played.next([]).done).toBe(true);
});
