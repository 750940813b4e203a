/**
 * The little of an INF file that a machine needs: the hardware ids of its models, and the registry values its AddReg sections
 * give the adapter's key (defaults of `Ndi\params` count as values, as the class installer writes them).
 * Pages: install/general-syntax-rules-for-inf-files, install/inf-addreg-directive, network/adding-registry-values-and-keys.
 */
export interface Inf {
  /** `PCI\VEN_8086&DEV_1539` and the like, upper case, in order. */
  readonly hardwareIds: readonly string[];
  /** Values of the adapter's key by name. */
  readonly values: Readonly<Record<string, string | number | Uint8Array>>;
}

type Sections = ReadonlyMap<string, readonly string[]>;

/** Reads an INF; what it does not understand it leaves out. Throws nothing: any text is an INF, if an empty one. */
export function readInf(bytes: Uint8Array): Inf {
  const sections = split(decode(bytes));
  const strings = new Map(
    (sections.get('strings') ?? []).map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at).trim().toLowerCase(), unquote(line.slice(at + 1))] as const;
    }),
  );
  const expand = (text: string) =>
    text.replace(/%([^%]+)%/g, (whole, name: string) => strings.get(name.toLowerCase()) ?? whole);
  const models = modelSections(sections, expand).flatMap((name) => sections.get(name) ?? []);
  const hardwareIds: string[] = [];
  const installs: string[] = [];
  for (const line of models) {
    const [install, ...ids] = fields(expand(line.slice(line.indexOf('=') + 1)));
    if (install !== undefined) installs.push(install.toLowerCase());
    hardwareIds.push(...ids.map((id) => id.toUpperCase()));
  }
  return { hardwareIds: [...new Set(hardwareIds)], values: valuesOf(sections, installs, expand) };
}

function decode(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes.subarray(2));
  return new TextDecoder('utf-8').decode(bytes);
}

function split(text: string): Sections {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const raw of text.replace(/\\\r?\n/g, '').split(/\r?\n/)) {
    const line = raw.replace(/;(?=(?:[^"]*"[^"]*")*[^"]*$).*$/, '').trim();
    const header = /^\[(.+)\]$/.exec(line);
    if (header?.[1] !== undefined) {
      const name = header[1].trim().toLowerCase();
      current = sections.get(name) ?? [];
      sections.set(name, current);
    } else if (line !== '') current.push(line);
  }
  return sections;
}

/** `[Manufacturer]` names a models section and its decorations: `%Me% = Models, NTamd64, NTx86`. */
function modelSections(sections: Sections, expand: (text: string) => string): string[] {
  return (sections.get('manufacturer') ?? []).flatMap((line) => {
    const [name, ...decorations] = fields(expand(line.slice(line.indexOf('=') + 1)));
    if (name === undefined) return [];
    const base = name.toLowerCase();
    return [base, ...decorations.map((decoration) => `${base}.${decoration.toLowerCase()}`)];
  });
}

/** AddReg values of the first install section and its decorated twins. */
function valuesOf(sections: Sections, installs: readonly string[], expand: (text: string) => string): Inf['values'] {
  const values: Record<string, string | number | Uint8Array> = {};
  const install = installs[0];
  if (install === undefined) return values;
  const parts = [...sections].filter(([name]) => name === install || name.startsWith(`${install}.nt`));
  for (const [, lines] of parts) {
    const addReg = lines.find((line) => /^addreg\s*=/i.test(line));
    for (const section of fields(addReg?.slice(addReg.indexOf('=') + 1) ?? '')) {
      for (const line of sections.get(section.toLowerCase()) ?? []) add(values, fields(expand(line)));
    }
  }
  return values;
}

const FLG_ADDREG_TYPE_DWORD = 0x0001_0001;
const FLG_ADDREG_BINARY = 0x1;

function add(values: Record<string, string | number | Uint8Array>, [root, key, name, flags, ...data]: string[]): void {
  if (root?.toUpperCase() !== 'HKR') return;
  const parameter = /^ndi\\params\\([^\\]+)$/i.exec(key ?? '');
  if (parameter?.[1] !== undefined && name?.toLowerCase() === 'default') {
    if (data[0] !== undefined && !(parameter[1] in values)) values[parameter[1]] = data[0];
    return;
  }
  if (key !== '' || name === undefined || name === '') return;
  const type = Number(flags || 0);
  if ((type & FLG_ADDREG_TYPE_DWORD) === FLG_ADDREG_TYPE_DWORD) values[name] = Number(data[0] ?? 0);
  else if ((type & FLG_ADDREG_BINARY) !== 0)
    values[name] = Uint8Array.from(data, (byte) => Number.parseInt(byte, 16) || 0);
  else values[name] = data[0] ?? '';
}

/** Fields between commas; quotes keep commas and are taken off. */
function fields(text: string): string[] {
  if (text.trim() === '') return [];
  const parts = [''];
  let quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    if (char === ',' && !quoted) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts.map(unquote);
}

function unquote(text: string): string {
  const trimmed = text.trim();
  return trimmed.startsWith('"') && trimmed.endsWith('"') && trimmed.length >= 2
    ? trimmed.slice(1, -1).replaceAll('""', '"')
    : trimmed;
}
