/**
 * What the HTML report carries and the viewer shows: the result as plain data, with every frame already in words and every
 * rule with its title and pages, so that the viewer knows nothing of drivers.
 */
import { pageUrl } from '../contract/pages.ts';
import type { Severity } from '../contract/rule.ts';
import { catalogue } from '../contract/rules.ts';
import type { CheckResult, KeptTrace, MergedFinding } from '../explore/result.ts';
import type { Stack } from '../trace/events.ts';
import { type PackedEvents, pack } from './pack.ts';
import { placeOf, type SourceLine } from './place.ts';
import type { ReportContext } from './reporter.ts';
import { type Story, storyOf } from './story.ts';

export interface ShownFrame {
  readonly text: string;
  /** In the driver's own code. */
  readonly own: boolean;
  readonly source?: SourceLine & {
    /** The lines around it and the number of the first, where the file was found. */
    readonly excerpt?: { readonly first: number; readonly lines: readonly string[] };
  };
}

export interface ShownFinding {
  readonly rule: string;
  /** What the rule says in one line. */
  readonly title: string;
  readonly pages: readonly string[];
  readonly severity: Severity;
  readonly message: string;
  readonly stacks: readonly { readonly title: string; readonly frames: readonly ShownFrame[] }[];
  readonly scenario: string;
  /** How many scenarios show it. */
  readonly count: number;
  readonly faultPoints: readonly string[];
  /** The command that plays it again. */
  readonly replay: string;
  /** Index of its scenario in `traces`; undefined when it was not kept. */
  readonly trace?: number;
  /** The event it shows at, and the resource it is about, in that trace. */
  readonly seq: number;
  readonly resource?: { readonly type: string; readonly key: string };
  /** Of a race: who ran where, and why another went on. */
  readonly story?: Story;
}

export interface ShownTrace {
  readonly description: string;
  readonly replay: string;
  /** Indexes of the findings it is the witness of. */
  readonly findings: readonly number[];
  readonly length: number;
  /** Left out when the report would grow past its limit. */
  readonly packed?: PackedEvents;
}

export interface ReportData
  extends Pick<
    CheckResult,
    'driver' | 'verdict' | 'reasons' | 'scenarios' | 'ended' | 'phases' | 'balance' | 'unsupported'
  > {
  readonly version: string;
  readonly findings: readonly ShownFinding[];
  readonly coverage: CheckResult['coverage'];
  readonly traces: readonly ShownTrace[];
}

/** Characters of packed traces a report may carry; with the viewer it stays under two megabytes. */
const ROOM = 1_700_000;
/** Rows of a story that anyone would read. */
const LONGEST = 400;
/** Lines of source around the one a frame names. */
const AROUND = 3;

type Source = NonNullable<ReportContext['source']>;

function framesOf(stack: Stack, source: Source): ShownFrame[] {
  return stack.map((frame) => {
    const { text, own, source: at } = placeOf(frame);
    if (at === undefined) return { text, own };
    const lines = source(at.file)?.split(/\r?\n/);
    if (lines === undefined || at.line > lines.length) return { text, own, source: at };
    const first = Math.max(1, at.line - AROUND);
    return { text, own, source: { ...at, excerpt: { first, lines: lines.slice(first - 1, at.line + AROUND) } } };
  });
}

function findingOf(
  finding: MergedFinding,
  index: number,
  traces: readonly KeptTrace[],
  replayOf: (token: string) => string,
  source: Source,
): ShownFinding {
  const { rule, severity, message, resource, stack, scenario, count, faultPoints, seq } = finding;
  const known = catalogue().find(({ id }) => id === rule);
  const trace = traces.findIndex(({ findings }) => findings.includes(index));
  const { events = [], turns } = traces[trace] ?? {};
  const story = turns === undefined ? undefined : storyOf(events, turns, { findings: [{ seq, text: rule }] });
  const stacks = [
    { title: 'acquired', frames: framesOf(resource?.acquired ?? [], source) },
    { title: 'here', frames: framesOf(stack, source) },
  ];
  return {
    rule,
    title: known?.title ?? rule,
    pages: (known?.sources ?? []).flatMap((page) => pageUrl(page) ?? []),
    severity,
    message,
    stacks: stacks.filter(({ frames }) => frames.length > 0),
    scenario: scenario.description,
    count,
    faultPoints,
    replay: replayOf(scenario.token),
    ...(trace < 0 ? {} : { trace }),
    seq,
    ...(resource === undefined ? {} : { resource: { type: resource.type, key: resource.key } }),
    ...(story === undefined || story.rows.length > LONGEST ? {} : { story }),
  };
}

/** The traces that fit, in order; the others keep their description and the command that plays them again. */
function tracesOf(traces: readonly KeptTrace[], replayOf: (token: string) => string): ShownTrace[] {
  let room = ROOM;
  return traces.map(({ description, token, findings, events }) => {
    const packed = pack(events);
    const size = JSON.stringify(packed).length;
    const fits = size <= room;
    if (fits) room -= size;
    return { description, replay: replayOf(token), findings, length: events.length, ...(fits ? { packed } : {}) };
  });
}

export function reportData(
  result: CheckResult,
  { version, driverPath, source = () => undefined }: ReportContext,
): ReportData {
  const replayOf = (token: string) => `npx haltex replay ${driverPath} ${token}`;
  const { driver, verdict, reasons, scenarios, ended, phases, balance, unsupported, coverage } = result;
  return {
    version,
    driver,
    verdict,
    reasons,
    scenarios,
    ...(ended === undefined ? {} : { ended }),
    phases,
    balance,
    unsupported,
    coverage,
    findings: result.findings.map((finding, index) => findingOf(finding, index, result.traces, replayOf, source)),
    traces: tracesOf(result.traces, replayOf),
  };
}
