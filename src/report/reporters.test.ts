import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import type { CheckResult } from '../explore/result.ts';
import type { Address } from '../trace/units.ts';
import { reporters } from './reporters.ts';

const frame = { address: 0x1000 as Address, module: 'nic.sys', offset: 0x2480, name: 'NicAcquireInterrupt' };
const result: CheckResult = {
  driver: 'nic.sys',
  verdict: 'findings',
  reasons: ['In 1 of 3 scenarios: the driver calls NdisNothing, which haltex does not model.'],
  scenarios: { run: 3, clean: 1, findings: 1, unsupported: 1 },
  phases: [
    { name: 'plain run', scenarios: 3, events: 1234, findings: 1, unsupported: 1, milliseconds: 56.4, cut: false },
  ],
  coverage: { faultPoints: { reached: 9, exercised: 8, missed: ['NdisMFoo in MiniportRestart'] } },
  traces: [],
  balance: [{ type: 'interrupt', acquired: 1, undone: 0, owed: 1 }],
  findings: [
    {
      rule: 'halt-leaks-interrupt',
      severity: 'error',
      message: 'MiniportInitializeEx acquires an interrupt and still holds it.',
      seq: 7,
      resource: {
        type: 'interrupt',
        key: '0xFFFFF80000001000',
        fn: 'NdisMRegisterInterruptEx',
        callback: 'MiniportInitializeEx',
        detail: {},
        acquired: [frame],
      },
      stack: [],
      scenario: { token: 'hx1.ts.e30', description: 'initialize, run, pause, halt, unload' },
      count: 2,
      faultPoints: [],
    },
    {
      rule: 'pause-fails',
      severity: 'error',
      message: 'MiniportPause returns a failure.',
      seq: 9,
      stack: [{ address: 0 as Address, module: 'nic.ts', offset: 12 }],
      scenario: { token: 'hx1.ts.e30', description: 'initialize, run, pause, halt, unload' },
      count: 1,
      faultPoints: [],
    },
  ],
  unsupported: [{ function: 'NdisNothing', text: 'the driver calls NdisNothing', count: 1 }],
};
const context = { version: '0.0.0', driverPath: 'path/nic.sys', colour: false };

it('JSON keeps to its published schema', () => {
  const schema = JSON.parse(readFileSync(new URL('../../schema/result.json', import.meta.url), 'utf8'));
  const validate = new Ajv2020({ strict: true }).compile(schema);
  const text = reporters.json?.(result, context) ?? '';
  expect(validate(JSON.parse(text)), JSON.stringify(validate.errors)).toBe(true);
  expect(JSON.parse(text)).toMatchObject({
    haltex: '0.0.0',
    verdict: 'findings',
    findings: [
      { rule: 'halt-leaks-interrupt', count: 2 },
      { rule: 'pause-fails', resource: null },
    ],
    unsupported: [{ function: 'NdisNothing', count: 1 }],
  });
});

it('the pretty report says once for each rule where it is explained', () => {
  const [leak] = result.findings;
  const twice = reporters.pretty?.({ ...result, findings: [leak, leak] as typeof result.findings }, context) ?? '';
  expect(twice.match(/✗ halt-leaks-interrupt/g)).toHaveLength(2);
  expect(twice.match(/haltex explain/g)).toHaveLength(1);
});

it('the pretty report reads like this', () => {
  expect(reporters.pretty?.(result, context)).toMatchInlineSnapshot(`
    "haltex 0.0.0  nic.sys

      plain run     3 scenarios    1,234 events      56 ms   1 with findings, 1 inconclusive

      resource   acquired    undone    owed
      interrupt         1         0       1

      fault points: 8 of 9 places that can fail were made to fail
        not: NdisMFoo in MiniportRestart

    ✗ halt-leaks-interrupt error
      MiniportInitializeEx acquires an interrupt and still holds it.
        acquired  NicAcquireInterrupt (nic.sys+0x2480)
        scenario  initialize, run, pause, halt, unload (and 1 more)
        replay    npx haltex replay path/nic.sys hx1.ts.e30
        explain   npx haltex explain halt-leaks-interrupt

    ✗ pause-fails error
      MiniportPause returns a failure.
        here      nic.ts:12
        scenario  initialize, run, pause, halt, unload
        replay    npx haltex replay path/nic.sys hx1.ts.e30
        explain   npx haltex explain pause-fails

    ? In 1 of 3 scenarios: the driver calls NdisNothing, which haltex does not model.

    2 findings: 3 scenarios played, 1 clean
    "
  `);
});
