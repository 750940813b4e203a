/** The unload picture of one scenario: the lifetime chart above, the sequence diagram below, one selection in both. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ReportData } from '../../report/data.ts';
import { unpack } from '../../report/pack.ts';
import type { TraceEvent } from '../../trace/events.ts';
import { Chart } from './chart.tsx';
import { Details } from './details.tsx';
import { Command } from './finding.tsx';
import { lifetimesOf } from './lifetimes.ts';
import { firstShown, fold, type Kind, kinds, rowsOf } from './rows.ts';
import { Sequence } from './sequence.tsx';

interface Props {
  readonly data: ReportData;
  readonly trace: number;
  readonly finding: number | undefined;
  readonly onTrace: (trace: number) => void;
}

export function Picture({ data, trace, finding, onTrace }: Props) {
  const shown = data.traces[trace];
  const events = useMemo(() => (shown?.packed === undefined ? undefined : unpack(shown.packed)), [shown]);
  return (
    <>
      <p class="scenario">
        <label for="scenario">Scenario</label>
        <select id="scenario" value={trace} onChange={(event) => onTrace(Number(event.currentTarget.value))}>
          {data.traces.map(({ description, findings }, index) => (
            <option key={index} value={index}>
              {findings.length === 0 ? '' : `✗ ${findings.map((one) => data.findings[one]?.rule).join(', ')}: `}
              {description}
            </option>
          ))}
        </select>
      </p>
      {events === undefined ? (
        <div class="none">
          <p>This scenario is not drawn, to keep the file small. This prints every step of it:</p>
          {shown !== undefined && <Command text={shown.replay} />}
        </div>
      ) : (
        <Drawing key={trace} data={data} events={events} trace={trace} finding={finding} />
      )}
    </>
  );
}

function Drawing({
  data,
  events,
  trace,
  finding,
}: Pick<Props, 'data' | 'trace' | 'finding'> & { readonly events: readonly TraceEvent[] }) {
  const [enabled, setEnabled] = useState<ReadonlySet<Kind>>(new Set(firstShown));
  const [search, setSearch] = useState('');
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [selected, setSelected] = useState<number | undefined>(undefined);

  const found = data.traces[trace]?.findings.flatMap((index) => data.findings[index] ?? []) ?? [];
  const bad = useMemo(
    () =>
      new Set(found.flatMap(({ resource }) => (resource === undefined ? [] : [`${resource.type} ${resource.key}`]))),
    [data, trace],
  );
  const lifetimes = useMemo(() => lifetimesOf(events, bad), [events, bad]);
  const owed = useMemo(
    () => new Set(lifetimes.resources.flatMap(({ bars }) => bars.filter((bar) => bar.owed).map(({ begin }) => begin))),
    [lifetimes],
  );
  const rows = useMemo(() => rowsOf(events, owed), [events, owed]);
  const focus = finding === undefined ? undefined : data.findings[finding];
  useEffect(() => {
    if (focus?.trace === trace) setSelected(acquisitionOf(events, focus) ?? focus.seq);
  }, [focus, trace, events]);

  const wanted = search.trim().toLowerCase();
  const matching = useMemo(
    () => rows.filter((row) => (wanted === '' ? enabled.has(row.kind) : row.text.includes(wanted))),
    [rows, enabled, wanted],
  );
  const lines = useMemo(() => fold(matching, wanted === '' ? opened : new Set()), [matching, opened, wanted]);
  const toggle = (kind: Kind) => {
    const next = new Set(enabled);
    if (!next.delete(kind)) next.add(kind);
    setEnabled(next);
  };
  const counts = useMemo(() => {
    const counted = new Map<Kind, number>();
    for (const { kind } of rows) counted.set(kind, (counted.get(kind) ?? 0) + 1);
    return counted;
  }, [rows]);
  const selectedRow = useMemo(() => rowAt(rows, selected), [rows, selected]);

  return (
    <>
      <Chart
        lifetimes={lifetimes}
        findings={found.map(({ rule, seq }) => ({ rule, seq }))}
        bad={bad}
        matches={wanted === '' ? [] : matching.map(({ event }) => event.seq)}
        selected={selected}
        onSelect={setSelected}
      />
      <div class="filter">
        <fieldset>
          <legend>Show</legend>
          {(Object.keys(kinds) as Kind[])
            .filter((kind) => counts.has(kind))
            .map((kind) => (
              <label key={kind} class={`chip ${kind}`}>
                <input
                  type="checkbox"
                  checked={enabled.has(kind)}
                  disabled={wanted !== ''}
                  onChange={() => toggle(kind)}
                />
                {kinds[kind]} <span class="count">{counts.get(kind)?.toLocaleString('en-US')}</span>
              </label>
            ))}
        </fieldset>
        <label class="search">
          Search all {rows.length.toLocaleString('en-US')} rows
          <input
            type="search"
            value={search}
            placeholder="function, address, kind, file…"
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        <p role="status" class="found">
          {wanted === ''
            ? `${matching.length.toLocaleString('en-US')} rows shown`
            : `${matching.length.toLocaleString('en-US')} rows match`}
        </p>
      </div>
      <div class="diagram">
        <Sequence
          lines={lines}
          rows={matching}
          opened={opened}
          onOpen={(seq) => {
            const next = new Set(opened);
            if (!next.delete(seq)) next.add(seq);
            setOpened(next);
          }}
          selected={selectedRow}
          findings={found}
          onSelect={setSelected}
        />
        <Details row={selectedRow} events={events} owed={owed} findings={found} onSelect={setSelected} />
      </div>
    </>
  );
}

function acquisitionOf(
  events: readonly TraceEvent[],
  { resource, seq }: ReportData['findings'][number],
): number | undefined {
  if (resource === undefined) return undefined;
  const { type, key } = resource;
  return events.findLast(
    (event) => event.kind === 'acquire' && event.type === type && event.key === key && event.seq <= seq,
  )?.seq;
}

/** The row an event belongs to: its own, or that of the call it happened in. */
function rowAt(rows: ReturnType<typeof rowsOf>, seq: number | undefined) {
  if (seq === undefined) return undefined;
  const own = rows.find(({ event }) => event.seq === seq);
  if (own !== undefined) return own;
  return rows.findLast(
    ({ event, close }) => event.kind === 'call' && event.seq <= seq && (close?.seq ?? Number.POSITIVE_INFINITY) >= seq,
  );
}
