/**
 * Stream 3, debug information: the modules (one an object file), which of them each run of code came from, the public symbols'
 * streams, the sections' addresses.
 * Sources: LLVM, "The DBI Stream", https://llvm.org/docs/PDB/DbiStream.html; Microsoft, microsoft-pdb, PDB/dbi/dbi.h.
 */
import { align4, type Bytes } from './bytes.ts';
import { PdbError } from './errors.ts';

const HEADER = 64;
const MODULE_HEADER = 64;
/** `DBISCImpvV60` and `DBISCImpv2`: the second adds a section number of the object file to each entry. */
const CONTRIBUTIONS_V60 = 0xeffe0000 + 19970605;
const CONTRIBUTIONS_V2 = 0xeffe0000 + 20140516;
const NO_STREAM = 0xffff;

/** Positions in the optional debug header: streams that not every PDB has. */
const OMAP_TO_SOURCE = 3;
const SECTION_HEADERS = 5;
const ORIGINAL_SECTION_HEADERS = 10;

export interface ModuleInfo {
  /** The object file, as the linker was given it. */
  readonly name: string;
  /** Undefined: nothing is known about its code. */
  readonly stream: number | undefined;
  /** Bytes of symbol records, of the old line format, and of C13 line information, in this order in the stream. */
  readonly symbolBytes: number;
  readonly c11Bytes: number;
  readonly c13Bytes: number;
}

/** Runs of code by the module they came from, ascending by section and offset. */
export interface Contributions {
  readonly section: Uint16Array;
  readonly offset: Uint32Array;
  readonly size: Uint32Array;
  readonly module: Uint16Array;
}

export interface Dbi {
  /** What the image's RSDS record repeats: counts links of one build (observed: the info stream's age may run ahead of it). */
  readonly age: number;
  readonly publicsStream: number | undefined;
  readonly recordsStream: number | undefined;
  readonly modules: readonly ModuleInfo[];
  readonly contributions: Contributions;
  readonly sectionHeadersStream: number | undefined;
  readonly originalSectionHeadersStream: number | undefined;
  readonly omapToSourceStream: number | undefined;
}

export function readDbi(stream: Bytes): Dbi {
  if (stream.size === 0) throw new PdbError('unsupported', 'the PDB has no debug information, only types.');
  if (stream.i32(0) !== -1) throw new PdbError('unsupported', 'the PDB is of a format from before 1998.');
  const sizes = [24, 28, 32, 36, 40, 52, 48].map((at) => stream.i32(at));
  const [modules, contributions, sectionMap, sources, typeServers, editAndContinue, optional] = sizes as [
    number, number, number, number, number, number, number,
  ]; // biome-ignore format: one line
  let at = HEADER;
  const next = (size: number, what: string) => {
    const part = stream.part(at, size, what);
    at += size;
    return part;
  };
  const moduleList = readModules(next(modules, 'the list of modules'));
  const contributionList = readContributions(next(contributions, 'the list of section contributions'));
  at += sectionMap + sources + typeServers + editAndContinue;
  const header = next(optional, 'the debug header');
  const streamAt = (index: number) => (index * 2 + 2 <= header.size ? present(header.u16(index * 2)) : undefined);
  return {
    age: stream.u32(8),
    publicsStream: present(stream.u16(16)),
    recordsStream: present(stream.u16(20)),
    modules: moduleList,
    contributions: contributionList,
    sectionHeadersStream: streamAt(SECTION_HEADERS),
    originalSectionHeadersStream: streamAt(ORIGINAL_SECTION_HEADERS),
    omapToSourceStream: streamAt(OMAP_TO_SOURCE),
  };
}

const present = (index: number) => (index === NO_STREAM ? undefined : index);

function readModules(list: Bytes): ModuleInfo[] {
  const modules: ModuleInfo[] = [];
  for (let at = 0; at < list.size; ) {
    const objectName = list.textEnd(at + MODULE_HEADER) + 1;
    modules.push({
      name: list.text(at + MODULE_HEADER),
      stream: present(list.u16(at + 34)),
      symbolBytes: list.u32(at + 36),
      c11Bytes: list.u32(at + 40),
      c13Bytes: list.u32(at + 44),
    });
    at = align4(list.textEnd(objectName) + 1);
  }
  return modules;
}

function readContributions(list: Bytes): Contributions {
  const version = list.size === 0 ? CONTRIBUTIONS_V60 : list.u32(0);
  if (version !== CONTRIBUTIONS_V60 && version !== CONTRIBUTIONS_V2)
    throw list.error(`is of unknown version ${version}`);
  const entry = version === CONTRIBUTIONS_V60 ? 28 : 32;
  const count = Math.max(0, Math.floor((list.size - 4) / entry));
  const order = new Uint32Array(count);
  let sorted = true;
  const key = (index: number) => list.u16(4 + index * entry) * 2 ** 32 + list.u32(4 + index * entry + 4);
  for (let index = 0; index < count; index++) {
    order[index] = index;
    if (index > 0 && key(index) < key(index - 1)) sorted = false;
  }
  if (!sorted) order.sort((a, b) => key(a) - key(b));
  const table = {
    section: new Uint16Array(count),
    offset: new Uint32Array(count),
    size: new Uint32Array(count),
    module: new Uint16Array(count),
  };
  order.forEach((from, to) => {
    const at = 4 + from * entry;
    table.section[to] = list.u16(at);
    table.offset[to] = list.u32(at + 4);
    table.size[to] = list.u32(at + 8);
    table.module[to] = list.u16(at + 16);
  });
  return table;
}

/** Index of the contribution that holds the place, or -1. */
export function contributionAt({ section, offset, size }: Contributions, wanted: number, at: number): number {
  let low = 0;
  let high = section.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const after = section[middle]! > wanted || (section[middle]! === wanted && offset[middle]! > at);
    if (after) high = middle;
    else low = middle + 1;
  }
  const index = low - 1;
  return index >= 0 && section[index] === wanted && at - offset[index]! < size[index]! ? index : -1;
}
