/** Matchers for tests of drivers: `expect(await check('mydriver.sys')).toBeClean()`. */
import { type CheckResult, counts } from '../explore/result.ts';

/** What Vitest and Jest expect of a matcher. */
interface Verdict {
  readonly pass: boolean;
  message(): string;
}

const SHOWN = 5;

/** For `expect.extend(matchers)`. `haltex/vitest` does it, with types. */
export const matchers = {
  /** Passes when every scenario was played and none shows an error or a warning. */
  toBeClean(result: CheckResult): Verdict {
    const findings = result.findings.filter(counts);
    const pass = result.verdict === 'clean';
    const told = [
      ...findings
        .slice(0, SHOWN)
        .map(
          ({ rule, message, scenario }) => `${rule}: ${message}\n    ${scenario.description}\n    ${scenario.token}`,
        ),
      ...(findings.length > SHOWN ? [`and ${findings.length - SHOWN} more`] : []),
      ...result.reasons,
    ];
    return {
      pass,
      message: () =>
        pass
          ? `${result.driver} is clean in ${result.scenarios.run} scenarios`
          : `${result.driver} is not clean: ${result.verdict}\n  ${told.join('\n  ')}`,
    };
  },
};
