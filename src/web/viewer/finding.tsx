/** One finding: the rule, the sentence, both stacks with their source, the scenario, the command that plays it again. */
import { useState } from 'preact/hooks';
import type { ShownFinding, ShownFrame } from '../../report/data.ts';
import type { Story } from '../../report/story.ts';

/** For what scrolls: the keyboard must reach it to scroll it. */
export const scrolls = { tabIndex: 0 } as const;

const titles: Readonly<Record<string, string>> = { acquired: 'Acquired', here: 'Where it goes wrong' };

export function FindingCard({
  finding,
  number,
  onOpen,
}: {
  readonly finding: ShownFinding;
  readonly number: number;
  readonly onOpen: () => void;
}) {
  const { rule, title, severity, message, stacks, scenario, count, faultPoints, replay, pages, trace, story } = finding;
  return (
    <article class={`finding ${severity}`} aria-labelledby={`finding-${number}`}>
      <h3 id={`finding-${number}`}>
        <span class={`pill ${severity}`}>{severity}</span> <code>{rule}</code>
      </h3>
      <p class="message">{message}</p>
      <p class="rule-title">
        {title}{' '}
        {pages.map((page) => (
          <a key={page} href={page} rel="noreferrer">
            {page.split('/').at(-1)}
          </a>
        ))}
      </p>
      {stacks.length > 0 && (
        <div class="stacks">
          {stacks.map((stack) => (
            <StackView key={stack.title} title={titles[stack.title] ?? stack.title} frames={stack.frames} />
          ))}
        </div>
      )}
      <dl class="how">
        <dt>Scenario</dt>
        <dd>
          {scenario}
          {count > 1 && <span class="more"> and {(count - 1).toLocaleString('en-US')} more</span>}
          {faultPoints.length > 0 && (
            <details>
              <summary>
                {faultPoints.length === 1
                  ? 'One failing call shows it'
                  : `Each of ${faultPoints.length} failing calls shows it`}
              </summary>
              <ul class="points" {...scrolls}>
                {faultPoints.map((point) => (
                  <li key={point}>{point}</li>
                ))}
              </ul>
            </details>
          )}
        </dd>
        <dt>Replay</dt>
        <dd>
          <Command text={replay} />
        </dd>
      </dl>
      {story !== undefined && <StoryView story={story} />}
      {trace !== undefined && (
        <button type="button" class="primary" onClick={onOpen}>
          Show in the unload picture
        </button>
      )}
    </article>
  );
}

/** Who ran where, in two columns. */
function StoryView({ story: { halting, rows } }: { readonly story: Story }) {
  return (
    <details class="story" open>
      <summary>The race, step by step</summary>
      <section {...scrolls} aria-label="The race, step by step">
        <table>
          <thead>
            <tr>
              <th scope="col">{halting}</th>
              <th scope="col" class="right">
                What runs beside it
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ kind, side, text, place, at }, index) =>
              side === 'across' ? (
                <tr key={index} class={`row-${kind}`}>
                  <td colSpan={2}>
                    {text}
                    {kind === 'turn' && <span class="at"> {at.toLocaleString('en-US')} ms</span>}
                  </td>
                </tr>
              ) : (
                <tr key={index} class={`row-${kind}`}>
                  {side === 'beside' && <td />}
                  <td class={side === 'beside' ? 'right' : undefined}>
                    <code>{text}</code>
                    {place !== undefined && <span class="place">{place}</span>}
                  </td>
                  {side === 'halt' && <td class="right" />}
                </tr>
              ),
            )}
          </tbody>
        </table>
      </section>
    </details>
  );
}

function StackView({ title, frames }: { readonly title: string; readonly frames: readonly ShownFrame[] }) {
  const first = frames.findIndex(({ source }) => source?.excerpt !== undefined);
  return (
    <section class="stack" aria-label={`Stack: ${title}`}>
      <h4>{title}</h4>
      <ol>
        {frames.map((frame, index) => (
          <li key={index} class={frame.own ? 'own' : 'outside'}>
            {frame.source?.excerpt === undefined ? (
              <code>{frame.text}</code>
            ) : (
              <details open={index === first}>
                <summary>
                  <code>{frame.text}</code>
                </summary>
                <Excerpt frame={frame} />
              </details>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

export function Excerpt({ frame: { source, text } }: { readonly frame: ShownFrame }) {
  if (source?.excerpt === undefined) return null;
  const { first, lines } = source.excerpt;
  return (
    <section class="source" {...scrolls} aria-label={`Source at ${text}`}>
      <pre>
        {lines.map((line, index) => (
          <span key={index} class={first + index === source.line ? 'here' : undefined}>
            <span class="number">{first + index}</span>
            {line}
            {'\n'}
          </span>
        ))}
      </pre>
    </section>
  );
}

/** A command with a button that copies it. */
export function Command({ text }: { readonly text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2000);
    } catch {
      // A page opened from disk may have no clipboard; the text is there to select.
    }
  };
  return (
    <span class="command">
      <code>{text}</code>
      <button type="button" onClick={copy}>
        {copied ? 'Copied' : 'Copy'}
      </button>
      <span role="status" class="unseen">
        {copied ? 'Copied to the clipboard' : ''}
      </span>
    </span>
  );
}
