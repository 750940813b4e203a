/** What the tests of samples share: which samples there are, and a check of one with haltex' sample NIC. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadDriverFile } from '../src/cli/load.ts';
import { bundledDevices } from '../src/devices/registry.ts';
import { check } from '../src/explore/check.ts';
import type { Phase } from '../src/explore/phase.ts';
import { type CheckResult, counts } from '../src/explore/result.ts';
import { type MachineConfig, run } from '../src/machine/machine.ts';
import { isMiniport } from '../src/machine/miniport.ts';
import { plainScenario } from '../src/machine/scenario.ts';
import type { Workbench } from '../src/machine/workbench.ts';

const samples = fileURLToPath(new URL('../samples/', import.meta.url));

export interface Sample {
  readonly path: string;
  /** The rule a twin breaks; undefined for a driver that keeps them all. */
  readonly breaks: string | undefined;
}

/** Every miniport in TypeScript: those beside the folders are clean, those in broken/ are named by the rule they break. */
export function typescriptSamples(): Sample[] {
  const folder = join(samples, 'typescript');
  const files = (path: string) => readdirSync(path).filter((name) => name.endsWith('.ts'));
  return [
    ...files(folder).map((name) => ({ path: join(folder, name), breaks: undefined })),
    ...files(join(folder, 'broken')).map((name) => ({
      path: join(folder, 'broken', name),
      breaks: basename(name, '.ts'),
    })),
  ];
}

/** Every driver in C, as built: nic/nic.sys is clean, broken/<rule>/<rule>.sys is not. */
export function cSamples(): Sample[] {
  const folder = join(samples, 'c');
  return [
    { path: join(folder, 'nic', 'nic.sys'), breaks: undefined },
    ...readdirSync(join(folder, 'broken')).map((rule) => ({
      path: join(folder, 'broken', rule, `${rule}.sys`),
      breaks: rule,
    })),
  ];
}

/** The sample on a machine with the sample NIC. TypeScript is imported by the test runner, which compiles a file once. */
export async function machineOf({ path }: Sample): Promise<MachineConfig> {
  const device = bundledDevices['sample-nic'] as NonNullable<MachineConfig['device']>;
  if (!path.endsWith('.ts')) return { driver: await loadDriverFile(path), device };
  const { default: miniport } = (await import(path)) as { default: unknown };
  if (!isMiniport(miniport)) throw new Error(`${path} exports no miniport`);
  return { driver: { kind: 'typescript', name: basename(path), miniport }, device };
}

/** Clean samples are checked whole; of a twin the first scenarios show what it breaks. */
const TWIN_BUDGET = 300;

export async function checkOf(sample: Sample, first = TWIN_BUDGET, phases?: readonly Phase[]): Promise<CheckResult> {
  const budget = sample.breaks === undefined ? {} : { budget: first };
  return check(await machineOf(sample), { now: () => 0, ...budget, ...(phases === undefined ? {} : { phases }) });
}

/** The rules that count, each once. */
export function rulesOf({ findings }: CheckResult): string[] {
  return [...new Set(findings.filter(counts).map(({ rule }) => rule))].toSorted();
}

/** One run as text, to compare byte for byte; on a new workbench unless one is given. */
export async function traceOf(sample: Sample, scenario = plainScenario, workbench?: Workbench): Promise<string> {
  return JSON.stringify(run(await machineOf(sample), scenario, workbench).events);
}

export const nameOf = ({ path }: Sample): string => `${basename(dirname(path))}/${basename(path)}`;
