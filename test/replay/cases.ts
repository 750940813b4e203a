/** Drivers and tokens whose traces must come out the same whoever plays them: races and faults, of .sys files. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { bundledDevices, type DeviceFactory } from '../../src/devices/registry.ts';
import { examine } from '../../src/explore/outcome.ts';
import { inOrders } from '../../src/explore/races.ts';
import { counts } from '../../src/explore/result.ts';
import { systematic } from '../../src/explore/strategies/systematic.ts';
import { encodeToken } from '../../src/explore/token.ts';
import { readImage } from '../../src/image/read.ts';
import { type MachineConfig, run } from '../../src/machine/machine.ts';
import { plainScenario, type Scenario } from '../../src/machine/scenario.ts';
import { Workbench } from '../../src/machine/workbench.ts';

export interface ReplayCase {
  readonly name: string;
  /** From the project's root. */
  readonly driver: string;
  readonly hardware: boolean;
  /** The scenario to be replayed, found as a check finds it. */
  find(config: MachineConfig): Scenario;
}

export const replayCases: readonly ReplayCase[] = [
  {
    name: 'a race of a timer',
    driver: 'test/races/c/built/timer-signals-early.sys',
    hardware: false,
    find: firstRace,
  },
  {
    name: 'a race of work items',
    driver: 'test/races/c/built/workitem-freed-twice.sys',
    hardware: false,
    find: firstRace,
  },
  {
    name: 'a fault in MiniportInitializeEx',
    driver: 'samples/c/broken/init-fail-leaks-interrupt/init-fail-leaks-interrupt.sys',
    hardware: true,
    find: lastFault,
  },
];

const root = new URL('../../', import.meta.url);

export function configOf({ driver, hardware }: ReplayCase): MachineConfig {
  const image = readImage(readFileSync(new URL(driver, root)));
  const file = { kind: 'image', name: basename(driver), image } as const;
  return hardware ? { driver: file, device: bundledDevices['sample-nic'] as DeviceFactory } : { driver: file };
}

/** As the command line has it. */
export const tokenOf = (config: MachineConfig, one: ReplayCase): string => encodeToken(config.driver, one.find(config));

/** The first order of what runs beside halt that shows something. */
function firstRace(config: MachineConfig): Scenario {
  const workbench = new Workbench();
  const play = inOrders(systematic(2), plainScenario);
  for (let step = play.next(); step.done !== true; ) {
    const outcomes = step.value.map((scenario) => examine(config, scenario, workbench));
    const found = outcomes.find(({ findings }) => findings.some(counts));
    if (found !== undefined) return found.scenario;
    step = play.next(outcomes);
  }
  throw new Error(`${config.driver.name}: no race was found`);
}

/** The last call of MiniportInitializeEx that can fail, failing. */
function lastFault(config: MachineConfig): Scenario {
  const { faultPoints, events } = run(config, plainScenario);
  const point = faultPoints.findLast(({ call }) => events[call]?.callback === 'MiniportInitializeEx');
  if (point === undefined) throw new Error(`${config.driver.name}: nothing in MiniportInitializeEx can fail`);
  const { fn, nth, failures } = point;
  return { ...plainScenario, faults: [{ fn, nth, failure: failures[0] as string }] };
}
