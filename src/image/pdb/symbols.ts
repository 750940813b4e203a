/**
 * Symbol records: the procedures of a module, and the public symbols of the whole image.
 * Sources: LLVM, "CodeView Symbol Records", https://llvm.org/docs/PDB/CodeViewSymbols.html, and "The Public Symbol Stream";
 * Microsoft, microsoft-pdb, include/cvinfo.h, for the layouts.
 */
import type { Bytes } from './bytes.ts';

/** Kinds of records, by their names in cvinfo.h. */
export const Kind = {
  S_END: 0x0006,
  S_THUNK32: 0x1102,
  S_BLOCK32: 0x1103,
  S_PUB32: 0x110e,
  S_LPROC32: 0x110f,
  S_GPROC32: 0x1110,
  S_SEPCODE: 0x1132,
  S_LPROC32_ID: 0x1146,
  S_GPROC32_ID: 0x1147,
  S_INLINESITE: 0x114d,
  S_INLINESITE_END: 0x114e,
  S_PROC_ID_END: 0x114f,
  S_LPROC32_DPC: 0x1155,
  S_LPROC32_DPC_ID: 0x1156,
  S_INLINESITE2: 0x115d,
} as const;

const PROCEDURES: ReadonlySet<number> = new Set([
  Kind.S_LPROC32,
  Kind.S_GPROC32,
  Kind.S_LPROC32_ID,
  Kind.S_GPROC32_ID,
  Kind.S_LPROC32_DPC,
  Kind.S_LPROC32_DPC_ID,
]);

/** What begins a module's symbols since Visual C++ 7. */
const SIGNATURE_C13 = 4;

export interface Procedure {
  readonly name: string;
  readonly section: number;
  readonly offset: number;
  readonly size: number;
  /** Where the records inside it begin. */
  readonly body: number;
  /** A jump the linker wrote: to an import, or past the reach of a call. */
  readonly thunk: boolean;
}

/**
 * Calls `visit` for each record from `at` on with its kind and the place and size of its data, until it gives false.
 * A record that leaves the list is refused.
 */
export function eachRecord(
  list: Bytes,
  at: number,
  visit: (kind: number, data: number, size: number) => boolean,
): void {
  while (at + 4 <= list.size) {
    const length = list.u16(at);
    if (length < 2) throw list.error('have a record without a kind');
    list.check(at + 2, length);
    if (!visit(list.u16(at + 2), at + 4, length - 2)) return;
    at += 2 + length;
  }
}

/** The procedures and thunks of a module, ascending by place; of those at one place the first stays first. */
export function readProcedures(list: Bytes): Procedure[] {
  const found: Procedure[] = [];
  if (list.size < 4 || list.u32(0) !== SIGNATURE_C13) return found;
  eachRecord(list, 4, (kind, data, size) => {
    if (PROCEDURES.has(kind)) {
      found.push({
        name: list.text(data + 35),
        section: list.u16(data + 32),
        offset: list.u32(data + 28),
        size: list.u32(data + 12),
        body: data + size,
        thunk: false,
      });
    } else if (kind === Kind.S_THUNK32) {
      found.push({
        name: list.text(data + 21),
        section: list.u16(data + 16),
        offset: list.u32(data + 12),
        size: list.u16(data + 18),
        body: data + size,
        thunk: true,
      });
    }
    return true;
  });
  return found.sort((a, b) => a.section - b.section || a.offset - b.offset);
}

/** The procedure around a place. */
export function procedureAt(procedures: readonly Procedure[], section: number, offset: number): Procedure | undefined {
  let low = 0;
  let high = procedures.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { section: itsSection, offset: start } = procedures[middle]!;
    if (itsSection > section || (itsSection === section && start > offset)) high = middle;
    else low = middle + 1;
  }
  // Several at one place (folded by the linker): the first.
  const last = procedures[low - 1];
  let best: Procedure | undefined;
  for (let index = low - 1; last !== undefined && index >= 0; index--) {
    const procedure = procedures[index]!;
    if (procedure.section !== section || procedure.offset !== last.offset) break;
    if (offset - procedure.offset < procedure.size) best = procedure;
  }
  return best;
}

export interface PublicSymbol {
  /** As the linker knows it: C++ names are decorated. */
  readonly name: string;
  readonly section: number;
  readonly offset: number;
}

const PUBLICS_HEADER = 28;

/** Public symbols by address: an index sorted by the linker, and the records it points to. */
export class Publics {
  readonly #addresses: Bytes;
  readonly #records: Bytes;

  constructor(stream: Bytes, records: Bytes) {
    const size = stream.u32(4);
    // The header is followed by a hash table by name and the index by address.
    this.#addresses = stream.part(PUBLICS_HEADER + stream.u32(0), size - (size & 3), 'the index of public symbols');
    this.#records = records;
  }

  /** The last public symbol at or before the place, in its section. */
  before(section: number, offset: number): PublicSymbol | undefined {
    let low = 0;
    let high = this.#addresses.size / 4;
    while (low < high) {
      const middle = (low + high) >> 1;
      const symbol = this.#at(middle);
      if (symbol.section > section || (symbol.section === section && symbol.offset > offset)) high = middle;
      else low = middle + 1;
    }
    if (low === 0) return undefined;
    const { section: its, offset: start, name } = this.#at(low - 1);
    return its === section ? { section, offset: start, name: this.#records.text(name) } : undefined;
  }

  #at(index: number): { section: number; offset: number; name: number } {
    const data = this.#addresses.u32(index * 4) + 4;
    if (this.#records.u16(data - 2) !== Kind.S_PUB32) throw this.#addresses.error('points to something else');
    return { section: this.#records.u16(data + 8), offset: this.#records.u32(data + 4), name: data + 10 };
  }
}
