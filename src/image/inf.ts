/**
 * What a machine needs of an INF file: the hardware ids of its models, the registry values it leaves in the adapter's key, and
 * the settings it lets users choose (`Ndi\params`), with their bounds. Pages: install/inf-manufacturer-section,
 * install/inf-models-section, install/inf-addreg-directive, network/specifying-configuration-parameters-for-the-advanced-properties-page.
 */
import { type InfLine, type InfProblem, InfText } from './inf-lines.ts';

export type InfValue = string | number | Uint8Array | readonly string[];

/** A setting of the Advanced page: keys under `Ndi\params\<name>`. */
export interface InfParameter {
  readonly name: string;
  readonly type?: 'int' | 'long' | 'word' | 'dword' | 'edit' | 'enum';
  readonly default?: string;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  /** Of numbers as they stand in the registry; 10 unless the INF says 16. */
  readonly base: 10 | 16;
  /** The most characters of an `edit`. */
  readonly limit?: number;
  /** Values of an `enum`, in order. */
  readonly choices: readonly string[];
}

export interface Inf {
  /** `PCI\VEN_8086&DEV_1539` and the like, upper case, in order. */
  readonly hardwareIds: readonly string[];
  /**
   * Values of the adapter's key by name, those of its subkeys by path (`Queues\\Count`); defaults of settings are among them, as
   * the class installer writes them (observed).
   */
  readonly values: Readonly<Record<string, InfValue>>;
  readonly parameters: readonly InfParameter[];
  /** What could not be understood, in order of lines. The rest of the file counts all the same. */
  readonly problems: readonly InfProblem[];
}

interface Model {
  readonly install: string;
  readonly ids: readonly string[];
  readonly line: InfLine;
}

/**
 * Reads an INF. Throws nothing: whatever the bytes, what is no INF has problems.
 * @param hardwareId the device to install; the first that the file lists by default
 */
export function readInf(bytes: Uint8Array, hardwareId?: string): Inf {
  const text = new InfText(bytes);
  if (text.section('Version') === undefined) text.problem(0, 'there is no [Version] section, so it is not an INF file');
  const models = modelsOf(text);
  const wanted = hardwareId?.toUpperCase();
  const model = wanted === undefined ? models[0] : models.find(({ ids }) => ids.includes(wanted));
  const key = new AdapterKey(text);
  if (model !== undefined) install(text, model, key);
  return {
    hardwareIds: [...new Set(models.flatMap(({ ids }) => ids))],
    ...key.result(),
    problems: text.problems.toSorted((a, b) => a.line - b.line),
  };
}

/**
 * Of a decorated name's variants those for x64 Windows, the most special first: `.NTamd64.10.0`, `.NTamd64`, `.NT`, none.
 * `.NT$ARCH$` is what stampinf makes `.NTamd64` of: samples and sources have such templates.
 */
function forThisWindows(names: readonly string[], base: string): string[] {
  const decorated = names
    .filter((name) => ['ntamd64', 'nt$arch$'].some((architecture) => name.startsWith(`${base}.${architecture}`)))
    .toSorted((a, b) => (a < b ? 1 : -1));
  return [...decorated, `${base}.nt`, base].filter((name) => names.includes(name));
}

/** `[Manufacturer]` names models sections and their decorations; a models line reads `description = install, id, …`. */
function modelsOf(text: InfText): Model[] {
  const models: Model[] = [];
  const names = [...text.sections.keys()];
  for (const line of text.section('Manufacturer') ?? []) {
    const { left, right } = text.assignment(line);
    const [named] = text.fields(line, right);
    const base = (named ?? left ?? '').toLowerCase();
    const all = forThisWindows(names, base);
    if (all.length === 0) {
      text.problem(line.number, `there is no models section [${base}] for x64`);
      continue;
    }
    const decorated = all.filter((name) => name.startsWith(`${base}.nt`));
    for (const section of decorated.length > 0 ? decorated : all) {
      for (const model of text.section(section) ?? []) models.push(...modelOf(text, model));
    }
  }
  return models;
}

