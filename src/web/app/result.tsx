/** After a check: the report, as the HTML reporter shows it, and every report as a file. */
import { useState } from 'preact/hooks';
import type { ReportData } from '../../report/data.ts';
import { Report } from '../viewer/report.tsx';
import { Brand } from './start.tsx';

interface Props {
  readonly data: ReportData;
  readonly notices: readonly string[];
  /** Undefined when it could not be made. */
  readonly exported: (reporter: string) => Promise<string | undefined>;
  readonly onAgain: () => void;
}

const files: readonly (readonly [reporter: string, words: string, ending: string, type: string])[] = [
  ['html', 'HTML', '.html', 'text/html'],
  ['sarif', 'SARIF', '.sarif', 'application/sarif+json'],
  ['junit', 'JUnit', '.junit.xml', 'application/xml'],
  ['json', 'JSON', '.json', 'application/json'],
  ['trace', 'Trace', '.trace.json', 'application/json'],
  ['pretty', 'Text', '.txt', 'text/plain'],
];

export function ResultView({ data, notices, exported, onAgain }: Props) {
  const [busy, setBusy] = useState<string | undefined>(undefined);
  const [lost, setLost] = useState(false);
  const name = data.driver.replace(/\.\w+$/, '');
  const download = async (reporter: string, ending: string, type: string) => {
    setBusy(reporter);
    const text = await exported(reporter);
    setBusy(undefined);
    setLost(text === undefined);
    if (text === undefined) return;
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = document.createElement('a');
    link.href = address;
    link.download = `${name}${ending}`;
    link.click();
    // The browser reads it after the click.
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  };
  return (
    <div class="result">
      <section class="top-bar" aria-label="This check">
        <Brand />
        <fieldset class="exports">
          <legend>Save as</legend>
          {files.map(([reporter, words, ending, type]) => (
            <button
              key={reporter}
              type="button"
              disabled={busy === reporter}
              onClick={() => void download(reporter, ending, type)}
            >
              {words}
            </button>
          ))}
        </fieldset>
        <button type="button" class="primary" onClick={onAgain}>
          Check another
        </button>
      </section>
      {lost && (
        <p role="alert" class="problem lost">
          The report could not be written: a part of it could not be loaded. Is the network gone, or the server?
        </p>
      )}
      {notices.length > 0 && (
        <section class="notices" aria-label="About the files given">
          {notices.map((notice) => (
            <p key={notice}>{notice}</p>
          ))}
        </section>
      )}
      <Report data={data} />
    </div>
  );
}
