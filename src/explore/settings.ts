/**
 * Settings of the adapter's key: each one missing, of another type than the driver expects, and at its bounds. Which there are
 * says the INF, and the plain run for those the driver asks for though no INF names them.
 */
import type { InfParameter } from '../image/inf.ts';
import { plainScenario, type Scenario, type SettingValue } from '../machine/scenario.ts';
import type { TraceEvent } from '../trace/events.ts';
import { placeOf } from './faults.ts';
import type { Outcome } from './outcome.ts';
import { listed, type Phase } from './phase.ts';

/** How deep keys that the driver looks for lie in others that it looks for. */
const DEEPEST = 3;

/**
 * Subkeys of the configuration that the driver looks for and no INF makes: each is there, with nothing in it. What the driver then
 * reads of it is varied like any other setting.
 */
export const subkeys: Phase = {
  name: 'subkeys of the configuration',
  keepsEvents: true,
  *play({ plain }) {
    const tried = new Set<string>();
    let traces: readonly (readonly TraceEvent[])[] = [plain.events];
    for (let depth = 0; depth < DEEPEST; depth++) {
      const missing = new Set(traces.flatMap(missingKeys).filter((name) => !tried.has(name)));
      if (missing.size === 0) return;
      for (const name of missing) tried.add(name);
      const outcomes = yield [...missing].map((name) => ({ ...plainScenario, settings: { [`${name}\\`]: '' } }));
      traces = outcomes.map(({ events = [] }) => events);
      yield outcomes.flatMap(failingInitialize);
    }
  },
};

/**
 * With the subkey there, each place of MiniportInitializeEx that can fail does in its first call and in its last: what was opened
 * must be closed then, too.
 */
function failingInitialize({ scenario, faultPoints }: Outcome): Scenario[] {
  const own = faultPoints.filter(({ callback }) => callback === 'MiniportInitializeEx');
  const first = new Map(own.toReversed().map((point) => [placeOf(point), point]));
  const last = new Map(own.map((point) => [placeOf(point), point]));
  return [...new Set([...first.values(), ...last.values()])].map(({ fn, nth, failures }) => ({
    ...scenario,
    faults: [{ fn, nth, failure: failures[0] as string }],
  }));
}

function missingKeys(events: readonly TraceEvent[]): string[] {
  return factsOf(events, 'subkey-opened').flatMap(({ detail }) =>
    detail.found === false ? [String(detail.name)] : [],
  );
}

export const settings: Phase = listed('settings', ({ plain, outcomes }) => {
  const withSubkeys = outcomes.filter(({ scenario }) => Object.keys(scenario.settings).length > 0);
  return changedSettings([plain, ...withSubkeys].flatMap(({ events = [] }) => events));
});

/** Values tried of an enumeration; Windows' own have at most a dozen. */
const CHOICES = 16;
const HUGE = 0xffff_ffff;
/** Longer than any buffer a driver has for a value. */
const LONG = 'x'.repeat(300);

/** A setting and what to try of it, the likeliest to hurt first. */
interface Trial {
  readonly name: string;
  readonly values: readonly SettingValue[];
}

/** One scenario for each value; first values of all settings come before second ones, so that a short budget sees each. */
export function changedSettings(events: readonly TraceEvent[]): Scenario[] {
  const trials = trialsOf(events);
  const most = Math.max(0, ...trials.map(({ values }) => values.length));
  return Array.from({ length: most }, (_, round) => round).flatMap((round) =>
    trials.flatMap(({ name, values }) => {
      const value = values[round];
      return value === undefined ? [] : [{ ...plainScenario, settings: { [name]: value } }];
    }),
  );
}

/** Only what the driver reads: a value nobody asks for changes nothing. */
function trialsOf(events: readonly TraceEvent[]): Trial[] {
  const [declared] = factsOf(events, 'settings-declared');
  const parameters = (declared?.detail.settings ?? []) as unknown as readonly InfParameter[];
  const trials = new Map<string, Trial>();
  for (const { detail } of factsOf(events, 'setting-read')) {
    const name = detail.name as string;
    const key = name.toLowerCase();
    if (trials.has(key)) continue;
    const parameter = parameters.find((candidate) => candidate.name.toLowerCase() === key);
    const values =
      key === 'networkaddress' ? addresses : detail.asked === 'integer' ? numbers(parameter) : texts(parameter);
    // What is missing already need not be taken away.
    trials.set(key, { name, values: [...new Set(detail.found === null ? values : [null, ...values])] });
  }
  return [...trials.values()];
}

const factsOf = (events: readonly TraceEvent[], what: string) =>
  events.flatMap((event) => (event.kind === 'fact' && event.what === what ? [event] : []));

/** A list of bytes is REG_BINARY; as text numbers stand in the registry that come from an INF, and NDIS converts them. */
function numbers(parameter: InfParameter | undefined): SettingValue[] {
  if (parameter === undefined) return [0, HUGE, NO_NUMBER, BINARY, ''];
  const { min, max, choices } = parameter;
  const text = (value: number) => value.toString(parameter.base);
  const bounds = [...(max === undefined ? [] : [max, max + 1]), ...(min === undefined ? [] : [min, min - 1]), 0, HUGE];
  return [...bounds.filter((value) => value >= 0).map(text), NO_NUMBER, BINARY, '', ...choices.slice(0, CHOICES)];
}

function texts(parameter: InfParameter | undefined): SettingValue[] {
  const atLimit = parameter?.limit === undefined ? [] : ['x'.repeat(Math.min(parameter.limit, LONG.length))];
  return ['', LONG, 0, BINARY, ...atLimit, ...(parameter?.choices.slice(0, CHOICES) ?? [])];
}

const NO_NUMBER = 'haltex';
const BINARY = [0xff];
/** A good address; a group's; none; too short; too long; no digits. */
const addresses: readonly SettingValue[] = [
  '020000000001',
  '01005e000001',
  '',
  '0200',
  '02-00-00-00-00-00-00-01',
  NO_NUMBER,
  0,
];
