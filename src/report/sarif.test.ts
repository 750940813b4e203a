import { Ajv } from 'ajv';
import type { Log } from 'sarif';
import { expect, it } from 'vitest';
import { catalogue } from '../contract/rules.ts';
import { sarif } from './sarif.ts';
import { context, HOSTILE, result } from './testing.ts';

/** What SARIF 2.1.0 allows of the objects haltex writes; the whole schema says the same and much more. */
const object = (properties: object, ...required: string[]) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties: { ...properties, properties: { type: 'object' } },
});
const text = { type: 'string' };
const integer = { type: 'integer' };
const list = (items: object, minItems = 0) => ({ type: 'array', items, minItems });
const ref = (name: string) => ({ $ref: `#/$defs/${name}` });
const uri = { type: 'string', pattern: '^([a-z]+://)?[A-Za-z0-9._~%/:!$&()*+,;=@-]*$' };
const level = { enum: ['none', 'note', 'warning', 'error'] };
const message = object({ text, markdown: text }, 'text');
const schema = {
  ...object({ $schema: uri, version: { const: '2.1.0' }, runs: list(ref('run'), 1) }, 'version', 'runs'),
  $defs: {
    artifact: object({ uri }, 'uri'),
    rule: object(
      {
        id: text,
        shortDescription: message,
        fullDescription: message,
        defaultConfiguration: object({ level }),
        helpUri: uri,
        help: message,
      },
      'id',
    ),
    location: object({
      id: { type: 'integer', minimum: -1 },
      physicalLocation: object({
        artifactLocation: ref('artifact'),
        region: object({ startLine: { type: 'integer', minimum: 1 } }),
        address: object({ relativeAddress: integer, offsetFromParent: integer, kind: text, fullyQualifiedName: text }),
      }),
      logicalLocations: list(object({ fullyQualifiedName: text, kind: text })),
      message,
    }),
    stack: object({ message, frames: list(object({ location: ref('location'), module: text })) }, 'frames'),
    threadFlow: object(
      {
        id: text,
        message,
        locations: list(
          object({
            location: ref('location'),
            stack: ref('stack'),
            executionOrder: { type: 'integer', minimum: -1 },
            importance: { enum: ['important', 'essential', 'unimportant'] },
          }),
          1,
        ),
      },
      'locations',
    ),
    result: object(
      {
        ruleId: text,
        ruleIndex: { type: 'integer', minimum: -1 },
        level,
        message,
        locations: list(ref('location')),
        relatedLocations: list(ref('location')),
        stacks: list(ref('stack')),
        codeFlows: list(object({ message, threadFlows: list(ref('threadFlow'), 1) }, 'threadFlows')),
        partialFingerprints: { type: 'object', additionalProperties: text },
        occurrenceCount: { type: 'integer', minimum: 1 },
      },
      'message',
    ),
    notification: object({ descriptor: object({ id: text, index: integer }), level, message }, 'message'),
    run: object(
      {
        tool: object(
          {
            driver: object(
              { name: text, semanticVersion: text, rules: list(ref('rule')), notifications: list(ref('rule')) },
              'name',
            ),
          },
          'driver',
        ),
        artifacts: list(object({ location: ref('artifact'), roles: list({ enum: ['analysisTarget'] }) })),
        invocations: list(
          object(
            { executionSuccessful: { type: 'boolean' }, toolExecutionNotifications: list(ref('notification')) },
            'executionSuccessful',
          ),
        ),
        results: list(ref('result')),
        columnKind: { enum: ['utf16CodeUnits', 'unicodeCodePoints'] },
      },
      'tool',
    ),
  },
};

const log = (given = result): Log => JSON.parse(sarif(given, context)) as Log;
const run = (given = result) => log(given).runs[0] as Log['runs'][number];

it('keeps to SARIF 2.1.0', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  expect(validate(log()), JSON.stringify(validate.errors, null, 1)).toBe(true);
});

it('has every rule with its help and page, and each result points at its rule', () => {
  const { tool, results = [] } = run();
  const rules = tool.driver.rules ?? [];
  expect(rules.map(({ id }) => id)).toEqual(catalogue().map(({ id }) => id));
  for (const { helpUri, help } of rules) {
    expect(helpUri).toMatch(/^https:\/\/learn\.microsoft\.com\//);
    expect(help?.markdown).toContain(helpUri);
  }
  expect(rules.find(({ id }) => id === 'halt-leaks-interrupt')?.help?.text).toMatch(/service routine stays connected/);
  for (const { ruleId, ruleIndex } of results) expect(rules[ruleIndex ?? -1]?.id).toBe(ruleId);
});

it('places a finding in its source line, or at its offset in the driver', () => {
  const [leak, note] = run().results ?? [];
  expect(leak?.locations?.[0]?.physicalLocation).toEqual({
    artifactLocation: { uri: 'path/nic.sys' },
    address: {
      relativeAddress: 0x2480,
      offsetFromParent: 0x2480,
      kind: 'instruction',
      fullyQualifiedName: 'nic.sys+0x2480',
    },
  });
  expect(note?.locations?.[0]?.physicalLocation).toEqual({
    artifactLocation: { uri: 'src/nic/halt.c' },
    region: { startLine: 3 },
  });
});

it('tells the scenario as a code flow, what matters marked', () => {
  const flows = run().results?.[0]?.codeFlows?.[0]?.threadFlows ?? [];
  const steps = flows.flatMap(({ locations }) => locations);
  expect(steps.map(({ location }) => location?.message?.text)).toEqual([
    'NDIS calls DriverEntry',
    'DriverEntry returns 0x0',
    'the adapter goes from Halted to Initializing',
    'NDIS calls MiniportInitializeEx',
    'NdisMRegisterInterruptEx acquires the interrupt 0xAB',
    'MiniportInitializeEx returns 0x0',
    'the adapter goes from Initializing to Paused',
    'NDIS calls MiniportHaltEx',
    'MiniportHaltEx returns',
    'The scenario was played to its end.',
  ]);
  expect(steps.filter(({ importance }) => importance === 'essential')).toHaveLength(3);
});

it('gives fingerprints that outlive a rebuild and tell findings apart', () => {
  const moved = {
    ...result,
    findings: result.findings.map((finding) => ({
      ...finding,
      message: `${finding.message} at 0x1234`,
      ...(finding.resource === undefined
        ? {}
        : {
            resource: {
              ...finding.resource,
              key: '0x99',
              acquired: finding.resource.acquired.map((f) => ({ ...f, offset: f.offset && f.offset + 64 })),
            },
          }),
    })),
  };
  const prints = (given = result) => run(given).results?.map(({ partialFingerprints }) => partialFingerprints);
  expect(prints(moved)).toEqual(prints());
  const [leak] = result.findings;
  const twice = prints({ ...result, findings: leak === undefined ? [] : [leak, leak] });
  expect(twice?.[0]).not.toEqual(twice?.[1]);
});

it('names what is not modelled as a notification, and escapes what SARIF would interpret', () => {
  const { invocations, results } = run();
  expect(invocations?.[0]?.toolExecutionNotifications?.map(({ message: { text: said } }) => said)).toEqual([
    'the driver calls NdisNothing (1 scenario).',
    'Something else is missing.',
  ]);
  const said = results?.[0]?.message.text ?? '';
  expect(said).toContain('{{0}}');
  expect(said).toContain('\\[a](b)');
  expect(said).toContain(HOSTILE.slice(0, 20));
});
