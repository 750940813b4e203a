/**
 * A scenario: everything about one run that may vary, as a plain value. The same driver and the same scenario give the same
 * trace, byte for byte; a finding's replay token is nothing but a scenario.
 */
import { troubleText, WORKS } from '../devices/troubles.ts';
import type { HaltActionName } from '../ndis/lifecycle.ts';
import { type Schedule, scheduleText } from './schedule.ts';

/** Which course of events NDIS plays (contract.md G2). */
export type Flow =
  /** Initialize, run, pause, halt, unload: `flow-normal-remove`; with halt action DeviceFailed `flow-halt-device-failed`. */
  | 'normal-remove'
  /** Halt straight after a successful initialize: `flow-init-halt`. */
  | 'init-halt'
  /** Halt straight after the pause: what the driver has started for later is still to come. */
  | 'prompt-halt'
  /** A failed initialize is followed by another one: `flow-init-fail-retry`. */
  | 'init-retry'
  /** The device is pulled out while the adapter runs: `flow-surprise-removal`. */
  | 'surprise-removal'
  /** Halted for a rebalance and initialized again with other resources: `flow-stop-start`. */
  | 'stop-start'
  /** Halted for sleep and initialized again: `flow-power-halt`. */
  | 'power-halt'
  /** D3 and back by OID_PNP_SET_POWER: `flow-power-oid`. */
  | 'power-oid'
  /** Its variant: the power does not come back, and the adapter is halted in D3. */
  | 'power-fails'
  /** Suspended while it is idle, and back: an idle notification that NDIS cancels. */
  | 'selective-suspend'
  /** Reset twice while it runs: `flow-reset-then-halt`. */
  | 'reset'
  /** Its variant: the pause begins while the reset is pending. */
  | 'reset-while-pausing'
  /** Runs for long enough to be asked whether its NIC hangs. */
  | 'hang-checks'
  /** The device is pulled out, and the check for hang comes before the bus has noticed. */
  | 'hang-when-gone'
  /** More frames at once, each way, than a driver has descriptors and buffers for. */
  | 'burst'
  /** The system shuts down while the adapter runs: `flow-shutdown-poweroff`. */
  | 'shutdown'
  /** Two adapters of one driver, and the first goes while the second works on: `flow-multi-adapter`. */
  | 'first-of-two'
  /** The same, and the second goes first. */
  | 'second-of-two';

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
   * `late-dpc`: it interrupts on a processor that is busy at DISPATCH_LEVEL, so the ISR runs now and its DPC later;
   * `bug-check`: the system crashes there, and nothing but MiniportShutdownEx runs any more (`flow-shutdown-bugcheck`).
   */
  readonly event: 'interrupt' | 'late-dpc' | 'bug-check';
}

/** A value of the adapter's key: a number is REG_DWORD, text REG_SZ, a list of bytes REG_BINARY; null takes the value away. */
export type SettingValue = number | string | readonly number[] | null;

/** What differs from run to run; `plainScenario` has what is usual. */
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
  /**
   * Values of the adapter's key in the registry that differ from what is installed. What stands before the last backslash of a
   * name is a subkey, which is made; with nothing behind it, the key's unnamed value.
   */
  readonly settings: Readonly<Record<string, SettingValue>>;
  /** `watched`: every access is told, and what is freed while nothing keeps others from using it (kernel/accesses.ts). Slow. */
  readonly memory: 'plain' | 'watched';
  /** Who runs when, around halt. */
  readonly schedule: Schedule;
}

/** Nothing fails, nothing is disturbed: initialize, run, pause, halt, unload. */
export const plainScenario: Scenario = {
  flow: 'normal-remove',
  haltAction: 'DeviceDisabled',
  faults: [],
  disturbances: [],
  returnReceives: 'later',
  workers: 'at-once',
  hardware: WORKS,
  settings: {},
  memory: 'plain',
  schedule: 'plain',
};

export const flowText: Readonly<Record<Flow, string>> = {
  'normal-remove': 'initialize, run, pause, halt, unload',
  'init-halt': 'halt straight after initialize',
  'prompt-halt': 'initialize, run, pause, halt at once, unload',
  'init-retry': 'initialize, and once more if it fails; run, pause, halt, unload',
  'surprise-removal': 'the device is pulled out while the adapter runs',
  'stop-start': 'halt to take other hardware resources, initialize again with them, run, halt, unload',
  'power-halt': 'halt because the system sleeps, initialize again when it wakes, run, halt, unload',
  'power-oid': 'sleep (D3) and wake (D0) while initialized, run, halt, unload',
  'power-fails': 'sleep (D3), and halt there because the power does not come back',
  'selective-suspend': 'suspended while it is idle, waked by a send, then pause, halt, unload',
  reset: 'two resets while the adapter runs, more traffic, then pause, halt, unload',
  'reset-while-pausing': 'a pause while a reset is under way, then halt, unload',
  'hang-checks': 'the adapter runs for long and is asked whether its NIC hangs, then pause, halt, unload',
  'hang-when-gone':
    'the device is pulled out, and the adapter is asked whether its NIC hangs before the bus has noticed',
  burst: 'more frames at once, each way, than a driver has room for, then pause, halt, unload',
  shutdown: 'the system shuts down while the adapter runs',
  'first-of-two': 'two adapters: the first is halted while the second works on',
  'second-of-two': 'two adapters: the second is halted while the first works on',
};

/** The scenario in words, for reports. */
export function describe(scenario: Scenario): string {
  const parts = [flowText[scenario.flow]];
  if (scenario.haltAction !== 'DeviceDisabled') parts.push(`halt action NdisHalt${scenario.haltAction}`);
  for (const { fn, nth, failure } of scenario.faults) parts.push(`${ordinal(nth)} ${fn} fails (${failure})`);
  for (const { fn, nth, event } of scenario.disturbances) {
    const late = event === 'late-dpc' ? ' and its DPC runs late' : '';
    const what = event === 'bug-check' ? 'the system crashes' : 'an interrupt arrives';
    parts.push(`${what} at the ${ordinal(nth)} ${fn}${late}`);
  }
  if (scenario.returnReceives === 'late') parts.push('received frames come back only after the pause has begun');
  if (scenario.workers === 'late') parts.push('work items run late');
  if (scenario.hardware !== WORKS) parts.push(troubleText(scenario.hardware));
  for (const [name, value] of Object.entries(scenario.settings)) parts.push(settingText(name, value));
  if (scenario.memory === 'watched') parts.push('every access to memory is watched');
  if (scenario.schedule !== 'plain' && !isEmpty(scenario.schedule)) parts.push(scheduleText(scenario.schedule));
  return parts.join('; ');
}

const isEmpty = (schedule: Schedule): boolean => Array.isArray(schedule) && schedule.length === 0;

/** The most characters of a setting that a description shows. */
const SHOWN = 32;

function settingText(name: string, value: SettingValue): string {
  if (name.endsWith('\\')) return `the configuration has the subkey ${name.slice(0, -1)}`;
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
