/**
 * Streams 1 and /names: which build the PDB belongs to, streams that have names, and the table that file names stand in.
 * Sources: LLVM, "The PDB Info (aka the PDB Stream) Stream", https://llvm.org/docs/PDB/PdbStream.html, and "The String Table".
 */
import { guidText } from '../debug.ts';
import type { Bytes } from './bytes.ts';
import { PdbError } from './errors.ts';

/** PDB files of Visual C++ 7 and later say 20000404 here. */
const VERSION_VC70 = 20000404;
const STRING_TABLE = 0xeffeeffe;

export interface Info {
  /** As debuggers print it, upper case with dashes. */
  readonly guid: string;
  /** How often the file was written; not what the image carries (see dbi.ts). */
  readonly age: number;
  /** Streams by name: `/names`, `/LinkInfo`, … */
  readonly named: ReadonlyMap<string, number>;
}

export function readInfo(stream: Bytes): Info {
  const version = stream.u32(0);
  if (version < VERSION_VC70) {
    throw new PdbError('unsupported', `this is a PDB of version ${version}; haltex reads ${VERSION_VC70} and later.`);
  }
  return { age: stream.u32(8), guid: guidText(stream.raw(12, 16)), named: readNamed(stream, 28) };
}

/** A serialized hash table from name to stream: the strings, then which buckets are used, then the used buckets. */
function readNamed(stream: Bytes, start: number): Map<string, number> {
  const stringsSize = stream.u32(start);
  const strings = stream.part(start + 4, stringsSize);
  let at = start + 4 + stringsSize;
  const count = stream.u32(at);
  at += 8;
  // The bit vectors of used and of deleted buckets.
  at += 4 + stream.u32(at) * 4;
  at += 4 + stream.u32(at) * 4;
  stream.check(at, count * 8);
  const named = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    named.set(strings.text(stream.u32(at + index * 8)), stream.u32(at + index * 8 + 4));
  }
  return named;
}

/** The strings of the `/names` stream: file names are offsets into them. */
export function readStrings(stream: Bytes): Bytes {
  if (stream.u32(0) !== STRING_TABLE) throw stream.error('does not begin as one');
  return stream.part(12, stream.u32(8));
}
