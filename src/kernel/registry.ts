/**
 * The registry: a tree of keys with values in memory, filled by the machine's configuration before the driver runs. Names are
 * matched without case, as Windows does; values are bytes with a type. Whoever models a key of its own (NDIS' configuration)
 * works on the same tree. Symbolic links: CurrentControlSet is a key here.
 */

export const RegType = { NONE: 0, SZ: 1, EXPAND_SZ: 2, BINARY: 3, DWORD: 4, LINK: 6, MULTI_SZ: 7, QWORD: 11 } as const;

export interface RegistryValue {
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
}

/** A value as configuration gives it: a number is REG_DWORD, text REG_SZ, a list of texts REG_MULTI_SZ, bytes REG_BINARY. */
export type RegistryInit = number | string | readonly string[] | Uint8Array | { type: number; data: Uint8Array };

function wide(text: string): Uint8Array {
  const data = new Uint8Array(2 * text.length);
  const view = new DataView(data.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), true);
  return data;
}

function encode(init: RegistryInit): { type: number; data: Uint8Array } {
  if (typeof init === 'number') {
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, init, true);
    return { type: RegType.DWORD, data };
  }
  if (typeof init === 'string') return { type: RegType.SZ, data: wide(`${init}\0`) };
  if (init instanceof Uint8Array) return { type: RegType.BINARY, data: init };
  if ('data' in init) return { type: init.type, data: init.data };
  return { type: RegType.MULTI_SZ, data: wide(`${init.map((text) => `${text}\0`).join('')}\0`) };
}

export class RegistryKey {
  readonly name: string;
  readonly parent: RegistryKey | undefined;
  private readonly children = new Map<string, RegistryKey>();
  private readonly entries = new Map<string, RegistryValue>();

  constructor(name: string, parent?: RegistryKey) {
    this.name = name;
    this.parent = parent;
  }

  get path(): string {
    return this.parent === undefined ? '' : `${this.parent.path}\\${this.name}`;
  }

  get keys(): readonly RegistryKey[] {
    return [...this.children.values()];
  }

  get values(): readonly RegistryValue[] {
    return [...this.entries.values()];
  }

  /** The key under this one by a path of names, or undefined. */
  find(path: string): RegistryKey | undefined {
    return names(path).reduce<RegistryKey | undefined>((key, name) => key?.children.get(name.toUpperCase()), this);
  }

  /** The same, made where it is missing. */
  ensure(path: string): RegistryKey {
    return names(path).reduce<RegistryKey>((key, name) => {
      const known = key.children.get(name.toUpperCase());
      if (known !== undefined) return known;
      const made = new RegistryKey(name, key);
      key.children.set(name.toUpperCase(), made);
      return made;
    }, this);
  }

  value(name: string): RegistryValue | undefined {
    return this.entries.get(name.toUpperCase());
  }

  set(name: string, init: RegistryInit): void {
    this.entries.set(name.toUpperCase(), { name, ...encode(init) });
  }

  /** Sets a value of this key or, where the name is a path, of the key below it that the path leads to. */
  setBelow(path: string, init: RegistryInit): void {
    const [key, name] = split(path);
    this.ensure(key).set(name, init);
  }

  /** Takes such a value away, where there is one. */
  deleteBelow(path: string): void {
    const [key, name] = split(path);
    this.find(key)?.deleteValue(name);
  }

  /** False when there is no such value. */
  deleteValue(name: string): boolean {
    return this.entries.delete(name.toUpperCase());
  }

  /** Takes the key out of its parent; false when it has keys of its own. */
  delete(): boolean {
    if (this.children.size > 0) return false;
    this.parent?.children.delete(this.name.toUpperCase());
    return true;
  }
}

/** A value's path as its key's and its name. */
function split(path: string): readonly [key: string, name: string] {
  const end = path.lastIndexOf('\\');
  return [path.slice(0, Math.max(0, end)), path.slice(end + 1)];
}

function names(path: string): string[] {
  return path.split('\\').filter((name) => name !== '');
}

const SERVICES = '\\Registry\\Machine\\System\\CurrentControlSet\\Services';

export class Registry {
  readonly root = new RegistryKey('');

  constructor() {
    for (const path of [
      SERVICES,
      '\\Registry\\Machine\\System\\CurrentControlSet\\Control\\Class',
      '\\Registry\\Machine\\Hardware\\DeviceMap',
      '\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion',
      '\\Registry\\User\\.Default',
    ]) {
      this.root.ensure(path);
    }
  }

  find(path: string): RegistryKey | undefined {
    return this.root.find(path);
  }

  ensure(path: string): RegistryKey {
    return this.root.ensure(path);
  }

  /** The key DriverEntry gets the path of. */
  service(driver: string): RegistryKey {
    return this.root.ensure(`${SERVICES}\\${driver}`);
  }

  /** The driver key of the machine's nth network adapter: where an INF's configuration parameters are. */
  adapter(index: number): RegistryKey {
    const number = String(index).padStart(4, '0');
    return this.root.ensure(`\\Registry\\Machine\\System\\CurrentControlSet\\Control\\Class\\${NET_CLASS}\\${number}`);
  }
}

/** GUID_DEVCLASS_NET. */
const NET_CLASS = '{4d36e972-e325-11ce-bfc1-08002be10318}';
