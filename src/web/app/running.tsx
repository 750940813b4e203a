/** While a check runs: how far it is, and what it has found. */
import type { Progress } from './messages.ts';
import { Brand } from './start.tsx';

interface Props {
  readonly name: string;
  /** Undefined until the engine is there. */
  readonly progress: Progress | undefined;
  readonly budget: number;
  readonly stopping: boolean;
  readonly onStop: () => void;
}

const count = (n: number) => n.toLocaleString('en-US');

export function RunningView({ name, progress, budget, stopping, onStop }: Props) {
  const findings = progress?.findings ?? [];
  const heard = `${progress?.phase ?? 'loading the engine'}; ${findings.length} ${findings.length === 1 ? 'rule' : 'rules'} broken so far`;
  return (
    <>
      <header class="top-bar">
        <Brand />
        <button type="button" class="stop" onClick={onStop}>
          {progress === undefined ? 'Cancel' : stopping ? 'Stop without a report' : 'Stop'}
        </button>
      </header>
      <main class="running">
        <h1>{progress?.driver ?? name}</h1>
        <p class="unseen" role="status">
          {heard}
        </p>
        {progress === undefined ? (
          <p class="lead">Loading the engine…</p>
        ) : (
          <Figures progress={progress} budget={budget} stopping={stopping} />
        )}
        <div class="columns">
          <section aria-labelledby="phases-title">
            <h2 id="phases-title">Phases</h2>
            <ol class="phases">
              {progress?.done.map((phase) => (
                <li key={phase} class="done">
                  {phase}
                </li>
              ))}
              {progress !== undefined && <li class="now">{progress.phase}</li>}
            </ol>
          </section>
          <section aria-labelledby="so-far-title">
            <h2 id="so-far-title">Found so far</h2>
            {findings.length === 0 && <p class="none">Nothing.</p>}
            <ul class="so-far">
              {findings.map(({ rule, message, count: times }) => (
                <li key={rule}>
                  <code>{rule}</code> <span class="more">in {count(times)}</span>
                  <p>{message}</p>
                </li>
              ))}
            </ul>
          </section>
        </div>
      </main>
    </>
  );
}

function Figures({
  progress: { phase, played, planned, seconds },
  budget,
  stopping,
}: Pick<Props, 'budget' | 'stopping'> & { readonly progress: Progress }) {
  const total = Math.max(Math.min(planned, Math.max(budget, played)), 1);
  const rate = played / Math.max(seconds, 0.001);
  return (
    <>
      <progress max={total} value={Math.min(played, total)} aria-label="Scenarios played of those planned so far" />
      <dl class="figures">
        <div>
          <dt>{stopping ? 'Stopping in' : 'Now'}</dt>
          <dd>{phase}</dd>
        </div>
        <div>
          <dt>Scenarios</dt>
          <dd>
            {count(played)} <span>of {count(total)} planned so far</span>
          </dd>
        </div>
        <div>
          <dt>Rate</dt>
          <dd>
            {count(Math.round(rate))} <span>a second</span>
          </dd>
        </div>
        <div>
          <dt>Time</dt>
          <dd>
            {Math.floor(seconds)} <span>s</span>
          </dd>
        </div>
      </dl>
    </>
  );
}
