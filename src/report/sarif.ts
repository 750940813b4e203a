/** SARIF 2.1.0: one run a file, every rule with its help, a result a finding. For code scanning, editors and dashboards. */
import type {
  CodeFlow,
  Location,
  Log,
  Notification,
  PhysicalLocation,
  ReportingDescriptor,
  Result,
  Stack as SarifStack,
  StackFrame,
  ThreadFlowLocation,
} from 'sarif';
import { pageUrl } from '../contract/pages.ts';
import { explanationOf } from '../contract/reference/reference.ts';
import { catalogue } from '../contract/rules.ts';
import type { CheckResult, MergedFinding } from '../explore/result.ts';
import type { Frame, Stack, TraceEvent } from '../trace/events.ts';
import { hash, identities } from './identity.ts';
import { baseName, ownFrame, placeOf, type SourceLine } from './place.ts';
import type { ReportContext, Reporter } from './reporter.ts';
import { type Step, stepsOf } from './steps.ts';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/** In messages of SARIF, braces are placeholders and `[a](b)` is a link. */
const literal = (text: string) => text.replace(/[{}]/g, '$&$&').replace(/\[(?=[^\]]*\]\()/g, '\\[');
const message = (text: string) => ({ text: literal(text) });

function ruleOf({ id, severity, title, sources }: ReturnType<typeof catalogue>[number]): ReportingDescriptor {
  const pages = sources.flatMap((source) => pageUrl(source) ?? []);
  const links = pages.map((page) => `- [${page.split('/').at(-1)}](${page})`).join('\n');
  const why = explanationOf(id)?.why ?? title;
  return {
    id,
    shortDescription: message(title),
    fullDescription: message(why),
    defaultConfiguration: { level: severity },
    ...(pages[0] === undefined ? {} : { helpUri: pages[0] }),
    help: { text: `${why}\n${pages.join('\n')}`, markdown: `${why}\n\n${links}` },
    properties: { tags: ['ndis', 'windows-driver'], sources },
  };
}

