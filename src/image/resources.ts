/**
 * Resources: the tree flattened to its leaves, one resource's bytes, and the strings of the version resource.
 * Sources: Microsoft, "PE Format", section "The .rsrc Section", https://learn.microsoft.com/windows/win32/debug/pe-format;
 * "VS_VERSIONINFO structure", https://learn.microsoft.com/windows/win32/menurc/vs-versioninfo
 */
import type { DataDirectory, Image, Resource } from './image.ts';
import { type Layout, printable, type Reader } from './layout.ts';

export const RT_RCDATA = 10;
export const RT_VERSION = 16;

const SUBDIRECTORY = 0x8000_0000;
const IS_STRING = 0x8000_0000;
/** By convention the levels are type, name and language; deeper trees (or loops) are refused. */
const LEVELS = 3;
const MAX_ENTRIES = 8192;
const MAX_STRING = 256;

export function readResources(layout: Layout, directory: DataDirectory): Resource[] {
  if (directory.rva === 0 || directory.size === 0) return [];
  const reader = layout.reader('bad-resource', 'the resource table');
  const root = directory.rva;
  const resources: Resource[] = [];
  let visited = 0;
  const walk = (table: number, path: readonly (number | string)[]): void => {
    const count = reader.u16(table + 12) + reader.u16(table + 14);
    visited += count;
    if (visited > MAX_ENTRIES) throw reader.error(`has more than ${MAX_ENTRIES} entries`);
    for (let index = 0; index < count; index++) {
      const entry = table + 16 + index * 8;
      const id = reader.u32(entry);
      const offset = reader.u32(entry + 4);
      const key = id >= IS_STRING ? resourceName(reader, root + (id - IS_STRING)) : id;
      if (offset >= SUBDIRECTORY) {
        if (path.length === LEVELS - 1) throw reader.error('is nested deeper than type, name and language');
        walk(root + (offset - SUBDIRECTORY), [...path, key]);
      } else {
        const [type = key, name = 0] = path;
        const language = path.length === LEVELS - 1 && typeof key === 'number' ? key : 0;
        resources.push({ type, name, language, rva: reader.u32(root + offset), size: reader.u32(root + offset + 4) });
      }
    }
  };
  walk(root, []);
  return resources;
}

function resourceName(reader: Reader, rva: number): string {
  const length = reader.u16(rva);
  if (length > MAX_STRING) throw reader.error(`has a name of ${length} characters`);
  return printable(utf16(reader.slice(rva + 2, length * 2)));
}

/** The first resource of that type and name in any language; names compare without case, as Windows does. */
export function findResource(image: Image, type: number | string, name: number | string): Resource | undefined {
  return image.resources.find((resource) => same(resource.type, type) && same(resource.name, name));
}

/** A resource's bytes. */
export function resourceBytes(image: Image, resource: Resource): Uint8Array {
  return image.layout.reader('bad-resource', 'the resource table').slice(resource.rva, resource.size);
}

function same(a: number | string, b: number | string): boolean {
  return typeof a === 'string' && typeof b === 'string' ? a.toUpperCase() === b.toUpperCase() : a === b;
}

/**
 * The strings of the version resource (`FileVersion`, `CompanyName`, `OriginalFilename` …) of its first string table; empty
 * when there is none.
 */
export function versionStrings(image: Image): ReadonlyMap<string, string> {
  const strings = new Map<string, string>();
  const resource = image.resources.find((candidate) => candidate.type === RT_VERSION);
  if (!resource) return strings;
  const bytes = resourceBytes(image, resource);
  const root = versionBlock(bytes, 0, bytes.length);
  for (const info of root ? children(bytes, root) : []) {
    if (info.key !== 'StringFileInfo') continue;
    const [table] = children(bytes, info);
    for (const entry of table ? children(bytes, table) : []) {
      // The value's length counts characters, and is wrong in enough files that the block's own end is used instead.
      const value = utf16(bytes.subarray(entry.value, entry.end)).split('\0', 1)[0]!;
      strings.set(entry.key, printable(value));
    }
  }
  return strings;
}

/** The common form of every node: length, value length, type, key, padding to 4, value, padding to 4, children. */
interface VersionBlock {
  readonly key: string;
  readonly value: number;
  readonly childrenAt: number;
  readonly end: number;
}

function versionBlock(bytes: Uint8Array, at: number, limit: number): VersionBlock | undefined {
  if (at + 6 > limit) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint16(at, true);
  const end = at + length;
  if (length < 6 || end > limit) return undefined;
  const binary = view.getUint16(at + 4, true) === 0;
  const valueLength = view.getUint16(at + 2, true) * (binary ? 1 : 2);
  let keyEnd = at + 6;
  while (keyEnd + 2 <= end && view.getUint16(keyEnd, true) !== 0) keyEnd += 2;
  const value = Math.min(align4(keyEnd + 2), end);
  const key = printable(utf16(bytes.subarray(at + 6, keyEnd)));
  return { key, value, childrenAt: align4(value + valueLength), end };
}

function children(bytes: Uint8Array, parent: VersionBlock): VersionBlock[] {
  const found: VersionBlock[] = [];
  for (let at = parent.childrenAt; at < parent.end; ) {
    const block = versionBlock(bytes, at, parent.end);
    if (!block) break;
    found.push(block);
    at = align4(block.end);
  }
  return found;
}

function align4(value: number): number {
  return (value + 3) & ~3;
}

function utf16(bytes: Uint8Array): string {
  return new TextDecoder('utf-16le').decode(bytes);
}
