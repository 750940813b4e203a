/** The whole report: verdict, findings, the unload picture, coverage, scenarios, what is not modelled. */
import { useRef, useState } from 'preact/hooks';
import type { ReportData } from '../../report/data.ts';
import { Coverage, Played, Unsupported } from './facts.tsx';
import { FindingCard } from './finding.tsx';
import { Picture } from './picture.tsx';

const plural = (n: number, noun: string) => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

const verdicts = { clean: 'Clean', findings: 'Findings', inconclusive: 'Inconclusive' } as const;
const ends = {
  budget: 'The budget was used up before everything planned was played.',
  interrupted: 'The check was interrupted before everything planned was played.',
  bail: 'The check stopped at the first finding.',
} as const;

export function Report({ data }: { readonly data: ReportData }) {
  const { driver, version, verdict, scenarios, findings, reasons, ended, traces } = data;
  const notes = findings.filter(({ severity }) => severity === 'note').length;
  // The first finding's scenario is what one wants to see first; without findings, the plain run.
  const [shown, setShown] = useState({
    trace: findings[0]?.trace ?? 0,
    finding: findings[0]?.trace === undefined ? undefined : 0,
  });
  const picture = useRef<HTMLElement>(null);
  const open = (finding: number) => {
    const trace = findings[finding]?.trace;
    if (trace === undefined) return;
    setShown({ trace, finding });
    picture.current?.scrollIntoView({ block: 'start' });
    picture.current?.focus({ preventScroll: true });
  };
  return (
    <>
      <a class="skip" href="#picture">
        Skip to the unload picture
      </a>
      <header class="top">
        <div class="brand">
          haltex <span>{version}</span>
        </div>
        <h1>{driver}</h1>
        <p class="summary">
          <strong class={`verdict ${verdict}`}>{verdicts[verdict]}</strong>
          <span>{plural(findings.length - notes, 'finding')}</span>
          {notes > 0 && <span>{plural(notes, 'note')}</span>}
          <span>{plural(scenarios.run, 'scenario')} played</span>
          <span>{scenarios.clean.toLocaleString('en-US')} clean</span>
          {scenarios.unsupported > 0 && <span>{scenarios.unsupported.toLocaleString('en-US')} inconclusive</span>}
        </p>
        <nav aria-label="Sections">
          {findings.length > 0 && <a href="#findings">Findings</a>}
          {traces.length > 0 && <a href="#picture">Unload picture</a>}
          <a href="#coverage">Coverage</a>
          <a href="#scenarios">Scenarios</a>
          {data.unsupported.length > 0 && <a href="#unsupported">Not modelled</a>}
        </nav>
      </header>
      <main>
        {(reasons.length > 0 || ended !== undefined) && (
          <section class="reasons" aria-label="What limits this result">
            {ended !== undefined && <p>{ends[ended]}</p>}
            {reasons.map((reason) => (
              <p key={reason}>{reason}</p>
            ))}
          </section>
        )}
        <section id="findings" aria-labelledby="findings-title">
          <h2 id="findings-title">Findings</h2>
          {findings.length === 0 && <p class="none">No scenario showed anything the contract forbids.</p>}
          {findings.map((finding, index) => (
            <FindingCard key={index} finding={finding} number={index + 1} onOpen={() => open(index)} />
          ))}
        </section>
        {traces.length > 0 && (
          <section id="picture" ref={picture} tabIndex={-1} aria-labelledby="picture-title">
            <h2 id="picture-title">Unload picture</h2>
            <Picture
              data={data}
              trace={shown.trace}
              finding={shown.finding}
              onTrace={(trace) => setShown({ trace, finding: traces[trace]?.findings[0] })}
            />
          </section>
        )}
        <Coverage data={data} />
        <Played data={data} />
        <Unsupported data={data} />
      </main>
    </>
  );
}
