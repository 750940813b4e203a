/**
 * A scenario: everything about one run that may vary, as a plain value. The same driver and the same scenario give the same
 * trace, byte for byte; a finding's replay token is nothing but a scenario.
 */
import { troubleText, WORKS } from '../devices/troubles.ts';
import type { HaltActionName } from '../ndis/lifecycle.ts';

/** Which course of events NDIS plays (contract.md G2). */
export type Flow =
  /** Initialize, run, pause, halt, unload: `flow-normal-remove`. */
  | 'normal-remove'
  /** Halt straight after a successful initialize: `flow-init-halt`. */
  | 'init-halt'
  /** The device is pulled out while the adapter runs: `flow-surprise-removal`. */
  | 'surprise-removal'
  /** The system shuts down while the adapter runs: `flow-shutdown-poweroff`. */
  | 'shutdown';

/** One call that is made to fail. */
export interface Fault {
  readonly fn: string;
  /** Counts calls of `fn` in the run, from 1. */
  readonly nth: number;
  /** Which of the record's failures. */
  readonly failure: string;
}

/** Something that happens beside the driver, at one of its calls. */
export interface Disturbance {
  /** Before the body of this call … */
  readonly fn: string;
  readonly nth: number;
  /**
   * … `interrupt`: the device interrupts, and its ISR is asked once more without a reason (a shared line, a late message);
   * `late-dpc`: it interrupts on a processor that is busy at DISPATCH_LEVEL, so the ISR runs now and its DPC later.
   */
  readonly event: 'interrupt' | 'late-dpc';
}

/** A value of the adapter's key: a number is REG_DWORD, text REG_SZ, a list of bytes REG_BINARY; null takes the value away. */
export type SettingValue = number | string | readonly number[] | null;

export interface Scenario {
  readonly flow: Flow;
  readonly haltAction: HaltActionName;
  readonly faults: readonly Fault[];
  readonly disturbances: readonly Disturbance[];
  /** When the protocols above give received frames back: before the indication returns' next step, a while later, or only
   *  after a pause has begun. */
  readonly returnReceives: 'at-once' | 'later' | 'late';
  /** When work items get a worker thread: at once, or only after a while, as on a busy system. */
  readonly workers: 'at-once' | 'late';
  /** `works`, or the trouble the device shows: one of devices/troubles.ts, or of the device's own. */
  readonly hardware: string;
  /** Values of the adapter's key in the registry that differ from what is installed. */
  readonly settings: Readonly<Record<string, SettingValue>>;
}

export const plainScenario: Scenario = {
  flow: 'normal-remove',
  haltAction: 'DeviceDisabled',
  faults: [],
  disturbances: [],
  returnReceives: 'later',
  workers: 'at-once',
  hardware: WORKS,
  settings: {},
};

const flowText: Readonly<Record<Flow, string>> = {
  'normal-remove': 'initialize, run, pause, halt, unload',
  'init-halt': 'halt straight after initialize',
  'surprise-removal': 'the device is pulled out while the adapter runs',
  shutdown: 'the system shuts down while the adapter runs',
};

/** The scenario in words, for reports. */
export function describe(scenario: Scenario): string {
  const parts = [flowText[scenario.flow]];
  if (scenario.haltAction !== 'DeviceDisabled') parts.push(`halt action NdisHalt${scenario.haltAction}`);
  for (const { fn, nth, failure } of scenario.faults) parts.push(`${ordinal(nth)} ${fn} fails (${failure})`);
  for (const { fn, nth, event } of scenario.disturbances) {
    parts.push(
      `an interrupt arrives at the ${ordinal(nth)} ${fn}${event === 'late-dpc' ? ' and its DPC runs late' : ''}`,
    );
  }
  if (scenario.returnReceives === 'late') parts.push('received frames come back only after the pause has begun');
  if (scenario.workers === 'late') parts.push('work items run late');
  if (scenario.hardware !== WORKS) parts.push(troubleText(scenario.hardware));
  for (const [name, value] of Object.entries(scenario.settings)) parts.push(settingText(name, value));
  return parts.join('; ');
}

/** The most characters of a setting that a description shows. */
const SHOWN = 32;

function settingText(name: string, value: SettingValue): string {
  if (value === null) return `the setting ${name} is missing`;
  if (typeof value === 'number') return `the setting ${name} is the number ${value}`;
  const text = typeof value === 'string' ? value : value.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text;
  return `the setting ${name} is the ${typeof value === 'string' ? `text «${shown}»` : `bytes ${shown || '(none)'}`}`;
}

function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  const suffix = teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${suffix}`;
}