function modelOf(text: InfText, line: InfLine): Model[] {
  const { left, right } = text.assignment(line);
  const [install, ...ids] = text.fields(line, right);
  if (left === undefined || install === undefined || install === '') {
    text.problem(line.number, 'a line of a models section reads description = install section, hardware id');
    return [];
  }
  return [{ install: install.toLowerCase(), ids: ids.filter((id) => id !== '').map((id) => id.toUpperCase()), line }];
}

/** Follows the AddReg directives of the model's install section. */
function install(text: InfText, model: Model, key: AdapterKey): void {
  const [section] = forThisWindows([...text.sections.keys()], model.install);
  if (section === undefined) {
    text.problem(model.line.number, `there is no install section [${model.install}]`);
    return;
  }
  for (const line of text.section(section) ?? []) {
    const { left, right } = text.assignment(line);
    if (left?.toLowerCase() !== 'addreg') continue;
    for (const name of text.fields(line, right)) {
      const entries = text.section(name);
      if (entries === undefined) text.problem(line.number, `there is no AddReg section [${name}]`);
      for (const entry of entries ?? []) key.add(entry);
    }
  }
}

const Flag = { BINARY: 0x1, DELETE: 0x4, KEY_ONLY: 0x10, TYPE: 0xffff_0001 } as const;
/** Types of values that AddReg names, as its flags have them. */
const AddRegType = {
  SZ: 0,
  BINARY: 0x1,
  MULTI_SZ: 0x1_0000,
  DWORD: 0x1_0001,
  EXPAND_SZ: 0x2_0000,
  NONE: 0x2_0001,
} as const;
const ROOTS = ['HKR', 'HKLM', 'HKCR', 'HKCU', 'HKU'];
const PARAMETER = /^ndi\\params\\([^\\]+)(\\enum)?$/i;
const TYPES = ['int', 'long', 'word', 'dword', 'edit', 'enum'] as const;

/** Attributes of one setting, as its lines give them. */
interface Attributes {
  readonly name: string;
  readonly line: number;
  readonly texts: Map<string, string>;
  readonly choices: string[];
}

/** The adapter's key as AddReg lines fill it; names are matched without case. */
class AdapterKey {
  private readonly text: InfText;
  private readonly values = new Map<string, { name: string; value: InfValue }>();
  private readonly parameters = new Map<string, Attributes>();

  constructor(text: InfText) {
    this.text = text;
  }

  /** A line reads `root, subkey, name, flags, value…`. */
  add(line: InfLine): void {
    const [root = '', subkey = '', name = '', flags = '', ...data] = this.text.fields(line);
    if (!ROOTS.includes(root.toUpperCase())) {
      this.text.problem(line.number, `an AddReg line begins with ${ROOTS.join(', ')}, not with «${root}»`);
      return;
    }
    const type = flags === '' ? 0 : numberOf(flags);
    if (type === undefined) {
      this.text.problem(line.number, `the flags of an AddReg line are a number, not «${flags}»`);
      return;
    }
    if (root.toUpperCase() !== 'HKR') return;
    const key = subkey.replace(/^\\+|\\+$/g, '');
    const below = key === '' ? '' : `${key}\\`;
    if ((type & Flag.KEY_ONLY) !== 0) {
      if (below !== '') this.set(line, below, AddRegType.SZ, ['']);
      return;
    }
    const parameter = PARAMETER.exec(key);
    if (parameter !== null) this.describe(line, parameter[1] as string, parameter[2] !== undefined, name, data[0]);
    else if (below + name !== '') this.set(line, below + name, type, data);
  }

  private set(line: InfLine, name: string, flags: number, data: readonly string[]): void {
    if ((flags & Flag.DELETE) !== 0 && (flags & Flag.BINARY) === 0) {
      this.values.delete(name.toLowerCase());
      return;
    }
    const value = typedValue((flags & Flag.TYPE) >>> 0, data);
    if (value === undefined) this.text.problem(line.number, `the value of «${name}» is not of the type its flags say`);
    else this.values.set(name.toLowerCase(), { name, value });
  }

