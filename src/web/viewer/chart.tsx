/** The lifetime chart: adapter states as bands, callbacks and resources as bars, what ran beside as marks. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { timeText } from './details.tsx';
import type { Bar, Lifetimes, ResourceBar } from './lifetimes.ts';
import { usePrinting } from './printing.ts';

interface Props {
  readonly lifetimes: Lifetimes;
  readonly findings: readonly { readonly rule: string; readonly seq: number }[];
  /** `type key` of the resources findings are about. */
  readonly bad: ReadonlySet<string>;
  /** Places the search found. */
  readonly matches: readonly number[];
  readonly selected: number | undefined;
  readonly onSelect: (seq: number) => void;
}

const ROW = 24;
/** Width of the drawing on a printed page; with the labels it fits A4 and Letter upright. */
const PRINTED = 430;
/** Beyond the end of the run: where what is owed runs off to. */
const BEYOND = 22;
const TOP = 24;
/** Types with more than these resources begin as one row. */
const FEW = 3;
/** About the width of a letter of the labels. */
const LETTER = 6.9;

type Axis = 'steps' | 'time';
type Domain = readonly [number, number];

interface ChartRow {
  readonly key: string;
  readonly label: string;
  readonly tone: 'plain' | 'owed' | 'match';
  /** What its label does when pressed. */
  readonly press?: { readonly act: () => void; readonly expanded?: boolean };
  readonly draw: (scale: Scale) => preact.ComponentChildren;
}

interface Scale {
  readonly x: (seq: number) => number;
  readonly width: number;
}

