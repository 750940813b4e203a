import { expect, it } from 'vitest';
import type { VirtualTime } from '../trace/units.ts';
import { github } from './github.ts';
import { html } from './html.ts';
import { junit } from './junit.ts';
import { pack, unpack } from './pack.ts';
import { context, events, HOSTILE, result } from './testing.ts';
import { trace } from './trace.ts';

it('JUnit: a failing case a finding, a note that passes, what is inconclusive as an error, what was cut as skipped', () => {
  const xml = junit(result, context);
  expect(xml).toMatch(/<testsuites name="haltex" tests="6" failures="1" errors="2" skipped="1"/);
  expect(xml).toContain('<testcase classname="nic.sys.halt-leaks-interrupt" name="halt-leaks-interrupt/interrupt/');
  expect(xml).toContain('<skipped message="Cut short: the budget was used up."');
  expect(xml).toContain('<error message="Something else is missing." type="inconclusive"');
  expect(xml).toContain('<system-out>note: A spin lock is not freed.');
  expect(xml).toContain('at NdisMRegisterInterruptEx\n  at nic.sys+0x2480');
  expect(xml).toContain('replay: npx haltex replay ./path/nic.sys hx1.ts.e30');
  const clean = junit({ ...result, verdict: 'clean', findings: [], reasons: [] }, context);
  expect(clean).toContain('name="the contract is kept" time="0.000"/>');
});

it('JUnit: no text of a finding is markup', () => {
  const xml = junit(result, context);
  expect(xml).not.toContain('<img');
  expect(xml).not.toContain('\u0001');
  expect(xml).toContain('&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &apos;quoted&apos;');
  // Every element that is opened is closed, in order.
  const open: string[] = [];
  for (const [, closing, name, empty] of xml.matchAll(/<(\/?)([\w-]+)(?:\s[\w-]+="[^"<]*")*\s*(\/?)>/g)) {
    if (closing === '/') expect(open.pop()).toBe(name);
    else if (empty !== '/') open.push(name as string);
  }
  expect(open).toEqual([]);
});

it('GitHub: a line a finding, at its source line, with nothing that ends the command', () => {
  const lines = github(result, context).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(
    /^::error title=haltex%3A halt-leaks-interrupt,file=\.\/path\/nic\.sys::MiniportInitializeEx acquires/,
  );
  expect(lines[0]).toContain('100%25');
  expect(lines[0]).toContain('%0Areplay: npx haltex replay ./path/nic.sys hx1.ts.e30');
  expect(lines[1]).toMatch(/^::notice title=haltex%3A halt-skips-free-spin-lock,file=src\/nic\/halt\.c,line=3::/);
  expect(github({ ...result, verdict: 'inconclusive', findings: [] }, context)).toContain(
    '::warning title=haltex%3A nic.sys is inconclusive::',
  );
});

interface Entry {
  readonly ph: string;
  readonly name: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly id?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

it('trace: spans nest in their thread, resources open and close, what is owed says so', () => {
  const { traceEvents } = JSON.parse(trace(result, context)) as { traceEvents: Entry[] };
  const threads = traceEvents
    .filter(({ ph, name }) => ph === 'M' && name === 'thread_name')
    .map(({ args }) => args.name);
  expect(threads).toEqual(['adapter state', 'cpu0 PnP manager', 'cpu0 interrupt message 0']);
  const spans = traceEvents.filter(({ ph }) => ph === 'X');
  for (const a of spans) {
    expect(a.dur).toBeGreaterThan(0);
    for (const b of spans) {
      if (a === b || a.tid !== b.tid || b.ts < a.ts || b.ts >= a.ts + a.dur) continue;
      expect(b.ts + b.dur, `${b.name} in ${a.name}`).toBeLessThanOrEqual(a.ts + a.dur + 1e-6);
    }
  }
  expect(spans.filter(({ tid }) => tid === 1).map(({ name }) => name)).toEqual(['Initializing', 'Paused']);
  const begun = traceEvents.filter(({ ph }) => ph === 'b');
  const ended = traceEvents.filter(({ ph }) => ph === 'e');
  expect(begun.map(({ id }) => id).toSorted()).toEqual(ended.map(({ id }) => id).toSorted());
  expect(begun.map(({ name, args }) => [name, args.owed ?? false])).toEqual([
    ['interrupt', true],
    ['mdl', false],
  ]);
});

it('packed events come back as they were', () => {
  expect(unpack(JSON.parse(JSON.stringify(pack(events))))).toEqual(events);
  const many = Array.from({ length: 100 }, () => events).flat();
  const packed = JSON.stringify(pack(many)).length;
  expect(packed).toBeLessThan(JSON.stringify(many).length / 3);
});

it('HTML: one page that loads nothing, whose text is never markup', () => {
  const page = html(result, {
    ...context,
    source: (file) => (file === 'src\\nic\\halt.c' ? 'one\ntwo\nthree</script>\nfour' : undefined),
    viewer: () => ({ script: 'const end = "</script>";', style: 'p { color: red }' }),
  });
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect(page).not.toContain('<img');
  expect(page).not.toMatch(/(src|href)="?(https?:)?\/\//);
  expect(page).toContain("default-src 'none'");
  expect(page).toContain('&lt;/script&gt;&lt;img src=x');
  const carried = /<script type="application\/json" id="haltex-data">(.*?)<\/script>/s.exec(page)?.[1] ?? '';
  const data = JSON.parse(carried);
  expect(data.findings[0].message).toContain(HOSTILE);
  expect(data.findings[1].stacks[0].frames[0].source).toEqual({
    file: 'src\\nic\\halt.c',
    line: 3,
    excerpt: { first: 1, lines: ['one', 'two', 'three</script>', 'four'] },
  });
  expect(unpack(data.traces[0].packed)).toEqual(events);
});

it('HTML: traces that would make the file too big stay out, and say how to see them', () => {
  const long = Array.from({ length: 4000 }, (_, i) =>
    events.map((event) => ({
      ...event,
      seq: event.seq + i * events.length,
      time: (event.time + i / 7) as VirtualTime,
    })),
  ).flat();
  const page = html({ ...result, traces: result.traces.map((kept) => ({ ...kept, events: long })) }, context);
  expect(page.length).toBeLessThan(2_000_000);
  const data = JSON.parse(/id="haltex-data">(.*?)<\/script>/s.exec(page)?.[1] ?? '');
  expect(data.traces[0]).toEqual({
    description: result.traces[0]?.description,
    replay: 'npx haltex replay ./path/nic.sys hx1.ts.e30',
    findings: [0, 1],
    length: long.length,
  });
});
