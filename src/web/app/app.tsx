/** The web app: a driver is given, checked, and reported. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { ReportData } from '../../report/data.ts';
import { Engine } from './engine.ts';
import { chosenFiles, droppedFiles, mayHoldDriver } from './files.ts';
import type { Check, GivenFile, Progress } from './messages.ts';
import { ResultView } from './result.tsx';
import { RunningView } from './running.tsx';
import { filesOf, type Sample } from './samples.ts';
import { type Options, StartView, usualOptions } from './start.tsx';

type Stage =
  | { readonly at: 'start'; readonly problem?: Problem | undefined }
  | { readonly at: 'running'; readonly name: string; readonly progress?: Progress; readonly stopping: boolean }
  | { readonly at: 'result'; readonly data: ReportData; readonly notices: readonly string[] };

export interface Problem {
  /** `refused`: the files; `fault`: haltex. */
  readonly kind: 'refused' | 'fault';
  readonly text: string;
}

export function App() {
  const [stage, setStage] = useState<Stage>({ at: 'start' });
  const [options, setOptions] = useState(usualOptions);
  /** Given without a driver: they wait for one. */
  const [waiting, setWaiting] = useState<readonly GivenFile[]>([]);
  const [over, setOver] = useState(false);
  const engine = useRef<Engine | undefined>(undefined);
  const top = useRef<HTMLDivElement>(null);
  /** The last check's files: a PDB that is dropped later joins them. */
  const before = useRef<readonly GivenFile[]>([]);

  const end = useCallback(() => {
    engine.current?.close();
    engine.current = undefined;
  }, []);

  const run = (check: Check, name: string) => {
    end();
    setWaiting([]);
    before.current = check.files;
    setStage({ at: 'running', name, stopping: false });
    const stop = (problem: Problem) => {
      end();
      setStage({ at: 'start', problem });
    };
    engine.current = new Engine(check, {
      onProgress: (progress) => setStage((now) => (now.at === 'running' ? { ...now, progress } : now)),
      onResult: (data, notices) => setStage({ at: 'result', data, notices }),
      onRefused: (text) => stop({ kind: 'refused', text }),
      onFault: (text) => stop({ kind: 'fault', text }),
    });
  };

  const take = async (coming: Promise<GivenFile[]>, { device, budget }: Options) => {
    try {
      const given = await coming;
      if (given.length === 0) return;
      const late = stage.at === 'result' && !mayHoldDriver(given) ? before.current : [];
      const files = [...late, ...waiting, ...given];
      if (!mayHoldDriver(files)) {
        setWaiting(files);
        setStage({ at: 'start' });
      } else run({ files, device, budget }, given.map(({ path }) => path).join(', '));
    } catch (error) {
      setStage({ at: 'start', problem: { kind: 'refused', text: (error as Error).message } });
    }
  };
  const takeSample = async (sample: Sample) => {
    const { budget } = options;
    try {
      run({ ...(await filesOf(sample)), device: 'default', budget }, sample.driver);
    } catch {
      const text = `${sample.driver}: the sample could not be loaded. Is the network gone, or the server?`;
      setStage({ at: 'start', problem: { kind: 'refused', text } });
    }
  };

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer !== null) void take(droppedFiles(event.dataTransfer), options);
  };
  const drag = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    setOver(true);
  };
  // The whole page takes what is dropped, so that no browser ever opens a driver instead.
  useEffect(() => {
    const out = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    addEventListener('drop', drop);
    addEventListener('dragover', drag);
    addEventListener('dragleave', out);
    return () => {
      removeEventListener('drop', drop);
      removeEventListener('dragover', drag);
      removeEventListener('dragleave', out);
    };
  });
  // Each stage is a page of its own: it is read from its beginning.
  useEffect(() => {
    document.title = titleOf(stage);
    if (stage.at === 'start' && stage.problem === undefined) return;
    top.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [stage.at]);

  return (
    <div class={`app ${over ? 'over' : ''}`} ref={top} tabIndex={-1}>
      {stage.at === 'start' && (
        <StartView
          problem={stage.problem}
          options={options}
          waiting={waiting.map(({ path }) => path)}
          onOptions={setOptions}
          onFiles={(files) => void take(chosenFiles(files), options)}
          onSample={(sample) => void takeSample(sample)}
        />
      )}
      {stage.at === 'running' && (
        <RunningView
          name={stage.name}
          progress={stage.progress}
          budget={options.budget}
          stopping={stage.stopping}
          onStop={() => {
            // A second time: at once, and with nothing to show.
            if (stage.stopping || stage.progress === undefined) {
              end();
              setStage({ at: 'start' });
            } else {
              engine.current?.stop();
              setStage({ ...stage, stopping: true });
            }
          }}
        />
      )}
      {stage.at === 'result' && (
        <ResultView
          data={stage.data}
          notices={stage.notices}
          exported={(reporter) => engine.current?.export(reporter) ?? Promise.resolve(undefined)}
          onAgain={() => {
            end();
            setStage({ at: 'start' });
          }}
        />
      )}
      {over && <div class="drop-here">Drop to check</div>}
    </div>
  );
}

function titleOf(stage: Stage): string {
  if (stage.at === 'running') return `${stage.name}: checking · haltex`;
  if (stage.at === 'result') return `${stage.data.driver}: ${stage.data.verdict} · haltex`;
  return 'haltex: does a miniport unload cleanly?';
}