export function Chart({ lifetimes, findings, bad, matches, selected, onSelect }: Props) {
  const { length, times } = lifetimes;
  const area = useRef<HTMLDivElement>(null);
  const [onScreen, setWidth] = useState(800);
  const width = usePrinting() ? PRINTED : onScreen;
  const [axis, setAxis] = useState<Axis>('steps');
  const [opened, setOpened] = useState<ReadonlySet<string>>(
    new Set(lifetimes.resources.filter(({ bars }) => bars.length <= FEW).map(({ type }) => type)),
  );
  const whole = (given: Axis): Domain =>
    given === 'steps' ? [0, Math.max(1, length)] : [0, Math.max(1, times.at(-1) ?? 1)];
  const [domain, setDomain] = useState<Domain>(whole('steps'));

  useLayoutEffect(() => {
    const box = area.current;
    if (box === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(120, box.clientWidth)));
    observer.observe(box);
    setWidth(Math.max(120, box.clientWidth));
    return () => observer.disconnect();
  }, []);

  const value = (seq: number) => (axis === 'steps' ? seq : (times[Math.min(seq, length - 1)] ?? 0));
  const [from, to] = domain;
  const run = width - BEYOND;
  const x = (seq: number) => ((value(seq) - from) / (to - from)) * run;
  const scale: Scale = { x, width };

  const show = ([a, b]: Domain) => {
    const [low, high] = whole(axis);
    const span = Math.min(high - low, Math.max(axis === 'steps' ? 12 : 5, b - a));
    const begin = Math.min(high - span, Math.max(low, a));
    setDomain([begin, begin + span]);
  };
  const zoom = (factor: number, at = (from + to) / 2) => show([at - (at - from) * factor, at + (to - at) * factor]);
  const pan = (share: number) => show([from + (to - from) * share, to + (to - from) * share]);
  const around = ({ begin, end = length - 1 }: Bar) => {
    const [a, b] = [value(begin), value(end)];
    show([a - (b - a) * 0.08 - 1, b + (b - a) * 0.08 + 1]);
  };

  // A selection made elsewhere comes into sight.
  useEffect(() => {
    if (selected === undefined) return;
    const at = value(selected);
    if (at < from || at > to) show([at - (to - from) / 2, at + (to - from) / 2]);
  }, [selected]);

  const toggle = (type: string) => {
    const next = new Set(opened);
    if (!next.delete(type)) next.add(type);
    setOpened(next);
  };
  const rows = useMemo(
    () => rowsOf(lifetimes, bad, matches, opened, toggle, onSelect),
    [lifetimes, bad, matches, opened, onSelect],
  );
  const height = TOP + rows.length * ROW;
  const places = ['MiniportInitializeEx', 'MiniportPause', 'MiniportHaltEx'].flatMap((name) => {
    const bar = lifetimes.callbacks.findLast(({ label }) => label === name);
    return bar === undefined ? [] : [{ name, bar }];
  });

  const seqAt = (offset: number): number => {
    const wanted = from + (offset / run) * (to - from);
    if (axis === 'steps') return Math.min(length - 1, Math.max(0, Math.round(wanted)));
    let best = 0;
    for (let seq = 0; seq < length; seq++) if ((times[seq] as number) <= wanted) best = seq;
    return best;
  };
  const drag = useDrag(
    area,
    (share) => show([from - share * (to - from), to - share * (to - from)]),
    (offset) => onSelect(seqAt(offset)),
  );
  const wheel = useRef(zoom);
  wheel.current = zoom;
  useEffect(() => {
    const box = area.current;
    if (box === null) return;
    const turn = (event: WheelEvent) => {
      // Alone it scrolls the page, as anywhere.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      wheel.current(event.deltaY > 0 ? 1.25 : 0.8);
    };
    box.addEventListener('wheel', turn, { passive: false });
    return () => box.removeEventListener('wheel', turn);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const acts: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => pan(-0.2),
      ArrowRight: () => pan(0.2),
      '+': () => zoom(0.6),
      '=': () => zoom(0.6),
      '-': () => zoom(1.6),
      '0': () => setDomain(whole(axis)),
    };
    const act = acts[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  const owed = lifetimes.resources.reduce((sum, one) => sum + one.owed, 0);
  const summary = `Lifetime chart: ${length} events, ${lifetimes.resources.length} kinds of resources, ${owed} never undone.`;

  return (
    <figure class="chart">
      <div class="tools">
        <span class="group">
          <button type="button" onClick={() => zoom(0.5)} aria-label="Zoom in">
            +
          </button>
          <button type="button" onClick={() => zoom(2)} aria-label="Zoom out">
            −
          </button>
          <button type="button" onClick={() => setDomain(whole(axis))}>
            Whole run
          </button>
          {places.map(({ name, bar }) => (
            <button key={name} type="button" onClick={() => around(bar)}>
              {name}
            </button>
          ))}
        </span>
        <label>
          Across{' '}
          <select
            value={axis}
            onChange={(event) => {
              const next = event.currentTarget.value as Axis;
              setAxis(next);
              setDomain(whole(next));
            }}
          >
            <option value="steps">events, one step each</option>
            <option value="time">virtual time</option>
          </select>
        </label>
        <span class="legend" aria-hidden="true">
          <i class="bar" /> held <i class="bar owed" /> never undone <i class="mark" /> interrupt, DPC, timer
        </span>
      </div>
      <div class="plot">
        <div class="labels" style={{ paddingTop: `${TOP}px` }}>
          {rows.map(({ key, label, tone, press }) =>
            press === undefined ? (
              <span key={key} class={tone} title={label}>
                {label}
              </span>
            ) : (
              <button
                key={key}
                type="button"
                class={tone}
                title={label}
                onClick={press.act}
                aria-expanded={press.expanded}
              >
                {press.expanded === undefined ? '' : press.expanded ? '▾ ' : '▸ '}
                {label}
              </button>
            ),
          )}
        </div>
        {/* biome-ignore lint/a11y/useSemanticElements: a group of its own keys, not a form's */}
        <div
          ref={area}
          class="area"
          role="group"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: arrows move and plus and minus zoom it
          tabIndex={0}
          aria-label={`${summary} Arrow keys move, plus and minus zoom, 0 shows the whole run.`}
          onKeyDown={onKeyDown}
          {...drag}
        >
          <svg width={width} height={height} role="img" aria-label={summary}>
            <Ticks domain={domain} axis={axis} width={run} height={height} />
            {rows.map(({ key, draw, tone }, index) => (
              <g key={key} transform={`translate(0 ${TOP + index * ROW})`}>
                <rect class={`ground ${tone}${index % 2 === 1 ? ' odd' : ''}`} width={width} height={ROW} />
                {draw(scale)}
              </g>
            ))}
            {findings.map(({ rule, seq }, index) => {
              const at = x(seq);
              return at < 0 || at > width ? null : (
                <g key={`${rule} ${index}`} class="finding-line">
                  <line x1={at} x2={at} y1={14} y2={height} />
                  <text x={at > width - 24 ? at - 4 : at} y={12} text-anchor={at > width - 24 ? 'end' : 'middle'}>
                    ✗
                  </text>
                </g>
              );
            })}
            {selected !== undefined && x(selected) >= 0 && x(selected) <= width && (
              <line class="cursor" x1={x(selected)} x2={x(selected)} y1={TOP - 6} y2={height} />
            )}
          </svg>
        </div>
      </div>
    </figure>
  );
}

function rowsOf(
  { states, callbacks, marks, resources, length }: Lifetimes,
  bad: ReadonlySet<string>,
  matches: readonly number[],
  opened: ReadonlySet<string>,
  toggle: (type: string) => void,
  onSelect: (seq: number) => void,
): ChartRow[] {
  const rows: ChartRow[] = [];
  for (const [index, bars] of states.entries()) {
    const label = states.length === 1 ? 'Adapter state' : `State of adapter ${index + 1}`;
    rows.push({
      key: `state ${index}`,
      label,
      tone: 'plain',
      draw: (scale) => bars.map((bar) => <Band key={bar.begin} bar={bar} scale={scale} length={length} />),
    });
  }
  rows.push({
    key: 'callbacks',
    label: 'NDIS calls',
    tone: 'plain',
    draw: (scale) => callbacks.map((bar) => <LabelledBar key={bar.begin} bar={bar} scale={scale} length={length} />),
  });
  for (const { label, at } of marks) {
    rows.push({
      key: label,
      label: `${label} (${at.length})`,
      tone: 'plain',
      draw: (scale) => <Marks at={at} scale={scale} kind="mark" />,
    });
  }
  if (matches.length > 0) {
    rows.push({
      key: 'matches',
      label: `Search (${matches.length})`,
      tone: 'match',
      draw: (scale) => <Marks at={matches} scale={scale} kind="match" />,
    });
  }
  for (const { type, bars, owed } of resources) {
    const tone = owed > 0 ? 'owed' : 'plain';
    const few = bars.length <= FEW;
    const open = opened.has(type);
    const count = bars.length === 1 ? '' : ` × ${bars.length}`;
    if (!few || !open) {
      rows.push({
        key: type,
        label: `${type}${count}${owed > 0 ? `, ${owed} owed` : ''}`,
        tone,
        press: { act: () => toggle(type), expanded: open },
        draw: (scale) =>
          bars.map((bar) => (
            <Life key={bar.begin} bar={bar} scale={scale} length={length} bad={bad} many={!open} onSelect={onSelect} />
          )),
      });
    }
    if (!open) continue;
    for (const bar of bars) {
      rows.push({
        key: `${type} ${bar.begin}`,
        label: few ? `${type}${bar.owed ? ', owed' : ''}` : `  ${bar.key}`,
        tone: bar.owed ? 'owed' : 'plain',
        press: { act: () => onSelect(bar.begin) },
        draw: (scale) => <Life bar={bar} scale={scale} length={length} bad={bad} many={false} onSelect={onSelect} />,
      });
    }
  }
  return rows;
}

/** Where a bar begins and how wide it is; undefined when it is out of sight. */
function extent({ begin, end }: Bar, { x, width }: Scale, length: number): { left: number; wide: number } | undefined {
  const left = x(begin);
  const right = end === undefined ? Math.min(x(length), width) : x(end);
  if (right < 0 || left > width) return undefined;
  const from = Math.max(-4, left);
  return { left: from, wide: Math.max(2.5, Math.min(width + 4, right) - from) };
}

const fits = (text: string, wide: number) => text.length * LETTER + 8 < wide;

function Band({ bar, scale, length }: { readonly bar: Bar; readonly scale: Scale; readonly length: number }) {
  const place = extent(bar, scale, length);
  if (place === undefined) return null;
  return (
    <g class={`band ${bar.label}`}>
      <rect x={place.left} y={2} width={place.wide} height={ROW - 4}>
        <title>{bar.label}</title>
      </rect>
      {fits(bar.label, place.wide) && (
        <text x={Math.max(0, place.left) + 5} y={16}>
          {bar.label}
        </text>
      )}
    </g>
  );
}

function LabelledBar({ bar, scale, length }: { readonly bar: Bar; readonly scale: Scale; readonly length: number }) {
  const place = extent(bar, scale, length);
  if (place === undefined) return null;
  // Every routine begins with it; without it more names fit.
  const name = bar.label.replace(/^Miniport/, '');
  return (
    <g class="callback">
      <rect x={place.left} y={3} width={place.wide} height={ROW - 6} rx={2}>
        <title>{bar.label}</title>
      </rect>
      {fits(name, place.wide) && (
        <text x={Math.max(0, place.left) + 5} y={16}>
          {name}
        </text>
      )}
    </g>
  );
}

interface LifeProps {
  readonly bar: ResourceBar;
  readonly scale: Scale;
  /** Of the run, in events. */
  readonly length: number;
  readonly bad: ReadonlySet<string>;
  /** One of many in its row: thin, so that they show through each other. */
  readonly many: boolean;
  readonly onSelect: (seq: number) => void;
}

function Life({ bar, scale, length, bad, many, onSelect }: LifeProps) {
  const place = extent(bar, scale, length);
  if (place === undefined) return null;
  const { left } = place;
  const wide = bar.owed ? scale.width - left - 8 : place.wide;
  const { owed } = bar;
  const tone = `life${owed ? ' owed' : ''}${many && !owed ? ' many' : ''}${bad.has(`${bar.type} ${bar.key}`) ? ' found' : ''}`;
  const end = scale.width;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the row's label is the button for the keyboard
    <g
      class={tone}
      onClick={(event) => {
        event.stopPropagation();
        onSelect(bar.begin);
      }}
    >
      <rect x={left} y={6} width={wide} height={ROW - 12} rx={2}>
        <title>
          {bar.type} {bar.key} by {bar.fn}
          {owed ? ', never undone' : ''}
        </title>
      </rect>
      {owed && <path d={`M${end - 13} 2 L${end - 1} ${ROW / 2} L${end - 13} ${ROW - 2} Z`} />}
      {owed && fits(bar.fn, wide - 40) && !many && (
        <text x={Math.max(0, left) + 6} y={16}>
          {bar.fn}
        </text>
      )}
    </g>
  );
}

