/** The tables behind the verdict: how much was looked at, what was played, what is missing. */
import type { ReportData } from '../../report/data.ts';
import { scrolls } from './finding.tsx';

type Given = { readonly data: ReportData };
const count = (n: number) => n.toLocaleString('en-US');

function Share({ part, whole, label }: { readonly part: number; readonly whole: number; readonly label: string }) {
  const percent = whole === 0 ? 100 : Math.floor((100 * part) / whole);
  return (
    <div class="share">
      <span>{label}</span>
      <meter min={0} max={Math.max(whole, 1)} value={part} aria-label={label} />
      <span>
        {count(part)} of {count(whole)} ({percent} %)
      </span>
    </div>
  );
}

export function Coverage({ data: { coverage, balance } }: Given) {
  const { faultPoints, code } = coverage;
  return (
    <section id="coverage" aria-labelledby="coverage-title">
      <h2 id="coverage-title">Coverage</h2>
      <div class="columns">
        <div>
          <h3>How much was looked at</h3>
          <Share label="Calls made to fail" part={faultPoints.exercised} whole={faultPoints.reached} />
          {code?.routines.map(({ routine, blocks, ran }) => (
            <Share key={routine} label={`Blocks of ${routine}`} part={ran} whole={blocks} />
          ))}
          {code === undefined && <p class="none">The blocks of this driver's code were not counted.</p>}
          {faultPoints.missed.length > 0 && (
            <details>
              <summary>{count(faultPoints.missed.length)} calls never made to fail</summary>
              <ul class="points" {...scrolls}>
                {faultPoints.missed.map((point) => (
                  <li key={point}>{point}</li>
                ))}
              </ul>
            </details>
          )}
          {code !== undefined && code.never.length > 0 && (
            <details>
              <summary>{count(code.never.length)} blocks never ran</summary>
              <p class="offsets" {...scrolls}>
                {code.never.map((offset) => `+0x${offset.toString(16)}`).join(' ')}
              </p>
            </details>
          )}
        </div>
        <div>
          <h3>Resources of the plain run</h3>
          <table>
            <thead>
              <tr>
                <th scope="col">Resource</th>
                <th scope="col">Acquired</th>
                <th scope="col">Undone</th>
                <th scope="col">Owed</th>
              </tr>
            </thead>
            <tbody>
              {balance.map(({ type, acquired, undone, owed }) => (
                <tr key={type} class={owed > 0 ? 'owed' : undefined}>
                  <th scope="row">{type}</th>
                  <td>{count(acquired)}</td>
                  <td>{count(undone)}</td>
                  <td>{count(owed)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  );
}

export function Played({ data: { phases, traces } }: Given) {
  return (
    <section id="scenarios" aria-labelledby="scenarios-title">
      <h2 id="scenarios-title">Scenarios</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Phase</th>
            <th scope="col">Scenarios</th>
            <th scope="col">Events</th>
            <th scope="col">With findings</th>
            <th scope="col">Inconclusive</th>
            <th scope="col">Time</th>
          </tr>
        </thead>
        <tbody>
          {phases.map(({ name, scenarios, events, findings, unsupported, milliseconds, cut }) => (
            <tr key={name}>
              <th scope="row">
                {name}
                {cut && <span class="more"> (cut short)</span>}
              </th>
              <td>{count(scenarios)}</td>
              <td>{count(events)}</td>
              <td>{count(findings)}</td>
              <td>{count(unsupported)}</td>
              <td>{count(Math.round(milliseconds))} ms</td>
            </tr>
          ))}
        </tbody>
      </table>
      {traces.some(({ packed }) => packed === undefined) && (
        <p class="none">
          To keep this file small, some scenarios are not drawn. Their commands:{' '}
          {traces.flatMap(({ packed, replay }) =>
            packed === undefined ? [<code key={replay}>{replay}</code>, ' '] : [],
          )}
        </p>
      )}
    </section>
  );
}

export function Unsupported({ data: { unsupported } }: Given) {
  if (unsupported.length === 0) return null;
  return (
    <section id="unsupported" aria-labelledby="unsupported-title">
      <h2 id="unsupported-title">Not modelled</h2>
      <p>haltex lacks these. Scenarios that met them ended there and are never counted as clean.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Scenarios</th>
            <th scope="col">In words</th>
          </tr>
        </thead>
        <tbody>
          {unsupported.map(({ function: name, text, count: times }) => (
            <tr key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td>{count(times)}</td>
              <td class="words">{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