  private describe(line: InfLine, parameter: string, choice: boolean, name: string, value: string | undefined): void {
    const known = this.parameters.get(parameter.toLowerCase());
    const attributes: Attributes = known ?? { name: parameter, line: line.number, texts: new Map(), choices: [] };
    this.parameters.set(parameter.toLowerCase(), attributes);
    if (choice) attributes.choices.push(name);
    else if (value === undefined) this.text.problem(line.number, `«${name}» of the setting ${parameter} has no value`);
    else attributes.texts.set(name.toLowerCase(), value);
  }

  result(): Pick<Inf, 'values' | 'parameters'> {
    const parameters = [...this.parameters.values()].map((attributes) => this.parameter(attributes));
    const defaults = parameters.flatMap(({ name, default: value }) =>
      value === undefined ? [] : [[name, value] as const],
    );
    const given = [...this.values.values()].map(({ name, value }) => [name, value] as const);
    const isGiven = (name: string) => this.values.has(name.toLowerCase());
    return { values: Object.fromEntries([...defaults.filter(([name]) => !isGiven(name)), ...given]), parameters };
  }

  private parameter({ name, line, texts, choices }: Attributes): InfParameter {
    const base = texts.get('base') === '16' ? 16 : 10;
    const type = TYPES.find((known) => known === texts.get('type')?.toLowerCase());
    if (type === undefined && texts.has('type')) {
      this.text.problem(line, `the setting ${name} has the type «${texts.get('type')}»; there are ${TYPES.join(', ')}`);
    }
    const number = (attribute: string): Record<string, number> => {
      const text = texts.get(attribute);
      if (text === undefined || text === '') return {};
      const value = numberOf(text, base);
      if (value === undefined) this.text.problem(line, `«${attribute}» of the setting ${name} is no number: «${text}»`);
      return value === undefined ? {} : { [attribute === 'limittext' ? 'limit' : attribute]: value };
    };
    return {
      name,
      ...(type === undefined ? {} : { type }),
      ...(texts.has('default') ? { default: texts.get('default') as string } : {}),
      ...number('min'),
      ...number('max'),
      ...number('step'),
      ...number('limittext'),
      base,
      choices: [...new Set(choices)],
    };
  }
}

/** Undefined for data that the type does not allow. */
function typedValue(type: number, data: readonly string[]): InfValue | undefined {
  switch (type) {
    case AddRegType.SZ:
    case AddRegType.EXPAND_SZ:
      return data[0] ?? '';
    case AddRegType.MULTI_SZ:
      return data;
    case AddRegType.DWORD: {
      const number = data.length === 4 ? undefined : numberOf(data[0] ?? '0');
      if (number !== undefined) return number >>> 0;
      const four = bytesOf(data);
      return four?.length === 4 ? new DataView(four.buffer).getUint32(0, true) : undefined;
    }
    case AddRegType.BINARY:
    case AddRegType.NONE:
      return bytesOf(data);
    default:
      // Any other registry type in the upper half, with bytes.
      return bytesOf(data);
  }
}

function bytesOf(data: readonly string[]): Uint8Array | undefined {
  const digits = data.filter((text) => text !== '');
  return digits.every((text) => /^(0x)?[0-9a-f]{1,2}$/i.test(text))
    ? Uint8Array.from(digits, (text) => Number.parseInt(text, 16))
    : undefined;
}

/** Decimal, `0x…`, or hexadecimal where the base says so. */
function numberOf(text: string, base: 10 | 16 = 10): number | undefined {
  const hexadecimal = /^-?0x[0-9a-f]+$/i.test(text) || (base === 16 && /^-?[0-9a-f]+$/i.test(text));
  if (!hexadecimal && !/^-?\d+$/.test(text)) return undefined;
  const value = Number.parseInt(text, hexadecimal ? 16 : 10);
  return Number.isSafeInteger(value) ? value : undefined;
}
