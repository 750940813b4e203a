/**
 * From an RVA to a section and an offset, which is how a PDB names places. Images that were rearranged after linking carry a
 * map (OMAP) from where code is to where the linker had put it.
 * Source: LLVM, "The DBI Stream", section "Optional Debug Header Stream"; Microsoft, dbghelp, OMAP structure.
 */
import type { Bytes } from './bytes.ts';

const SECTION_HEADER = 40;
const OMAP_ENTRY = 8;

export interface Place {
  /** Counts from 1. */
  readonly section: number;
  readonly offset: number;
}

export class Sections {
  readonly #headers: Bytes;
  readonly #omap: Bytes | undefined;

  constructor(headers: Bytes, omap: Bytes | undefined) {
    this.#headers = headers;
    this.#omap = omap;
  }

  /** Undefined: outside every section, or code that the linker did not write. */
  placeOf(rva: number): Place | undefined {
    const linked = this.#omap === undefined ? rva : linkedAt(this.#omap, rva);
    if (linked === undefined) return undefined;
    for (let index = 0; (index + 1) * SECTION_HEADER <= this.#headers.size; index++) {
      const offset = linked - this.#headers.u32(index * SECTION_HEADER + 12);
      if (offset >= 0 && offset < this.#headers.u32(index * SECTION_HEADER + 8)) return { section: index + 1, offset };
    }
    return undefined;
  }

  /** For tests: where a place was linked to; not through an OMAP. */
  rvaOf({ section, offset }: Place): number {
    return this.#headers.u32((section - 1) * SECTION_HEADER + 12) + offset;
  }
}

/** Each entry holds from its RVA to the next one's; a target of 0 is code that was added. */
function linkedAt(omap: Bytes, rva: number): number | undefined {
  let low = 0;
  let high = Math.floor(omap.size / OMAP_ENTRY);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (omap.u32(middle * OMAP_ENTRY) > rva) high = middle;
    else low = middle + 1;
  }
  if (low === 0) return undefined;
  const target = omap.u32((low - 1) * OMAP_ENTRY + 4);
  return target === 0 ? undefined : target + (rva - omap.u32((low - 1) * OMAP_ENTRY));
}
