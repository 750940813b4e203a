/** Before a check: what haltex is, where to drop a driver, the samples. */
import { useId, useRef, useState } from 'preact/hooks';
import { scrolls } from '../viewer/finding.tsx';
import type { Problem } from './app.tsx';
import type { DeviceName } from './messages.ts';
import { type Sample, samples } from './samples.ts';

export interface Options {
  readonly device: DeviceName;
  /** Scenarios at most. */
  readonly budget: number;
}

export const usualOptions: Options = { device: 'default', budget: 2000 };

const devices: readonly (readonly [name: DeviceName, words: string])[] = [
  ['default', 'as the driver and its INF say'],
  ['sample-nic', "haltex' sample NIC"],
  ['generic', "the INF's device, its registers guessed"],
  ['none', 'none: a driver without hardware'],
];

interface Props {
  readonly problem: Problem | undefined;
  readonly options: Options;
  /** Paths of the files that wait for a driver. */
  readonly waiting: readonly string[];
  readonly onOptions: (options: Options) => void;
  readonly onFiles: (files: FileList) => void;
  readonly onSample: (sample: Sample) => void;
}

export function StartView({ problem, options, waiting, onOptions, onFiles, onSample }: Props) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <header class="top-bar">
        <Brand />
      </header>
      <main class="start">
        <h1>Does your miniport unload cleanly?</h1>
        <p class="lead">
          haltex runs an NDIS 6 miniport, the .sys as shipped, on a simulated NDIS and Windows kernel, and proves that{' '}
          <code>MiniportHaltEx</code> undoes everything: in every way to halt, and after every call that can fail has
          failed. Whatever is left behind is shown with the call that acquired it, a picture of the run, and a command
          that replays exactly that run.
        </p>
        {problem !== undefined && <ProblemBox problem={problem} />}
        <section class="drop" aria-labelledby="drop-title">
          <h2 id="drop-title">Drop a driver here</h2>
          <p>
            An x64 <code>.sys</code>, or a miniport in TypeScript. With it, if you have them: its <code>.pdb</code> and
            sources for lines of code, its <code>.inf</code>, a model of its device (<code>.ts</code>), or the whole
            folder.
          </p>
          <input
            ref={input}
            class="unseen"
            type="file"
            multiple
            tabIndex={-1}
            aria-label="Driver and the files that belong to it"
            onChange={({ currentTarget }) => {
              if (currentTarget.files !== null) onFiles(currentTarget.files);
              currentTarget.value = '';
            }}
          />
          <button type="button" class="primary" onClick={() => input.current?.click()}>
            Choose files…
          </button>
          {waiting.length > 0 && (
            <p role="status" class="waiting">
              At hand: {waiting.join(', ')}. Now the driver.
            </p>
          )}
          <p class="private">Nothing leaves this page. The check runs in your browser, also without a network.</p>
        </section>
        <OptionFields options={options} onOptions={onOptions} />
        <Samples onSample={onSample} />
      </main>
    </>
  );
}

export const Brand = () => (
  <div class="brand">
    haltex <span class="version">{HALTEX_VERSION}</span>
  </div>
);

function ProblemBox({ problem: { kind, text } }: { readonly problem: Problem }) {
  return (
    <div role="alert" class={`problem ${kind}`}>
      {kind === 'refused' ? (
        <p>{text}</p>
      ) : (
        <>
          <p>
            A fault of haltex itself, not of the driver. Please report it with these lines (haltex {HALTEX_VERSION}):
          </p>
          <pre {...scrolls}>{text}</pre>
        </>
      )}
    </div>
  );
}

function OptionFields({ options, onOptions }: Pick<Props, 'options' | 'onOptions'>) {
  const [device, budget] = [useId(), useId()];
  return (
    <details class="options">
      <summary>Options</summary>
      <div class="fields">
        <label for={device}>Device the driver finds</label>
        <select
          id={device}
          value={options.device}
          onChange={({ currentTarget }) => onOptions({ ...options, device: currentTarget.value })}
        >
          {devices.map(([name, words]) => (
            <option key={name} value={name}>
              {words}
            </option>
          ))}
        </select>
        <label for={budget}>Scenarios at most</label>
        <input
          id={budget}
          type="number"
          min={1}
          max={1_000_000}
          value={options.budget}
          onChange={({ currentTarget }) => {
            const given = Math.floor(currentTarget.valueAsNumber);
            const usable = given >= 1 ? Math.min(given, 1_000_000) : usualOptions.budget;
            currentTarget.value = String(usable);
            onOptions({ ...options, budget: usable });
          }}
        />
      </div>
    </details>
  );
}

/** The few to begin with. */
const first: readonly (readonly [driver: string, title: string, words: string])[] = [
  [
    'samples/c/broken/halt-leaks-interrupt/halt-leaks-interrupt.sys',
    'A forgotten interrupt',
    'C, with its PDB and sources',
  ],
  ['samples/typescript/broken/init-fail-leaks-memory.ts', 'A failed start that leaks', 'TypeScript'],
  [
    'samples/c/broken/halt-returns-with-timer-callback/halt-returns-with-timer-callback.sys',
    'A timer that outlives halt',
    'C, no PDB: offsets',
  ],
  ['samples/c/nic/nic.sys', 'A driver that keeps the contract', 'C, with its PDB and sources'],
];

function Samples({ onSample }: Pick<Props, 'onSample'>) {
  const select = useId();
  const [chosen, setChosen] = useState(samples.find(({ breaks }) => breaks !== undefined)?.driver ?? '');
  const of = (driver: string) => samples.find((sample) => sample.driver === driver);
  const check = (driver: string) => {
    const sample = of(driver);
    if (sample !== undefined) onSample(sample);
  };
  return (
    <section class="samples" aria-labelledby="samples-title">
      <h2 id="samples-title">Or look at one of ours</h2>
      <ul class="cards">
        {first
          .filter(([driver]) => of(driver) !== undefined)
          .map(([driver, title, words]) => (
            <li key={driver}>
              <button type="button" onClick={() => check(driver)}>
                <strong>{title}</strong>
                <span>{words}</span>
                <code>{driver.split('/').at(-1)}</code>
              </button>
            </li>
          ))}
      </ul>
      <p class="all">
        <label for={select}>Any of {samples.length} samples</label>
        <select id={select} value={chosen} onChange={({ currentTarget }) => setChosen(currentTarget.value)}>
          {(['C', 'TypeScript'] as const).map((language) => (
            <optgroup key={language} label={language}>
              {samples
                .filter((sample) => sample.language === language)
                .map(({ driver, breaks }) => (
                  <option key={driver} value={driver}>
                    {breaks ?? `${driver.split('/').at(-1)}: keeps the contract`}
                  </option>
                ))}
            </optgroup>
          ))}
        </select>
        <button type="button" onClick={() => check(chosen)}>
          Check
        </button>
      </p>
    </section>
  );
}
