/** Puts the parts together from one plain configuration, plays one scenario, and gives its trace. */
import type { DeviceFactory } from '../devices/registry.ts';
import type { InfParameter, InfValue } from '../image/inf.ts';
import type { FaultPlan, FaultSite } from '../kernel/calls.ts';
import { SLICE } from '../kernel/guest.ts';
import { Kernel } from '../kernel/kernel.ts';
import { BugCheck, Hang, SystemDown, Unsupported } from '../kernel/stops.ts';
import type { Adapter } from '../ndis/adapter.ts';
import type { MiniportDriver } from '../ndis/driver.ts';
import { Ndis } from '../ndis/ndis.ts';
import type { StopEvent, TraceEvent } from '../trace/events.ts';
import {
  type Address,
  at,
  DISPATCH_LEVEL,
  HIGH_LEVEL,
  hex,
  MILLISECOND,
  SECOND,
  type VirtualTime,
} from '../trace/units.ts';
import type { CodeBlock } from '../x64/block-coverage.ts';
import { Director } from './director.ts';
import { type DriverFile, loadDriver } from './driver-file.ts';
import { play } from './flows/flows.ts';
import type { Scenario } from './scenario.ts';
import { type ChoicePoint, chooserOf, type Switch, type Turn } from './schedule.ts';
import { Workbench } from './workbench.ts';

/** What a machine is put together from; all but what a scenario varies. */
export interface MachineConfig {
  readonly driver: DriverFile;
  /** Left out for a miniport without hardware. */
  readonly device?: DeviceFactory;
  /** Virtual processors; two by default, so that what runs beside the driver can. */
  readonly processors?: number;
  /** Values of the adapter's key in the registry, as the INF's AddReg sections give them; of its subkeys by their paths. */
  readonly adapterValues?: Readonly<Record<string, InfValue>>;
  /** The settings the INF lets users choose, with their bounds: scenarios vary them. */
  readonly parameters?: readonly InfParameter[];
}

/** A call that was reached and could fail: what a scenario's fault names. */
export interface FaultPoint extends FaultSite {
  readonly fn: string;
  /** Counts such calls of `fn` in the run, from 1. */
  readonly nth: number;
  /** Ids of the record's failures that apply here, the usual one first. */
  readonly failures: readonly string[];
}

/** How one scenario went. */
export interface Run {
  readonly scenario: Scenario;
  readonly events: readonly TraceEvent[];
  /** In the order they were reached. */
  readonly faultPoints: readonly FaultPoint[];
  /** Blocks of the driver that ran for the first time on this workbench: offsets in its image. */
  readonly covered: readonly CodeBlock[];
  /** Where the driver's image lay; undefined for one in TypeScript. */
  readonly imageBase: Address | undefined;
  /** Imports of the driver that haltex lacks; a call of one is `unsupported`. */
  readonly missingImports: readonly string[];
  /** Unless the schedule is `plain`: the choice points it passed, the deviations from the plain order that it made, and who went on when. */
  readonly choices?: {
    readonly points: readonly ChoicePoint[];
    readonly taken: readonly Switch[];
    readonly turns: readonly Turn[];
  };
  /** The last event. */
  readonly stop: StopEvent;
}

/** Plays one scenario. Runs of one driver are faster on one workbench; the trace is the same. */
export function run(config: MachineConfig, scenario: Scenario, workbench = new Workbench()): Run {
  const bench = scenario.memory === 'watched' ? workbench.watching : workbench;
  const warm = bench.used;
  const { longestStretch, ...played } = playOn(bench, config, scenario);
  // See workbench.ts: where such a stretch looked up may depend on earlier runs.
  if (warm && longestStretch > SLICE / 2) return run(config, scenario);
  return played;
}

function playOn(workbench: Workbench, config: MachineConfig, scenario: Scenario): Run & { longestStretch: number } {
  workbench.clear();
  const faultPoints: FaultPoint[] = [];
  const { schedule } = scenario;
  let director: Director | undefined;
  const kernel = new Kernel({
    ...(schedule === 'plain' ? {} : { strategy: (...asked) => (director as Director).strategy(...asked) }),
    memory: workbench.memory,
    processors: config.processors ?? 2,
    faults: faultPlan(scenario, faultPoints),
    cpu: (host, hostCode) => workbench.cpu(host, hostCode),
  });
  const ndis = new Ndis(kernel);
  if (schedule !== 'plain') {
    const devices = () => ndis.adapters.flatMap(({ device }) => (device === undefined ? [] : [device]));
    director = new Director(kernel, devices, chooserOf(schedule));
  }
  ndis.dataPath.returnReceives = scenario.returnReceives;
  kernel.workItems.delay = scenario.workers === 'late' ? LATE_WORK : 0;
  let imageBase: Address | undefined;
  const stop = settle(kernel, () => {
    const first = config.device?.(kernel, { hardware: scenario.hardware });
    disturb(ndis, scenario);
    const loaded = loadDriver(kernel, config.driver, config.adapterValues ?? {});
    imageBase = loaded.imageBase;
    declareSettings(kernel, config.parameters ?? []);
    const firstKey = loaded.installAdapter(0);
    changeSettings(kernel, firstKey, scenario.settings);
    const addAdapter = (driver: MiniportDriver) => {
      const slot = ndis.adapters.length;
      if (slot === 0) return ndis.addAdapter(driver, first, firstKey);
      return ndis.addAdapter(driver, config.device?.(kernel, { slot }), loaded.installAdapter(slot));
    };
    const rebalance = (adapter: Adapter) => {
      // Nobody answers any more where the device was.
      adapter.device?.remove();
      adapter.device = config.device?.(kernel, { hardware: scenario.hardware, resources: OTHER_RESOURCES });
    };
    const stage = { kernel, ndis, scenario, addAdapter, rebalance, ...loaded };
    const root = kernel.scheduler.startThread('PnP manager', play(stage));
    kernel.scheduler.runUntilDone(root);
  });
  const covered = offsets(workbench.newlyCovered(), imageBase);
  const { longestStretch } = kernel.scheduler;
  const missingImports = kernel.code.missing();
  const { events } = kernel.trace;
  const choices = director === undefined ? {} : { choices: pick(director) };
  return { scenario, events, faultPoints, covered, imageBase, missingImports, ...choices, stop, longestStretch };
}

