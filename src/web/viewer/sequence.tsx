/** The sequence diagram NDIS ↔ miniport ↔ device: thousands of rows, of which only those in sight exist. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ShownFinding } from '../../report/data.ts';
import { timeText } from './details.tsx';
import { usePrinting } from './printing.ts';
import type { Fold, Line, Party, Row } from './rows.ts';

interface Props {
  readonly lines: readonly Line[];
  /** The rows folds count in. */
  readonly rows: readonly Row[];
  readonly opened: ReadonlySet<number>;
  readonly onOpen: (seq: number) => void;
  readonly selected: Row | undefined;
  readonly findings: readonly ShownFinding[];
  readonly onSelect: (seq: number) => void;
}

const HEIGHT = 34;
const BEYOND = 12;
/** A printed page carries no more lines than these; the rest is told in a sentence. */
const MOST_PRINTED = 1200;

/** Where the lifelines stand, in percent. */
const lifelines: Readonly<Record<Party, number>> = { NDIS: 10, miniport: 58, device: 90 };
const parties = Object.keys(lifelines) as Party[];

export function Sequence({ lines, rows, opened, onOpen, selected, findings, onSelect }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 640 });
  const [active, setActive] = useState(0);
  const printing = usePrinting();
  const bySeq = useMemo(() => {
    const found = new Map<number, number>();
    for (const [index, line] of lines.entries()) if ('row' in line) found.set(line.row.event.seq, index);
    return found;
  }, [lines]);
  const troubles = useMemo(() => new Set(findings.map(({ seq }) => seq)), [findings]);

  const look = () => {
    const box = scroller.current;
    if (box !== null) setView({ top: box.scrollTop, height: box.clientHeight });
  };
  useLayoutEffect(look, [lines.length]);

  const bring = (index: number) => {
    const box = scroller.current;
    if (box === null) return;
    const top = index * HEIGHT;
    if (top < box.scrollTop || top + HEIGHT > box.scrollTop + box.clientHeight) {
      box.scrollTop = Math.max(0, top - box.clientHeight / 2);
    }
  };
  // A selection made elsewhere (a bar, a finding) comes into sight here.
  useEffect(() => {
    const index = selected === undefined ? undefined : bySeq.get(selected.event.seq);
    if (index === undefined) return;
    setActive(index);
    bring(index);
  }, [selected, bySeq]);

  const choose = (index: number) => {
    const line = lines[index];
    if (line === undefined) return;
    setActive(index);
    bring(index);
    if ('row' in line) onSelect(line.row.event.seq);
  };
  const keyOf = ({ first }: Fold) => rows[first]?.event.seq ?? -1;
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view.height / HEIGHT) - 1);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: lines.length - 1,
    };
    const to = steps[event.key];
    const line = lines[active];
    if (to !== undefined) choose(Math.min(lines.length - 1, Math.max(0, to)));
    else if ((event.key === 'Enter' || event.key === ' ') && line !== undefined && 'fold' in line)
      onOpen(keyOf(line.fold));
    else return;
    event.preventDefault();
  };

  const onClick = (event: MouseEvent) => {
    const index = Number((event.target as Element).closest<HTMLElement>('[data-line]')?.dataset.line ?? Number.NaN);
    const line = lines[index];
    if (line === undefined) return;
    if ('row' in line) choose(index);
    else onOpen(keyOf(line.fold));
  };

  const first = printing ? 0 : Math.max(0, Math.floor(view.top / HEIGHT) - BEYOND);
  const last = printing
    ? Math.min(lines.length, MOST_PRINTED)
    : Math.min(lines.length, Math.ceil((view.top + view.height) / HEIGHT) + BEYOND);
  return (
    <div class="sequence">
      <div class="heads" aria-hidden="true">
        {parties.map((party) => (
          <span key={party} style={{ left: `${lifelines[party]}%` }}>
            {party}
          </span>
        ))}
      </div>
      <div
        ref={scroller}
        class="rows"
        role="listbox"
        tabIndex={0}
        aria-label="Sequence diagram: NDIS, miniport, device"
        aria-activedescendant={lines.length === 0 ? undefined : `line-${active}`}
        onScroll={look}
        onKeyDown={onKeyDown}
        onClick={onClick}
      >
        <div class="inner" role="presentation" style={{ height: `${(printing ? last : lines.length) * HEIGHT}px` }}>
          {lines.length === 0 && (
            // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus and names its active option
            <div role="option" aria-selected="false" class="empty">
              No row matches.
            </div>
          )}
          <div class="lifelines" role="presentation">
            {parties.map((party) => (
              <i key={party} style={{ left: `${lifelines[party]}%` }} />
            ))}
          </div>
          {lines.slice(first, last).map((line, offset) => {
            const index = first + offset;
            const place = {
              id: `line-${index}`,
              'data-line': index,
              role: 'option' as const,
              'aria-setsize': lines.length,
              'aria-posinset': index + 1,
              'aria-selected': index === active,
              style: { top: `${index * HEIGHT}px` },
            };
            if ('fold' in line) {
              const key = keyOf(line.fold);
              return (
                <div key={`fold ${key}`} {...place} class="row fold">
                  <FoldText fold={line.fold} open={opened.has(key)} />
                </div>
              );
            }
            const { row } = line;
            const bad =
              troubles.has(row.event.seq) ||
              (row.close !== undefined && troubles.has(row.close.seq) && row.event.kind === 'call');
            return (
              <div key={row.event.seq} {...place} class={`row ${row.kind}${bad ? ' bad' : ''}`}>
                <RowView row={row} bad={bad} />
              </div>
            );
          })}
        </div>
      </div>
      {printing && lines.length > MOST_PRINTED && <p>{lines.length - MOST_PRINTED} more rows are not printed.</p>}
    </div>
  );
}

