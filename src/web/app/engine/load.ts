/** From the files given to a machine: which of them is the driver, and what the others are to it. The sentences are the CLI's. */
import { plug } from '../../../devices/pci-bus.ts';
import { bundledDevices, type DeviceFactory, genericFor } from '../../../devices/registry.ts';
import { ImageError } from '../../../image/errors.ts';
import { type Inf, readInf } from '../../../image/inf.ts';
import { PdbError } from '../../../image/pdb/errors.ts';
import { readImage } from '../../../image/read.ts';
import type { DriverFile } from '../../../machine/driver-file.ts';
import { deviceByDefault, installedBy, isDeviceDefinition } from '../../../machine/hardware-choice.ts';
import type { MachineConfig } from '../../../machine/machine.ts';
import { isMiniport } from '../../../machine/miniport.ts';
import { notAMiniport } from '../../../machine/not-a-miniport.ts';
import { baseName } from '../../../report/place.ts';
import { type Symbols, symbolsFrom } from '../../../report/symbols.ts';
import type { Check, GivenFile } from '../messages.ts';
import { isSource, sourceAmong } from '../sources.ts';
import { Refusal } from './refusal.ts';
import { isScript, Scripts } from './scripts.ts';

export interface Loaded {
  readonly config: MachineConfig;
  readonly symbols: Symbols | undefined;
  /** How the user would name the driver on a command line. */
  readonly path: string;
  /** What the user should know of the files, a sentence each. */
  readonly notices: readonly string[];
  readonly source: (file: string) => string | undefined;
}

const ends = (end: string) => (file: GivenFile) => file.path.toLowerCase().endsWith(end);
/** Lines of an INF that cannot be understood and are told. */
const SHOWN_PROBLEMS = 5;

/** @throws Refusal */
export async function load({ files, driver: named, device }: Check): Promise<Loaded> {
  const notices: string[] = [];
  const text = new TextDecoder();
  const sources = new Map(files.filter(isSource).map(({ path, bytes }) => [path, text.decode(bytes)]));
  const scripts = new Map([...sources].filter(([path]) => isScript(path)));
  const { path, driver, modelled } = await driverAmong(files, scripts, named);
  const inf = infAmong(files, path, notices);
  const found = modelled ?? deviceFor(driver, device, inf?.hardwareIds ?? []);
  return {
    path,
    config: {
      driver,
      ...(found === undefined ? {} : { device: found }),
      ...(inf === undefined ? {} : { adapterValues: installedBy(inf), parameters: inf.parameters }),
    },
    symbols: symbolsAmong(files, driver, path, notices),
    notices,
    source: sourceAmong(sources),
  };
}

interface Found {
  readonly path: string;
  readonly driver: DriverFile;
  /** The device among the scripts. */
  readonly modelled: DeviceFactory | undefined;
}

/** An image, beside which scripts are a model of its hardware; or a miniport among the scripts. */
async function driverAmong(
  files: readonly GivenFile[],
  texts: ReadonlyMap<string, string>,
  named: string | undefined,
): Promise<Found> {
  const images =
    named === undefined ? files.filter(isImage) : files.filter(({ path }) => path === named && !isScript(path));
  if (images.length > 1) {
    throw new Refusal(`${images.map(({ path }) => path).join(', ')}: these are several drivers; drop one at a time.`);
  }
  const [image] = images;
  const driver = image === undefined ? undefined : imageOf(image);
  const scripts = new Scripts(texts);
  const roots = named !== undefined && isScript(named) ? [named] : named === undefined ? await scripts.roots() : [];
  const exported: { path: string; value: unknown }[] = [];
  for (const path of roots) exported.push({ path, value: await scripts.importDefault(path) });
  const devices = exported.filter(({ value }) => isDeviceDefinition(value));
  if (devices.length > 1) {
    throw new Refusal(`${devices.map(({ path }) => path).join(', ')}: these are several devices; drop one at a time.`);
  }
  const definition = devices[0]?.value;
  const modelled: DeviceFactory | undefined = isDeviceDefinition(definition)
    ? (kernel, plugging) => plug(kernel, definition, {}, plugging)
    : undefined;
  if (image !== undefined && driver !== undefined) {
    const [other] = exported.filter(({ value }) => !isDeviceDefinition(value));
    if (other !== undefined && modelled === undefined) {
      throw new Refusal(
        `${other.path}: its default export is not a device; write «export default defineDevice({ … })».`,
      );
    }
    return { path: image.path, driver, modelled };
  }
  const miniports = exported.filter(({ value }) => isMiniport(value));
  const [miniport] = miniports;
  if (miniports.length > 1) {
    throw new Refusal(
      `${miniports.map(({ path }) => path).join(', ')}: these are several drivers; drop one at a time.`,
    );
  }
  if (miniport !== undefined && isMiniport(miniport.value)) {
    const { path, value } = miniport;
    return { path, driver: { kind: 'typescript', name: baseName(path), miniport: value }, modelled };
  }
  const [script] = exported;
  throw new Refusal(
    script === undefined
      ? `${files.map(({ path }) => path).join(', ')}: there is no driver among these; drop an x64 .sys, or a miniport in TypeScript.`
      : `${script.path}: its default export is not a miniport; write «export default defineMiniport(…)».`,
  );
}

