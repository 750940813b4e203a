/** Checks one driver of the corpus and compares what haltex says with what the manifest says. */
import { fileURLToPath } from 'node:url';
import { loadDriverFile } from '../../src/cli/load.ts';
import { bundledDevices } from '../../src/devices/registry.ts';
import { check } from '../../src/explore/check.ts';
import { phases, phasesWithRaces } from '../../src/explore/plan.ts';
import { counts } from '../../src/explore/result.ts';
import type { MachineConfig } from '../../src/machine/machine.ts';
import type { Case } from './cases.ts';

export interface Outcome {
  readonly case: Case;
  /** Rules that were to be reported and were. */
  readonly found: readonly string[];
  /** Rules that were to be reported and were not. */
  readonly missed: readonly string[];
  /** Findings, notes aside, that were not to be reported. */
  readonly false: readonly { readonly rule: string; readonly message: string; readonly scenario: string }[];
  /** Why the verdict is not whole, in a sentence each. */
  readonly inconclusive: readonly string[];
  readonly scenarios: number;
  /** The host's time it took. */
  readonly milliseconds: number;
  /** Nothing missed, nothing false, nothing left open. */
  readonly good: boolean;
}

export async function machineOf({ name, driver, device, values }: Case): Promise<MachineConfig> {
  const model = typeof device === 'string' ? bundledDevices[device] : device;
  return {
    driver:
      typeof driver === 'string'
        ? await loadDriverFile(fileURLToPath(new URL(driver, import.meta.url)))
        : { kind: 'typescript', name, miniport: driver },
    ...(model === undefined ? {} : { device: model }),
    ...(values === undefined ? {} : { adapterValues: values }),
  };
}

export async function judgeCase(one: Case): Promise<Outcome> {
  const started = performance.now();
  const played = one.race === true ? phasesWithRaces : phases;
  const expected: readonly string[] = one.expect === 'clean' ? [] : one.expect;
  const enough = (found: number) => (one.untilFound === true && found >= expected.length ? 'bail' : undefined);
  const result = check(await machineOf(one), { now: () => 0, phases: played, enough });
  const findings = result.findings.filter(counts);
  const reported = new Set(findings.map(({ rule }) => rule));
  const missed = expected.filter((rule) => !reported.has(rule));
  const wrong = findings
    .filter(({ rule }) => !expected.includes(rule) && one.also?.includes(rule) !== true)
    .map(({ rule, message, scenario }) => ({ rule, message, scenario: scenario.description }));
  const open = result.verdict === 'inconclusive' || result.unsupported.length > 0 ? result.reasons : [];
  return {
    case: one,
    found: expected.filter((rule) => reported.has(rule)),
    missed,
    false: wrong,
    inconclusive: open,
    scenarios: result.scenarios.run,
    milliseconds: performance.now() - started,
    good: missed.length + wrong.length + open.length === 0,
  };
}
