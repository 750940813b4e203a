/**
 * The import, delay import and bound import directories.
 * Source: Microsoft, "PE Format", section "The .idata Section", https://learn.microsoft.com/windows/win32/debug/pe-format
 */
import { ImageError } from './errors.ts';
import type { DataDirectory, ImportedDll, ImportedSymbol } from './image.ts';
import type { Layout, Reader } from './layout.ts';

/** Far above any driver (ntoskrnl exports some three thousand names in all). */
const MAX_DLLS = 256;
const MAX_SYMBOLS = 16_384;
const MAX_NAME = 512;
const DESCRIPTOR = 20;
const DELAY_DESCRIPTOR = 32;
const ORDINAL_FLAG = 0x8000_0000_0000_0000n;

/** What the image asks of other modules, by DLL, in the order of the file. */
export function readImports(layout: Layout, directory: DataDirectory): ImportedDll[] {
  if (directory.rva === 0) return [];
  const reader = layout.reader('bad-import', 'the import table');
  const dlls: ImportedDll[] = [];
  let symbolCount = 0;
  // The table ends at an empty descriptor; the directory's size is not what loaders go by.
  for (let descriptor = directory.rva; ; descriptor += DESCRIPTOR) {
    const lookup = reader.u32(descriptor);
    const nameRva = reader.u32(descriptor + 12);
    const iat = reader.u32(descriptor + 16);
    if (nameRva === 0 || iat === 0) return dlls;
    if (dlls.length === MAX_DLLS) throw tooMany(`more than ${MAX_DLLS} modules`);
    const name = reader.name(nameRva, MAX_NAME);
    if (name === '') throw reader.error('has a module without a name');
    // Old linkers leave the lookup table out; the address table holds the same before loading.
    const symbols = readThunks(reader, lookup === 0 ? iat : lookup, iat, MAX_SYMBOLS - symbolCount);
    symbolCount += symbols.length;
    dlls.push({ name, symbols });
  }
}

function readThunks(reader: Reader, table: number, iat: number, allowed: number): ImportedSymbol[] {
  const symbols: ImportedSymbol[] = [];
  for (let index = 0; ; index++) {
    const thunk = reader.u64(table + index * 8);
    if (thunk === 0n) return symbols;
    if (index === allowed) throw tooMany(`more than ${MAX_SYMBOLS} functions`);
    const slot = iat + index * 8;
    reader.check(slot, 8);
    if ((thunk & ORDINAL_FLAG) !== 0n) {
      symbols.push({ ordinal: Number(thunk & 0xffffn), iat: slot });
      continue;
    }
    if (thunk > 0x7fff_ffffn) throw reader.error('has an entry that is neither a name nor an ordinal');
    // Two bytes of hint precede the name.
    const name = reader.name(Number(thunk) + 2, MAX_NAME);
    if (name === '') throw reader.error('has a function without a name');
    symbols.push({ name, iat: slot });
  }
}

/** The DLLs of the delay import directory; only their names, because haltex does not load on demand. */
export function readDelayImports(layout: Layout, directory: DataDirectory): string[] {
  if (directory.rva === 0) return [];
  const reader = layout.reader('bad-import', 'the delay import table');
  const names: string[] = [];
  for (let descriptor = directory.rva; ; descriptor += DELAY_DESCRIPTOR) {
    const nameRva = reader.u32(descriptor + 4);
    if (nameRva === 0) return names;
    if (names.length === MAX_DLLS) throw tooMany(`more than ${MAX_DLLS} delay-loaded modules`);
    names.push(reader.name(nameRva, MAX_NAME));
  }
}

function tooMany(what: string): ImageError {
  return new ImageError('too-large', `the image imports ${what}, more than haltex accepts.`);
}