/** A path of either system as a URI reference; relative ones stay relative. */
function uriOf(path: string): string {
  const slashes = path.replaceAll('\\', '/').replace(/^\.\//, '');
  const escaped = slashes.split('/').map(encodeURIComponent).join('/');
  if (/^[A-Za-z]:\//.test(slashes)) return `file:///${escaped.replace('%3A', ':')}`;
  return slashes.startsWith('/') ? `file://${escaped}` : escaped;
}

/** Turns frames into locations: a line of source where symbols give one, else the driver's file with the offset. */
class Places {
  private readonly driver: string;
  private readonly driverPath: string;

  constructor(driver: string, driverPath: string) {
    this.driver = driver;
    this.driverPath = driverPath;
  }

  private pathOf({ file }: SourceLine): string {
    return file === baseName(this.driverPath) ? this.driverPath : file;
  }

  physical(frame: Frame): PhysicalLocation {
    const { source, text } = placeOf(frame);
    if (source !== undefined) {
      return { artifactLocation: { uri: uriOf(this.pathOf(source)) }, region: { startLine: source.line } };
    }
    const uri = uriOf(frame.module === this.driver ? this.driverPath : frame.module);
    return {
      artifactLocation: { uri },
      address: {
        relativeAddress: frame.offset,
        offsetFromParent: frame.offset,
        kind: 'instruction',
        fullyQualifiedName: text,
      },
    };
  }

  location(frame: Frame, text?: string): Location {
    const place = placeOf(frame);
    return {
      ...(place.own ? { physicalLocation: this.physical(frame) } : {}),
      logicalLocations: [{ fullyQualifiedName: place.text, kind: 'function' }],
      ...(text === undefined ? {} : { message: message(text) }),
    };
  }

  /** The driver as a whole. */
  whole(): Location {
    return { physicalLocation: { artifactLocation: { uri: uriOf(this.driverPath) } } };
  }

  stack(stack: Stack, text: string): SarifStack {
    return {
      message: message(text),
      frames: stack.map((frame): StackFrame => ({ location: this.location(frame), module: frame.module })),
    };
  }
}

/** One thread flow for each context of the scenario, in one order of execution. */
function codeFlow(steps: readonly Step[], description: string, places: Places): CodeFlow {
  const contexts = new Map<string, ThreadFlowLocation[]>();
  for (const [index, { event, text, stack, essential }] of steps.entries()) {
    const context = `cpu${event.processor} ${event.context}`;
    const frame = ownFrame(stack);
    const location: Location = frame === undefined ? { message: message(text) } : places.location(frame, text);
    contexts.set(context, [
      ...(contexts.get(context) ?? []),
      {
        location,
        executionOrder: index + 1,
        importance: essential ? 'essential' : 'important',
        ...(stack.length === 0 ? {} : { stack: places.stack(stack, text) }),
      },
    ]);
  }
  return {
    message: message(description),
    threadFlows: [...contexts].map(([id, locations]) => ({ id, message: message(id), locations })),
  };
}

function resultOf(
  finding: MergedFinding,
  identity: string,
  ruleIndex: number,
  events: readonly TraceEvent[] | undefined,
  places: Places,
): Result {
  const { rule, severity, resource, stack, scenario, count, faultPoints } = finding;
  const acquired = resource?.acquired ?? [];
  const here = ownFrame(stack) ?? ownFrame(acquired);
  const acquiredAt = ownFrame(acquired);
  const steps = events === undefined ? [] : stepsOf(finding, events);
  const stacks = [
    ...(acquired.length > 0 ? [places.stack(acquired, 'acquired')] : []),
    ...(stack.length > 0 ? [places.stack(stack, 'here')] : []),
  ];
  const fingerprint = hash(identity);
  return {
    ruleId: rule,
    ...(ruleIndex < 0 ? {} : { ruleIndex }),
    level: severity,
    message: message(finding.message),
    locations: [here === undefined ? places.whole() : places.location(here)],
    ...(acquiredAt === undefined || acquiredAt === here
      ? {}
      : { relatedLocations: [{ id: 1, ...places.location(acquiredAt, 'acquired here') }] }),
    ...(stacks.length === 0 ? {} : { stacks }),
    ...(steps.length === 0 ? {} : { codeFlows: [codeFlow(steps, scenario.description, places)] }),
    // GitHub compares the first, other readers what they find; both outlive a rebuild.
    partialFingerprints: { primaryLocationLineHash: `${fingerprint}:1`, 'haltexFinding/v1': identity },
    occurrenceCount: count,
    properties: { scenario: scenario.description, token: scenario.token, faultPoints },
  };
}

const UNSUPPORTED = 'unsupported';

function notifications({ unsupported, reasons }: CheckResult): Notification[] {
  const named = unsupported.map(
    ({ function: name, text, count }): Notification => ({
      descriptor: { id: UNSUPPORTED, index: 0 },
      level: 'warning',
      message: message(`${text} (${count} ${count === 1 ? 'scenario' : 'scenarios'}).`),
      properties: { function: name, count },
    }),
  );
  // Reasons beside what is not modelled: nothing was initialized, nothing ran.
  const told = reasons.filter((reason) => !unsupported.some(({ text }) => reason.includes(text)));
  return [...named, ...told.map((reason): Notification => ({ level: 'warning', message: message(reason) }))];
}

function logOf(result: CheckResult, { version, driverPath }: ReportContext): Log {
  const rules = catalogue();
  const places = new Places(result.driver, driverPath);
  const names = identities(result.findings);
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'haltex',
            semanticVersion: version,
            rules: rules.map(ruleOf),
            notifications: [
              { id: UNSUPPORTED, shortDescription: message('The driver needs something haltex does not model.') },
            ],
          },
        },
        artifacts: [{ location: { uri: uriOf(driverPath) }, roles: ['analysisTarget'] }],
        invocations: [{ executionSuccessful: true, toolExecutionNotifications: notifications(result) }],
        results: result.findings.map((finding, index) =>
          resultOf(
            finding,
            names[index] ?? finding.rule,
            rules.findIndex(({ id }) => id === finding.rule),
            result.traces.find(({ findings }) => findings.includes(index))?.events,
            places,
          ),
        ),
        columnKind: 'utf16CodeUnits',
        properties: { verdict: result.verdict, scenarios: result.scenarios },
      },
    ],
  };
}

export const sarif: Reporter = (result, context) => `${JSON.stringify(logOf(result, context), null, 2)}\n`;
