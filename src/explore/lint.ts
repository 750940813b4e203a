/**
 * What can be said about a driver without playing it: what it acquires and has no means to undo, undo calls that halt never
 * comes to, imports haltex lacks. Only DriverEntry runs, up to the registration that names MiniportHaltEx.
 */
import type { Image } from '../image/image.ts';
import { kernelFunctions } from '../kernel/functions.ts';
import type { AnyFunction } from '../kernel/record.ts';
import { type MachineConfig, type Run, run } from '../machine/machine.ts';
import { plainScenario } from '../machine/scenario.ts';
import { ndisFunctions } from '../ndis/functions.ts';
import type { Address } from '../trace/units.ts';
import { StaticCode } from './static-code.ts';

export interface LintRemark {
  readonly kind: 'undo-not-imported' | 'undo-not-reached' | 'unsupported-import' | 'no-halt-handler';
  /** One plain sentence. */
  readonly message: string;
  /** Type of the resource, or name of the import. */
  readonly about: string;
  /** Offsets in the image of the acquiring calls. */
  readonly places: readonly number[];
}

export interface LintResult {
  readonly driver: string;
  readonly imports: number;
  readonly remarks: readonly LintRemark[];
}

const functions: Readonly<Record<string, AnyFunction>> = { ...kernelFunctions, ...ndisFunctions };

/** Ends by other means than a call, or is acquired only with certain arguments. */
const ENDS_OTHERWISE = new Set([
  'system-thread',
  'dpc',
  'ktimer',
  'timer-set',
  'mapping',
  'data-start',
  'spin-lock',
  'rtl-string',
]);

/** Usually undone by the routine that acquires it, so that halt need not come to it. */
const SHORT_LIVED = new Set([
  'config-handle',
  'config-subkey',
  'handle',
  'file',
  'io-mdl',
  'locked-pages',
  'nbl-context',
]);

export function lint(config: MachineConfig & { readonly driver: { readonly kind: 'image' } }): LintResult {
  const { image, name } = config.driver;
  const imported = importsOf(image);
  const code = new StaticCode(image);
  try {
    const places = callPlaces(code, image, imported);
    const registering = upToRegistration(config);
    const halt = laterRoutines(code, image, registering);
    const remarks = [
      ...(halt === undefined ? [noHaltHandler] : []),
      ...withoutUndo(imported, places, halt === undefined ? undefined : reachedFrom(code, halt, imported)),
      ...registering.missingImports.map(unsupported),
    ];
    return { driver: name, imports: imported.size, remarks };
  } finally {
    code.dispose();
  }
}

const noHaltHandler: LintRemark = {
  kind: 'no-halt-handler',
  message: 'DriverEntry registers no miniport with a MiniportHaltEx, so what halt would undo is not known.',
  about: 'MiniportHaltEx',
  places: [],
};

/** Names by import slot. */
function importsOf({ imports }: Image): Map<number, string> {
  return new Map(
    imports.flatMap(({ symbols }) => symbols.map(({ iat, name, ordinal }) => [iat, name ?? `#${ordinal}`])),
  );
}

/** Where each import is used in the code that .pdata lists. */
function callPlaces(code: StaticCode, { functions: listed }: Image, imported: ReadonlyMap<number, string>) {
  const places = new Map<string, Set<number>>();
  for (const { begin } of listed) {
    for (const { slot, at } of code.functionAt(begin as Address).imports) {
      const name = imported.get(slot) as string;
      places.set(name, (places.get(name) ?? new Set()).add(at));
    }
  }
  return places;
}

/** DriverEntry, whose registration is refused: that tells the miniport's routines, and what the loader lacks. */
const REGISTER = 'NdisMRegisterMiniportDriver';
const upToRegistration = (config: MachineConfig): Run =>
  run(config, { ...plainScenario, faults: [{ fn: REGISTER, nth: 1, failure: 'resources' }] });

/** The routines that run before there is anything to halt. */
const INITIALIZE = ['SetOptionsHandler', 'InitializeHandlerEx', 'RestartHandler'];

/**
 * Where everything begins that may run after MiniportInitializeEx: the routines of the registration, and whatever the code or
 * the data hold the address of (timers, allocators, virtual functions). Undefined when no MiniportHaltEx is registered.
 */
function laterRoutines(code: StaticCode, image: Image, { events, imageBase }: Run): Address[] | undefined {
  const call = events.find((event) => event.kind === 'call' && event.fn === REGISTER);
  if (call?.kind !== 'call' || imageBase === undefined) return undefined;
  const given = call.args.MiniportDriverCharacteristics as Readonly<Record<string, string>> | null;
  const offset = (field: string) => offsetOf(given?.[field], imageBase);
  if (offset('HaltHandlerEx') <= 0) return undefined;
  const early = new Set(INITIALIZE.map(offset));
  const handlers = Object.keys(given ?? {})
    .filter((field) => field.includes('Handler'))
    .map(offset);
  const taken = image.functions.flatMap(({ begin }) => [...code.functionAt(begin as Address).takes]);
  return [...handlers, ...taken, ...code.pointedTo(image)].filter((at) => at > 0 && !early.has(at)) as Address[];
}

function offsetOf(pointer: string | undefined, base: Address): number {
  return pointer === undefined || BigInt(pointer) === 0n ? 0 : Number(BigInt.asIntN(64, BigInt(pointer))) - base;
}

/** Names of the imports that these routines, what they call and what they hand to others may use. */
function reachedFrom(
  code: StaticCode,
  entries: readonly Address[],
  imported: ReadonlyMap<number, string>,
): Set<string> {
  const reached = new Set(entries.flatMap((entry) => code.reachable(entry, true)));
  return new Set(
    [...reached].flatMap((begin) => code.functionAt(begin).imports.map(({ slot }) => imported.get(slot) as string)),
  );
}

function withoutUndo(
  imported: ReadonlyMap<number, string>,
  places: ReadonlyMap<string, ReadonlySet<number>>,
  reached: ReadonlySet<string> | undefined,
): LintRemark[] {
  const names = new Set(imported.values());
  const remarks: LintRemark[] = [];
  const acquirers = new Map<string, string[]>();
  for (const name of names) {
    const type = functions[name]?.acquires?.type;
    if (type !== undefined && !ENDS_OTHERWISE.has(type)) acquirers.set(type, [...(acquirers.get(type) ?? []), name]);
  }
  for (const [type, acquiring] of acquirers) {
    const undoing = Object.keys(functions).filter((name) => functions[name]?.undoes?.types.includes(type));
    const own = undoing.filter((name) => names.has(name));
    const about = { about: type, places: acquiring.flatMap((name) => [...(places.get(name) ?? [])]) };
    if (undoing.length === 0) continue;
    const acquired = `${acquiring.join(' and ')} acquire${acquiring.length === 1 ? 's' : ''}`;
    if (own.length === 0) {
      const message = `${acquired} what nothing the driver imports can undo; ${undoing.slice(0, 3).join(' or ')} is missing.`;
      remarks.push({ kind: 'undo-not-imported', message, ...about });
    } else if (reached !== undefined && !SHORT_LIVED.has(type) && !own.some((name) => reached.has(name))) {
      const message = `${acquired} what is undone on the way out of MiniportInitializeEx at most: no routine after it, MiniportHaltEx first, comes to a call of ${own.join(' or ')}.`;
      remarks.push({ kind: 'undo-not-reached', message, ...about });
    }
  }
  return remarks;
}

const unsupported = (name: string): LintRemark => ({
  kind: 'unsupported-import',
  message: `haltex does not model ${name}; a scenario that calls it is inconclusive.`,
  about: name,
  places: [],
});
