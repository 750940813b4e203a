/** `haltex replay`: one scenario again, every event a line. */

import { judge } from '../contract/judge.ts';
import { replay } from '../explore/check.ts';
import { decodeToken, TokenError } from '../explore/token.ts';
import type { MachineConfig } from '../machine/machine.ts';
import { printEvent } from '../report/events.ts';
import { trail } from '../report/place.ts';
import { type Symbols, stackFiller } from '../report/symbols.ts';
import type { Stack } from '../trace/events.ts';
import { ExitCode, InputError } from './errors.ts';

export function runReplay(config: MachineConfig, token: string, symbols?: Symbols): number {
  const run = replay(config, scenarioOf(config, token));
  const findings = judge(run.events);
  const named = symbols === undefined ? (stack: Stack) => stack : stackFiller(symbols);
  for (const event of run.events) {
    process.stdout.write(`${printEvent(event)}\n`);
    for (const finding of findings.filter(({ seq }) => seq === event.seq)) {
      process.stdout.write(`      ✗ ${finding.rule}: ${finding.message}\n`);
      const { resource, stack } = finding;
      if (resource !== undefined && resource.acquired.length > 0) {
        process.stdout.write(`          acquired  ${trail(named(resource.acquired))}\n`);
      }
      if (stack.length > 0) process.stdout.write(`          here      ${trail(named(stack))}\n`);
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
