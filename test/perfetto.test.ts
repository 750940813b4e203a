/**
 * Traces of real runs against what Perfetto says of the format (docs/getting-started/other-formats.md of google/perfetto, and the
 * Trace Event Format it names): the fields of each phase, one meaning for each id, and spans of a track that nest.
 */
import { expect, it } from 'vitest';
import { run } from '../src/machine/machine.ts';
import { plainScenario, type Scenario } from '../src/machine/scenario.ts';
import type { ReportContext } from '../src/report/reporter.ts';
import { result } from '../src/report/testing.ts';
import { trace } from '../src/report/trace.ts';
import { configOf, type ReplayCase, replayCases } from './replay/cases.ts';

interface Entry {
  readonly name: unknown;
  readonly ph: string;
  readonly pid: unknown;
  readonly tid: unknown;
  readonly cat?: unknown;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: string;
  readonly s?: string;
  readonly args?: unknown;
}

const context: ReportContext = { version: '0.0.0', driverPath: 'nic.sys', colour: false };
const nic = configOf(replayCases.find(({ hardware }) => hardware) as ReplayCase);

function entries(scenario: Scenario): Entry[] {
  const { events } = run(nic, scenario);
  const kept = { token: 'hx1.x', description: 'a scenario', findings: [], events };
  return (JSON.parse(trace({ ...result, traces: [kept] }, context)) as { traceEvents: Entry[] }).traceEvents;
}

it.each([
  ['the plain scenario', plainScenario],
  ['two adapters', { ...plainScenario, flow: 'first-of-two' }],
  ['an interrupt amid MiniportHaltEx', { ...plainScenario, schedule: [{ at: 3, run: 'line@0' }] }],
] as const)('%s keeps to the format', (_, scenario) => {
  const all = entries(scenario as Scenario);
  const open = new Map<string, number>();
  const named = new Set<unknown>();
  for (const entry of all) {
    expect(['X', 'i', 'b', 'e', 'M']).toContain(entry.ph);
    expect(typeof entry.name).toBe('string');
    expect(Number.isSafeInteger(entry.pid) && Number.isSafeInteger(entry.tid)).toBe(true);
    if (entry.ph === 'M') {
      expect(['process_name', 'thread_name']).toContain(entry.name);
      expect(entry.args).toEqual({ name: expect.any(String) });
      if (entry.name === 'thread_name') named.add(entry.tid);
      continue;
    }
    expect(typeof entry.cat).toBe('string');
    expect(entry.ts).toBeGreaterThanOrEqual(0);
    expect(named.has(entry.tid)).toBe(true);
    if (entry.ph === 'X') expect(entry.dur).toBeGreaterThan(0);
    if (entry.ph === 'i') expect(['t', 'p']).toContain(entry.s);
    const id = `${String(entry.cat)} ${entry.id} ${String(entry.name)}`;
    if (entry.ph === 'b') {
      expect(open.has(id)).toBe(false);
      open.set(id, entry.ts as number);
    }
    if (entry.ph === 'e') {
      expect(entry.ts).toBeGreaterThanOrEqual(open.get(id) as number);
      open.delete(id);
    }
  }
  expect(open.size).toBe(0);
  expect(all.filter(({ ph }) => ph === 'X').length).toBeGreaterThan(100);
});

it.each([
  ['the plain scenario', plainScenario],
  ['two adapters', { ...plainScenario, flow: 'first-of-two' }],
] as const)('%s: spans of a track nest', (_, scenario) => {
  const tracks = new Map<unknown, Entry[]>();
  for (const entry of entries(scenario as Scenario)) {
    if (entry.ph === 'X') tracks.set(entry.tid, [...(tracks.get(entry.tid) ?? []), entry]);
  }
  for (const spans of tracks.values()) {
    const ends: number[] = [];
    // A whole number of nanoseconds, so that sums are exact.
    const ns = (us: number | undefined) => Math.round((us as number) * 1000);
    for (const { ts, dur } of spans.toSorted((a, b) => ns(a.ts) - ns(b.ts) || ns(b.dur) - ns(a.dur))) {
      while (ends.length > 0 && (ends.at(-1) as number) <= ns(ts)) ends.pop();
      if (ends.length > 0) expect(ns(ts) + ns(dur)).toBeLessThanOrEqual(ends.at(-1) as number);
      ends.push(ns(ts) + ns(dur));
    }
  }
});
