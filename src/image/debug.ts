/**
 * The debug directory: which PDB belongs to the image, and whether its timestamp is one.
 * Source: Microsoft, "PE Format", section "Debug Directory", https://learn.microsoft.com/windows/win32/debug/pe-format.
 * The RSDS record itself is observed: signature, GUID, age, NUL-terminated UTF-8 path.
 */
import type { CodeView, DataDirectory, DebugInfo } from './image.ts';
import { type Layout, printable, type Reader } from './layout.ts';

const ENTRY = 28;
const MAX_ENTRIES = 64;
const MAX_PATH_BYTES = 4096;
const TYPE_CODEVIEW = 2;
const TYPE_REPRO = 16;
const RSDS = 0x53445352;

export function readDebug(layout: Layout, directory: DataDirectory): DebugInfo {
  let codeView: CodeView | undefined;
  let reproducible = false;
  if (directory.rva !== 0) {
    const reader = layout.reader('bad-debug', 'the debug directory');
    const count = Math.floor(directory.size / ENTRY);
    if (count > MAX_ENTRIES) throw reader.error(`claims ${count} entries`);
    for (let index = 0; index < count; index++) {
      const at = directory.rva + index * ENTRY;
      const type = reader.u32(at + 12);
      if (type === TYPE_REPRO) reproducible = true;
      if (type === TYPE_CODEVIEW) codeView ??= readCodeView(reader, reader.u32(at + 20), reader.u32(at + 16));
    }
  }
  return { codeView, reproducible };
}

function readCodeView(reader: Reader, rva: number, size: number): CodeView | undefined {
  // Older records (NB10) belong to PDB formats that no x64 driver uses; data that is not mapped has no RVA.
  if (rva === 0 || size < 25 || reader.u32(rva) !== RSDS) return undefined;
  const path = reader.slice(rva + 24, Math.min(size - 24, MAX_PATH_BYTES));
  const end = path.indexOf(0);
  return {
    guid: guidText(reader.slice(rva + 4, 16)),
    age: reader.u32(rva + 20),
    path: printable(new TextDecoder().decode(path.subarray(0, end < 0 ? path.length : end))),
  };
}

/** A GUID as debuggers print it: the first three fields are little-endian numbers, the rest is bytes. */
export function guidText(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15];
  return order
    .map((index) => (index < 0 ? '-' : bytes[index]!.toString(16).padStart(2, '0')))
    .join('')
    .toUpperCase();
}