const OTHERS = /\.(pdb|inf|cat|map|txt|md|json|vcxproj|sln|rc)$/i;

/** By its name, or, whatever its name, because nothing else is known to be in it. */
const isImage = (file: GivenFile) => ends('.sys')(file) || (!isSource(file) && !OTHERS.test(file.path));

function imageOf({ path, bytes }: GivenFile): DriverFile {
  try {
    const image = readImage(bytes);
    const other = notAMiniport(image);
    if (other !== undefined) throw new Refusal(`${path}: ${other}`);
    return { kind: 'image', name: baseName(path), image };
  } catch (error) {
    if (error instanceof ImageError) throw new Refusal(`${path}: ${error.message}`);
    throw error;
  }
}

/** The INF named like the driver, or the only one. */
function infAmong(files: readonly GivenFile[], driver: string, notices: string[]): Inf | undefined {
  const file = mostLike(files.filter(ends('.inf')), driver);
  if (file === undefined) return undefined;
  const inf = readInf(file.bytes);
  const [first] = inf.problems;
  if (first?.line === 0) throw new Refusal(`${file.path}: ${first.text}.`);
  for (const { line, text } of inf.problems.slice(0, SHOWN_PROBLEMS)) notices.push(`${file.path}:${line}: ${text}.`);
  const more = inf.problems.length - SHOWN_PROBLEMS;
  if (more > 0) notices.push(`${file.path}: ${more} more lines are not as they should be.`);
  return inf;
}

function symbolsAmong(
  files: readonly GivenFile[],
  driver: DriverFile,
  path: string,
  notices: string[],
): Symbols | undefined {
  const file = mostLike(files.filter(ends('.pdb')), path);
  if (file === undefined) return undefined;
  if (driver.kind === 'typescript') {
    notices.push(`${file.path} is not used: a miniport in TypeScript has no PDB.`);
    return undefined;
  }
  const { codeView } = driver.image.debug;
  if (codeView === undefined) {
    notices.push(`${file.path} is not used: ${path} does not say which PDB is its own (it was linked without /DEBUG).`);
    return undefined;
  }
  try {
    return symbolsFrom(driver.name, file.bytes, codeView);
  } catch (error) {
    if (!(error instanceof PdbError)) throw error;
    notices.push(`symbols are not used: ${file.path}: ${error.message}`);
    return undefined;
  }
}

const stem = (path: string) =>
  baseName(path)
    .replace(/\.\w+$/, '')
    .toLowerCase();
const mostLike = (files: readonly GivenFile[], driver: string) =>
  files.find(({ path }) => stem(path) === stem(driver)) ?? (files.length === 1 ? files[0] : undefined);

function deviceFor(
  driver: DriverFile,
  named: Check['device'],
  hardwareIds: readonly string[],
): DeviceFactory | undefined {
  if (named === 'none') return undefined;
  if (named === 'default') return deviceByDefault(driver, hardwareIds);
  if (named !== 'generic') return bundledDevices[named];
  const device = hardwareIds.map(genericFor).find((factory) => factory !== undefined);
  if (device !== undefined) return device;
  throw new Refusal('A device without a model takes its ids from the INF: drop the driver together with its INF.');
}
