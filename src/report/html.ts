/**
 * One self-contained page: the viewer (built beforehand, handed in by the caller), the result as data, and a plain version of
 * the findings for readers without scripts. Nothing is loaded from anywhere; the page's own policy forbids it.
 */
import { type ReportData, reportData } from './data.ts';
import type { Reporter } from './reporter.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const text = (given: string) => given.replace(/[&<>"']/g, (char) => entities[char] ?? char);

/** JSON inside a script element: no `<`, so nothing in it can end the element or open a comment. */
const inScript = (value: unknown) => JSON.stringify(value).replaceAll('<', '\\u003c');

/** Code inside its element, should a string of it ever name the element's end. */
const code = (source: string, element: string) => source.replaceAll(`</${element}`, `<\\/${element}`);

function plain({ driver, verdict, findings, reasons }: ReportData): string {
  const items = findings.map(
    ({ rule, message, scenario, replay, stacks }) =>
      `<li><strong>${text(rule)}</strong> ${text(message)}${stacks
        .map(({ title, frames }) => `<br>${text(title)}: ${text(frames.map((frame) => frame.text).join(' ← '))}`)
        .join('')}<br>scenario: ${text(scenario)}<br><code>${text(replay)}</code></li>`,
  );
  return `<main><h1>haltex: ${text(driver)}</h1><p>${text(verdict)}</p><ol>${items.join('')}</ol>${reasons
    .map((reason) => `<p>${text(reason)}</p>`)
    .join('')}</main>`;
}

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

export const html: Reporter = (result, context) => {
  const data = reportData(result, context);
  const { script, style } = context.viewer?.() ?? { script: '', style: '' };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>haltex: ${text(result.driver)}: ${text(result.verdict)}</title>
<style>${code(style, 'style')}</style>
</head>
<body>
<div id="haltex">${plain(data)}</div>
<script type="application/json" id="haltex-data">${inScript(data)}</script>
<script>${code(script, 'script')}</script>
</body>
</html>
`;
};