const pick = ({ points, taken, turns }: Director) => ({ points, taken, turns });

function offsets(blocks: readonly CodeBlock[], base: Address | undefined): CodeBlock[] {
  if (base === undefined) return [];
  return blocks.map(({ start, end }) => ({ start: at(start, -base), end: at(end, -base) }));
}

/** Whose addresses a device gets when its own are taken away: a slot that no flow uses. */
const OTHER_RESOURCES = 7;

/** Longer than an adapter runs in a flow, short enough for a driver that waits (assumed). */
const LATE_WORK = 2 * SECOND;

/** How long a DPC waits for its busy processor (assumed; only that it outlasts what halt does meanwhile). */
const LATE_DPC = 500 * MILLISECOND;

/** Runs to the end and says how it ended; only haltex' own faults get through. */
function settle(kernel: Kernel, body: () => void): StopEvent {
  const stop = ((): StopEvent => {
    try {
      body();
      return { kind: 'stop', reason: 'finished', text: 'The scenario was played to its end.' };
    } catch (raised) {
      // What is raised outside any driver routine (NDIS touching what the driver gave it) ends as on Windows.
      const error = kernelFault(kernel, raised);
      if (error instanceof SystemDown) return { kind: 'stop', reason: 'finished', text: error.message };
      if (error instanceof BugCheck) {
        return { kind: 'stop', reason: 'bugcheck', text: error.message, name: hex(error.code), stack: error.frames };
      }
      if (error instanceof Hang) return { kind: 'stop', reason: 'hang', text: error.message, stack: error.frames };
      if (error instanceof Unsupported) {
        return { kind: 'stop', reason: 'unsupported', text: error.message, name: error.what, stack: error.frames };
      }
      throw error;
    }
  })();
  kernel.trace.emit(stop);
  return stop;
}

/** The stop a fault in NDIS' own threads amounts to: what the driver gave it is not there. Other errors come back as they are. */
function kernelFault(kernel: Kernel, raised: unknown): unknown {
  try {
    return kernel.exceptions.outermost(raised, 'kernel', []);
  } catch (stop) {
    return stop;
  }
}

/** What the INF says about settings, for whoever plans scenarios by the trace. */
function declareSettings({ trace }: Kernel, parameters: readonly InfParameter[]): void {
  if (parameters.length === 0) return;
  const settings = parameters.map((parameter) => ({ ...parameter }));
  trace.emit({ kind: 'fact', what: 'settings-declared', detail: { settings } });
}

/** What the scenario changes in the adapter's key after its installation. */
function changeSettings(kernel: Kernel, path: string, settings: Scenario['settings']): void {
  const key = kernel.registry.ensure(path);
  for (const [name, value] of Object.entries(settings)) {
    if (value === null) key.deleteBelow(name);
    else key.setBelow(name, typeof value === 'object' ? Uint8Array.from(value) : value);
  }
}

/** Lets the scenario's calls fail, and notes every call that could have. */
function faultPlan(scenario: Scenario, reached: FaultPoint[]): FaultPlan {
  const counts = new Map<string, number>();
  return {
    strike(fn, failures, site) {
      const nth = (counts.get(fn) ?? 0) + 1;
      counts.set(fn, nth);
      reached.push({ fn, nth, failures, ...site });
      return scenario.faults.find((fault) => fault.fn === fn && fault.nth === nth)?.failure;
    },
  };
}

/** Lets the scenario's disturbances happen before the calls they name. */
function disturb(ndis: Ndis, scenario: Scenario): void {
  if (scenario.disturbances.length === 0) return;
  const { kernel } = ndis;
  const counts = new Map<string, number>();
  kernel.calls.before = (fn) => {
    const nth = (counts.get(fn) ?? 0) + 1;
    counts.set(fn, nth);
    const event = scenario.disturbances.find((disturbance) => disturbance.fn === fn && disturbance.nth === nth)?.event;
    if (event === undefined) return false;
    if (event === 'bug-check') {
      crash(ndis);
      return true;
    }
    const [{ device } = {}] = ndis.adapters;
    if (device === undefined) return false;
    if (event === 'late-dpc') {
      const [, other] = kernel.scheduler.processors;
      if (other === undefined) return false;
      kernel.scheduler.occupy(other, (kernel.clock.now + LATE_DPC) as VirtualTime, DISPATCH_LEVEL);
      kernel.hardware.interruptProcessor = other.number;
      device.provoke();
      return true;
    }
    // Its own reason to interrupt, as far as it is not masked; then a round of the ISR without one.
    device.provoke();
    const source = device.messages.find(({ connected }) => connected !== undefined) ?? device.line;
    if (source !== undefined) kernel.hardware.pulse(source);
    return true;
  };
}

/** The system crashes on the processor that makes the call: whatever runs there has ended. */
function crash({ kernel, lifecycle }: Ndis): void {
  const { processor } = kernel.scheduler;
  const start = () => lifecycle.bugCheck();
  processor.interrupts.unshift({ name: 'bug check', irql: HIGH_LEVEL, source: lifecycle, start });
}
