/** `haltex replay`: one scenario again, every event a line. */

import { judge } from '../contract/judge.ts';
import { replay } from '../explore/check.ts';
import { decodeToken, TokenError } from '../explore/token.ts';
import type { MachineConfig } from '../machine/machine.ts';
import { printEvent } from '../report/events.ts';
import { ExitCode, InputError } from './errors.ts';

export function runReplay(config: MachineConfig, token: string): number {
  const run = replay(config, scenarioOf(config, token));
  const findings = judge(run.events);
  for (const event of run.events) {
    process.stdout.write(`${printEvent(event)}\n`);
    for (const finding of findings.filter(({ seq }) => seq === event.seq)) {
      process.stdout.write(`      ✗ ${finding.rule}: ${finding.message}\n`);
    }
  }
  if (findings.some(({ severity }) => severity !== 'note')) return ExitCode.findings;
  return run.stop.reason === 'unsupported' ? ExitCode.inconclusive : ExitCode.clean;
}

function scenarioOf(config: MachineConfig, token: string) {
  try {
    return decodeToken(config.driver, token);
  } catch (error) {
    if (error instanceof TokenError) throw new InputError(error.message);
    throw error;
  }
}
