/** The result as JSON, for tools. Its schema is published as `schema/result.json`; a test holds the two together. */
import type { MergedFinding } from '../explore/result.ts';
import type { Frame, Stack } from '../trace/events.ts';
import { hex } from '../trace/units.ts';
import type { Reporter } from './reporter.ts';

const frame = ({ address, module, offset, name, displacement, file, line, inlined }: Frame) => ({
  module,
  offset,
  ...(address === 0 ? {} : { address: hex(address) }),
  ...(name === undefined ? {} : { name }),
  ...(displacement === undefined ? {} : { displacement }),
  ...(file === undefined ? {} : { file }),
  ...(line === undefined ? {} : { line }),
  ...(inlined === undefined ? {} : { inlined }),
});
const frames = (stack: Stack) => stack.map(frame);

function finding({ rule, severity, message, resource, stack, scenario, count, faultPoints }: MergedFinding) {
  return {
    rule,
    severity,
    message,
    resource:
      resource === undefined
        ? null
        : {
            type: resource.type,
            key: resource.key,
            function: resource.fn,
            callback: resource.callback ?? null,
            detail: resource.detail,
            acquired: frames(resource.acquired),
          },
    stack: frames(stack),
    scenario,
    count,
    faultPoints,
  };
}

export const json: Reporter = (result, { version }) =>
  `${JSON.stringify(
    {
      haltex: version,
      driver: result.driver,
      verdict: result.verdict,
      reasons: result.reasons,
      scenarios: result.scenarios,
      ended: result.ended ?? null,
      phases: result.phases.map(({ milliseconds: _, ...phase }) => phase),
      balance: result.balance,
      coverage: { faultPoints: result.coverage.faultPoints, code: result.coverage.code ?? null },
      findings: result.findings.map(finding),
      unsupported: result.unsupported.map(({ function: name, count }) => ({ function: name, count })),
    },
    null,
    2,
  )}\n`;
