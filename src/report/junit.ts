/**
 * JUnit's XML, as CI servers read it. Two suites: what was played, a test case a phase, and what the driver owes, a failing
 * test case a finding. What makes a check inconclusive is an error, so that it is never shown as a pass.
 */
import { type CheckResult, counts, type MergedFinding } from '../explore/result.ts';
import type { Stack } from '../trace/events.ts';
import { identities } from './identity.ts';
import { placeOf } from './place.ts';
import type { Reporter } from './reporter.ts';

/** Characters XML 1.0 has no way to write, lone surrogates among them. */
const UNWRITABLE = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
const xml = (text: string) => text.replace(UNWRITABLE, '\ufffd').replace(/[&<>"']/g, (char) => entities[char] ?? char);
/** Line ends in attributes would be read as blanks. */
const attribute = (text: string) => xml(text).replaceAll('\n', '&#10;').replaceAll('\t', '&#9;');

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(3);

interface Case {
  readonly classname: string;
  readonly name: string;
  readonly milliseconds?: number;
  readonly outcome?: {
    readonly kind: 'failure' | 'error' | 'skipped';
    readonly message: string;
    readonly type?: string;
    readonly text?: string;
  };
  readonly output?: string;
}

function caseXml({ classname, name, milliseconds = 0, outcome, output }: Case): string {
  const open = `    <testcase classname="${attribute(classname)}" name="${attribute(name)}" time="${seconds(milliseconds)}"`;
  const inner: string[] = [];
  if (outcome !== undefined) {
    const type = outcome.type === undefined ? '' : ` type="${attribute(outcome.type)}"`;
    inner.push(
      `      <${outcome.kind} message="${attribute(outcome.message)}"${type}>${xml(outcome.text ?? '')}</${outcome.kind}>`,
    );
  }
  if (output !== undefined) inner.push(`      <system-out>${xml(output)}</system-out>`);
  return inner.length === 0 ? `${open}/>` : `${open}>\n${inner.join('\n')}\n    </testcase>`;
}

const count = (cases: readonly Case[], kind: string) => cases.filter(({ outcome }) => outcome?.kind === kind).length;
const tally = (cases: readonly Case[]) =>
  `tests="${cases.length}" failures="${count(cases, 'failure')}" errors="${count(cases, 'error')}" skipped="${count(cases, 'skipped')}"`;

function suiteXml(name: string, cases: readonly Case[]): string {
  const time = cases.reduce((sum, { milliseconds = 0 }) => sum + milliseconds, 0);
  return `  <testsuite name="${attribute(name)}" ${tally(cases)} time="${seconds(time)}">\n${cases.map(caseXml).join('\n')}\n  </testsuite>`;
}

const frames = (title: string, stack: Stack) =>
  stack.length === 0 ? [] : [`${title}:`, ...stack.map((frame) => `  at ${placeOf(frame).text}`)];

const SHOWN = 10;
const firstOf = (lines: readonly string[]) =>
  lines.length <= SHOWN ? lines : [...lines.slice(0, SHOWN), `… and ${lines.length - SHOWN} more`];

function details(
  { message, resource, stack, scenario, count: shown, faultPoints }: MergedFinding,
  driverPath: string,
): string {
  return [
    message,
    ...frames('acquired', resource?.acquired ?? []),
    ...frames('here', stack),
    `scenario: ${scenario.description}${shown > 1 ? ` (and ${shown - 1} more)` : ''}`,
    ...(faultPoints.length === 0 ? [] : ['shown by each of:', ...firstOf(faultPoints).map((point) => `  ${point}`)]),
    `replay: npx haltex replay ${driverPath} ${scenario.token}`,
  ].join('\n');
}

function findingCase(finding: MergedFinding, identity: string, driverPath: string, driver: string): Case {
  const text = details(finding, driverPath);
  const base = { classname: `${driver}.${finding.rule}`, name: identity };
  // A note is told, and does not fail a build.
  if (!counts(finding)) return { ...base, output: `note: ${text}` };
  return { ...base, outcome: { kind: 'failure', type: finding.rule, message: finding.message, text } };
}

const ends: Readonly<Record<NonNullable<CheckResult['ended']>, string>> = {
  budget: 'the budget was used up',
  interrupted: 'the check was interrupted',
  bail: 'the check stopped at the first finding',
};

function phaseCases({ driver, phases, ended }: CheckResult): Case[] {
  return phases.map(({ name, scenarios, milliseconds, findings, unsupported, cut }) => ({
    classname: `${driver}.scenarios`,
    name,
    milliseconds,
    ...(cut ? { outcome: { kind: 'skipped', message: `Cut short: ${ends[ended ?? 'budget']}.` } } : {}),
    output: `${scenarios} scenarios, ${findings} with findings, ${unsupported} inconclusive`,
  }));
}

function reasonCases({ driver, reasons }: CheckResult): Case[] {
  return reasons.map((reason, index) => ({
    classname: `${driver}.inconclusive`,
    name: `inconclusive #${index + 1}`,
    outcome: { kind: 'error', type: 'inconclusive', message: reason },
  }));
}

export const junit: Reporter = (result, { driverPath }) => {
  const { driver, findings } = result;
  const names = identities(findings);
  const played = [...phaseCases(result), ...reasonCases(result)];
  const owed = findings.map((finding, index) => findingCase(finding, names[index] ?? finding.rule, driverPath, driver));
  if (result.verdict === 'clean') owed.push({ classname: `${driver}.contract`, name: 'the contract is kept' });
  const all = [...played, ...owed];
  const time = all.reduce((sum, { milliseconds = 0 }) => sum + milliseconds, 0);
  const suites = [suiteXml(`${driver}: scenarios`, played), suiteXml(`${driver}: contract`, owed)];
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="haltex" ${tally(all)} time="${seconds(time)}">\n${suites.join('\n')}\n</testsuites>\n`;
};
