/** The result for a person at a terminal: what was played, what is owed, each finding with where it came from. */
import pc from 'picocolors';
import type { CheckResult, MergedFinding } from '../explore/result.ts';
import { trail } from './place.ts';
import type { Reporter } from './reporter.ts';

type Colours = ReturnType<typeof pc.createColors>;

const plural = (n: number, noun: string) => `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`;

function phases({ phases: rows }: CheckResult): string[] {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows.map(({ name, scenarios, events, findings, unsupported, milliseconds, cut }) => {
    const outcome = [
      ...(findings > 0 ? [`${findings} with findings`] : []),
      ...(unsupported > 0 ? [`${unsupported} inconclusive`] : []),
      ...(cut ? ['not played to its end'] : []),
    ];
    const end = outcome.length === 0 ? '' : `   ${outcome.join(', ')}`;
    return `  ${name.padEnd(width)}  ${plural(scenarios, 'scenario').padStart(14)}  ${plural(events, 'event').padStart(14)}  ${Math.round(milliseconds).toLocaleString('en-US').padStart(6)} ms${end}`;
  });
}

function table({ balance }: CheckResult, c: Colours): string[] {
  if (balance.length === 0) return [];
  const width = Math.max(...balance.map(({ type }) => type.length), 'resource'.length);
  const line = (a: string, b: string, d: string, e: string) =>
    `  ${a.padEnd(width)}  ${b.padStart(8)}  ${d.padStart(8)}  ${e.padStart(6)}`;
  return [
    c.dim(line('resource', 'acquired', 'undone', 'owed')),
    ...balance.map(({ type, acquired, undone, owed }) => {
      const row = line(type, String(acquired), String(undone), String(owed));
      return owed > 0 ? c.red(row) : row;
    }),
    '',
  ];
}

/** `first`: no finding of this rule stands above, so that what it means is said once. */
function block(finding: MergedFinding, driverPath: string, first: boolean, c: Colours): string[] {
  const paint = finding.severity === 'error' ? c.red : finding.severity === 'warning' ? c.yellow : c.dim;
  const mark = finding.severity === 'note' ? '·' : '✗';
  const lines = [`${paint(`${mark} ${c.bold(finding.rule)}`)} ${c.dim(finding.severity)}`, `  ${finding.message}`];
  const row = (label: string, text: string) => lines.push(`    ${c.dim(label.padEnd(9))} ${text}`);
  const { resource } = finding;
  if (resource !== undefined && resource.acquired.length > 0) row('acquired', trail(resource.acquired));
  if (finding.stack.length > 0) row('here', trail(finding.stack));
  row('scenario', `${finding.scenario.description}${finding.count > 1 ? ` (and ${finding.count - 1} more)` : ''}`);
  row('replay', `npx haltex replay ${driverPath} ${finding.scenario.token}`);
  if (first) row('explain', `npx haltex explain ${finding.rule}`);
  return [...lines, ''];
}

function coverage({ coverage: { faultPoints, code } }: CheckResult): string[] {
  const { reached, exercised, missed } = faultPoints;
  if (reached === 0) return [];
  const named = missed.slice(0, 5).join('; ');
  const more = missed.length > 5 ? `; and ${missed.length - 5} more` : '';
  return [
    `  fault points: ${exercised} of ${reached} places that can fail were made to fail`,
    ...(missed.length === 0 ? [] : [`    not: ${named}${more}`]),
    ...(code?.routines ?? []).map(
      ({ routine, blocks, ran }) => `  code of ${routine} and what it calls: ${ran} of ${blocks} blocks ran`,
    ),
    '',
  ];
}

const endings = {
  budget: 'the budget ended before the plan; give a larger --budget to go on',
  interrupted: 'interrupted',
  bail: 'stopped at the first finding',
} as const;

function verdict(result: CheckResult, c: Colours): string {
  const { run, clean } = result.scenarios;
  const end = result.ended === undefined ? '' : ` (${endings[result.ended]})`;
  const played = `${plural(run, 'scenario')} played, ${clean} clean${end}`;
  if (result.verdict === 'clean') return c.green(`clean: ${played}`);
  if (result.verdict === 'inconclusive') return c.yellow(`inconclusive: ${played}`);
  const found = result.findings.filter(({ severity }) => severity !== 'note').length;
  return c.red(`${plural(found, 'finding')}: ${played}`);
}

export const pretty: Reporter = (result, { version, driverPath, colour }) => {
  const c = pc.createColors(colour);
  const lines = [
    `${c.bold('haltex')} ${version}  ${c.bold(result.driver)}`,
    '',
    ...phases(result),
    '',
    ...table(result, c),
    ...coverage(result),
    ...result.findings.flatMap((finding, index, all) =>
      block(finding, driverPath, all.findIndex(({ rule }) => rule === finding.rule) === index, c),
    ),
    ...result.reasons.map((reason) => `${c.yellow('?')} ${reason}`),
    ...(result.reasons.length > 0 ? [''] : []),
    verdict(result, c),
  ];
  return `${lines.join('\n')}\n`;
};
