/**
 * The export directory: miniports rarely have one, export drivers and ntoskrnl-like modules do.
 * Source: Microsoft, "PE Format", section "The .edata Section", https://learn.microsoft.com/windows/win32/debug/pe-format
 */
import type { DataDirectory, ExportedSymbol, Exports } from './image.ts';
import type { Layout } from './layout.ts';

/** Far above any driver; ordinals themselves are 16 bits wide. */
const MAX_EXPORTS = 16_384;
const MAX_NAME = 512;

export function readExports(layout: Layout, directory: DataDirectory): Exports | undefined {
  if (directory.rva === 0) return undefined;
  const reader = layout.reader('bad-export', 'the export table');
  const at = directory.rva;
  const base = reader.u32(at + 16);
  const functionCount = reader.u32(at + 20);
  const nameCount = reader.u32(at + 24);
  const functions = reader.u32(at + 28);
  const names = reader.u32(at + 32);
  const ordinals = reader.u32(at + 36);
  if (functionCount > MAX_EXPORTS || nameCount > MAX_EXPORTS || base > 0xffff) {
    throw reader.error(`claims ${functionCount} functions and ${nameCount} names`);
  }
  if (functionCount > 0) reader.check(functions, functionCount * 4);

  const symbols: ExportedSymbol[] = [];
  const named = new Set<number>();
  const add = (index: number, name: string | undefined): void => {
    const rva = reader.u32(functions + index * 4);
    if (rva === 0) return;
    // An address inside the export directory itself is the string of a forwarder.
    const forwarded = rva >= directory.rva && rva < directory.rva + directory.size;
    symbols.push({
      ordinal: base + index,
      ...(name === undefined ? {} : { name }),
      ...(forwarded ? { forwarder: reader.name(rva, MAX_NAME) } : { rva }),
    });
  };
  for (let index = 0; index < nameCount; index++) {
    const position = reader.u16(ordinals + index * 2);
    if (position >= functionCount) throw reader.error('gives a name to a function that does not exist');
    named.add(position);
    add(position, reader.name(reader.u32(names + index * 4), MAX_NAME));
  }
  for (let index = 0; index < functionCount; index++) {
    if (!named.has(index)) add(index, undefined);
  }
  symbols.sort((a, b) => a.ordinal - b.ordinal);
  const dll = reader.u32(at + 12);
  return { dll: dll === 0 ? '' : reader.name(dll, MAX_NAME), symbols };
}