/** As one path, and one stroke a pixel at most: thousands of marks draw as fast as ten. */
function Marks({
  at,
  scale: { x, width },
  kind,
}: {
  readonly at: readonly number[];
  readonly scale: Scale;
  readonly kind: string;
}) {
  const pixels = new Set(at.map((seq) => Math.round(x(seq))).filter((pixel) => pixel >= 0 && pixel <= width));
  return <path class={kind} d={[...pixels].map((pixel) => `M${pixel}.5 5V${ROW - 5}`).join('')} />;
}

function Ticks({
  domain: [from, to],
  axis,
  width,
  height,
}: {
  readonly domain: Domain;
  readonly axis: Axis;
  readonly width: number;
  readonly height: number;
}) {
  const room = Math.max(2, Math.floor(width / 110));
  const rough = (to - from) / room;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(
    axis === 'steps' ? 1 : 0.01,
    [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough,
  );
  const ticks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return (
    <g class="ticks">
      {ticks.map((at) => {
        const place = ((at - from) / (to - from)) * width;
        const text =
          axis === 'steps'
            ? Math.round(at).toLocaleString('en-US')
            : timeText(at)
                .replace(/0+ ms$/, ' ms')
                .replace('. ', ' ');
        return (
          <g key={at}>
            <line x1={place} x2={place} y1={TOP - 5} y2={height} />
            <text x={place + 3} y={TOP - 9}>
              {text}
            </text>
          </g>
        );
      })}
    </g>
  );
}

/** Drags the chart sideways; a press without a move chooses. `moved` is told the share of the width. */
function useDrag(
  area: { readonly current: HTMLDivElement | null },
  moved: (share: number) => void,
  chosen: (offset: number) => void,
) {
  const start = useRef<{ x: number; last: number; far: boolean } | undefined>(undefined);
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button === 0) start.current = { x: event.clientX, last: event.clientX, far: false };
    },
    onPointerMove: (event: PointerEvent) => {
      const drag = start.current;
      if (drag === undefined || area.current === null) return;
      if (!drag.far && Math.abs(event.clientX - drag.x) > 4) {
        drag.far = true;
        area.current.setPointerCapture(event.pointerId);
      }
      if (!drag.far) return;
      moved((event.clientX - drag.last) / area.current.clientWidth);
      drag.last = event.clientX;
    },
    onPointerUp: (event: PointerEvent) => {
      const drag = start.current;
      start.current = undefined;
      if (drag === undefined || drag.far || area.current === null) return;
      if ((event.target as Element).closest('.life') !== null) return;
      chosen(event.clientX - area.current.getBoundingClientRect().left);
    },
    onPointerCancel: () => {
      start.current = undefined;
    },
  };
}
