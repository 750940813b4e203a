/** Everything about the selected row: where it stands, its arguments and result, its stack, what it acquired. */
import type { ShownFinding } from '../../report/data.ts';
import { placeOf } from '../../report/place.ts';
import type { TraceEvent, Value } from '../../trace/events.ts';
import { irqlName } from '../../trace/units.ts';
import { scrolls } from './finding.tsx';
import { type Row, show, stackOf } from './rows.ts';

interface Props {
  readonly row: Row | undefined;
  readonly events: readonly TraceEvent[];
  /** Places of the acquisitions that were never undone and should have been. */
  readonly owed: ReadonlySet<number>;
  readonly findings: readonly ShownFinding[];
  readonly onSelect: (seq: number) => void;
}

/** Virtual time counts 100 ns. */
export const timeText = (time: number): string =>
  time < 10_000 ? `${(time / 10).toFixed(2)} µs` : `${(time / 10_000).toFixed(3)} ms`;

export function Details({ row, events, owed, findings, onSelect }: Props) {
  if (row === undefined) {
    return (
      <aside class="details" aria-label="Details">
        <p class="none">Choose a row or a bar to see its arguments, its stack and what became of it.</p>
      </aside>
    );
  }
  const { event, close, label, number } = row;
  const inside = withIn(events, row);
  const stack = [event, ...inside].map(stackOf).find((frames) => frames.length > 0) ?? [];
  const here = findings.filter(
    ({ seq }) => seq === event.seq || seq === close?.seq || inside.some((one) => one.seq === seq),
  );
  return (
    <aside class="details" aria-label="Details" {...scrolls}>
      <h3>
        {number !== undefined && <span class="number">{number}</span>} {label || event.kind}
      </h3>
      {here.map(({ rule, message }) => (
        <p key={rule} class="verdict-here">
          <strong>✗ {rule}</strong> {message}
        </p>
      ))}
      <dl>
        <dt>When</dt>
        <dd>
          {timeText(event.time)}, event {event.seq.toLocaleString('en-US')}
        </dd>
        <dt>Where</dt>
        <dd>
          {event.context}
          {event.callback !== undefined && `, in ${event.callback}`}
        </dd>
        <dt>Level</dt>
        <dd>
          {irqlName(event.irql)} on processor {event.processor}
        </dd>
        {'args' in event && <Values title="Arguments" values={event.args} />}
        {'detail' in event && <Values title="Detail" values={event.detail} />}
        {row.outcome !== undefined && (
          <>
            <dt>{event.kind === 'state' ? 'Because of' : 'Result'}</dt>
            <dd>
              <code>{row.outcome}</code>
            </dd>
          </>
        )}
      </dl>
      {inside.map((one) => (
        <Became key={one.seq} event={one} events={events} owed={owed} onSelect={onSelect} />
      ))}
      {stack.length > 0 && (
        <>
          <h4>Stack</h4>
          <ol class="frames">
            {stack.map((frame, index) => (
              <li key={index}>
                <code>{placeOf(frame).text}</code>
              </li>
            ))}
          </ol>
        </>
      )}
    </aside>
  );
}

function Values({ title, values }: { readonly title: string; readonly values: Readonly<Record<string, Value>> }) {
  if (Object.keys(values).length === 0) return null;
  return (
    <>
      <dt>{title}</dt>
      <dd>
        <Fields values={values} />
      </dd>
    </>
  );
}

/** A field a line; structures inside are indented. */
function Fields({ values }: { readonly values: Readonly<Record<string, Value>> }) {
  return (
    <ul class="values">
      {Object.entries(values).map(([name, value]) => (
        <li key={name}>
          {name}{' '}
          {typeof value === 'object' && value !== null && !Array.isArray(value) ? (
            <Fields values={value as Readonly<Record<string, Value>>} />
          ) : (
            <code>{show(value)}</code>
          )}
        </li>
      ))}
    </ul>
  );
}

/** What was acquired and undone in the course of the row's call. */
function withIn(events: readonly TraceEvent[], { event, close }: Row): TraceEvent[] {
  if (event.kind === 'acquire' || event.kind === 'undo') return [event];
  if (event.kind !== 'call') return [];
  return events
    .slice(event.seq, close?.seq)
    .filter((one) => (one.kind === 'acquire' || one.kind === 'undo') && one.context === event.context);
}

function Became({
  event,
  events,
  owed,
  onSelect,
}: { readonly event: TraceEvent } & Pick<Props, 'events' | 'owed' | 'onSelect'>) {
  if (event.kind === 'acquire') {
    const end = events.find(
      (one) =>
        one.kind === 'undo' &&
        one.resource === event.resource &&
        (one.outcome === 'undone' || one.outcome === 'mismatch'),
    );
    return (
      <p class={owed.has(event.seq) ? 'owed' : undefined}>
        Acquires {event.type} <code>{event.key}</code>.{' '}
        {end === undefined ? (
          owed.has(event.seq) ? (
            'It is never undone.'
          ) : (
            'It is still held where the run ends.'
          )
        ) : (
          <button type="button" class="link" onClick={() => onSelect(end.seq)}>
            Where it is undone
          </button>
        )}
      </p>
    );
  }
  if (event.kind !== 'undo') return null;
  const begin = events.find((one) => one.kind === 'acquire' && one.resource === event.resource);
  return (
    <p class={event.outcome === 'undone' ? undefined : 'owed'}>
      {event.outcome === 'undone' ? 'Undoes' : `Undo, ${event.outcome}:`} {event.type} <code>{event.key}</code>.{' '}
      {begin !== undefined && (
        <button type="button" class="link" onClick={() => onSelect(begin.seq)}>
          Where it was acquired
        </button>
      )}
    </p>
  );
}