function FoldText({ fold: { period, again }, open }: { readonly fold: Fold; readonly open: boolean }) {
  const what = period === 1 ? 'the row above' : `the ${period} rows above`;
  return (
    <span class="fold-text">
      {open ? '▾' : '▸'} {again.toLocaleString('en-US')} more {again === 1 ? 'time' : 'times'} {what}
    </span>
  );
}

function RowView({ row, bad }: { readonly row: Row; readonly bad: boolean }) {
  const { number, event, from, to, back, label, outcome, note, depth } = row;
  const left = Math.min(lifelines[from], lifelines[to]);
  const width = Math.abs(lifelines[from] - lifelines[to]);
  return (
    <>
      <span class="number">{number ?? ''}</span>
      <span class="time">{timeText(event.time)}</span>
      <span class="lanes">
        {depth > 0 && <i class="active" style={{ left: `calc(${lifelines.miniport}% + ${(depth - 1) * 3 - 3}px)` }} />}
        {width > 0 ? (
          <span
            class={`arrow ${lifelines[to] > lifelines[from] ? 'right' : 'left'}${back ? ' back' : ''}`}
            style={{ left: `${left}%`, width: `${width}%` }}
          >
            <span class="label">
              {label}
              {outcome !== undefined && <span class="outcome"> → {outcome}</span>}
            </span>
          </span>
        ) : (
          label !== '' && (
            <span
              class={`chip-row ${from === 'NDIS' ? 'ndis' : from}`}
              style={from === 'NDIS' ? { left: '2%' } : { left: `calc(${lifelines[from]}% + 12px)` }}
            >
              {label}
              {outcome !== undefined && <span class="outcome"> {outcome}</span>}
            </span>
          )
        )}
        {note !== undefined && (
          <span
            class={`beside ${note.tone}`}
            style={{ left: width > 0 || label === '' ? `calc(${lifelines.miniport}% + 14px)` : '72%' }}
          >
            {note.text}
          </span>
        )}
        {bad && <span class="cross">✗ finding</span>}
      </span>
    </>
  );
}
