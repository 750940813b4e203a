/** Annotations of GitHub Actions: a line of a workflow command for each finding, shown at the source line in the pull request. */
import { counts, type MergedFinding } from '../explore/result.ts';
import { baseName, ownFrame, placeOf } from './place.ts';
import type { Reporter } from './reporter.ts';

/** What the runner would read as the end of the command. */
const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

function annotation(finding: MergedFinding, driverPath: string): string {
  const { rule, severity, message, resource, stack, scenario } = finding;
  const frame = ownFrame(stack) ?? ownFrame(resource?.acquired ?? []);
  const source = frame === undefined ? undefined : placeOf(frame).source;
  const file = source === undefined || source.file === baseName(driverPath) ? driverPath : source.file;
  const properties = [
    `title=${property(`haltex: ${rule}`)}`,
    `file=${property(file.replaceAll('\\', '/'))}`,
    ...(source === undefined ? [] : [`line=${source.line}`]),
  ];
  const replay = `scenario: ${scenario.description}\nreplay: npx haltex replay ${driverPath} ${scenario.token}`;
  const level = severity === 'note' ? 'notice' : severity;
  return `::${level} ${properties.join(',')}::${data(`${message}\n${replay}`)}`;
}

export const github: Reporter = ({ findings, verdict, reasons, driver }, { driverPath }) => {
  // The runner shows ten of a kind and step: what counts comes first.
  const ordered = findings.toSorted((a, b) => Number(counts(b)) - Number(counts(a)));
  const lines = ordered.map((finding) => annotation(finding, driverPath));
  if (verdict === 'inconclusive') {
    lines.push(
      ...reasons.map((reason) => `::warning title=${property(`haltex: ${driver} is inconclusive`)}::${data(reason)}`),
    );
  }
  return lines.map((line) => `${line}\n`).join('');
};
