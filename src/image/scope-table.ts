/**
 * The handler data of `__C_specific_handler` (and the head of `__GSHandlerCheck_SEH`'s): the `__try` blocks of a function.
 * The layout is SCOPE_TABLE_AMD64 in the SDK's winnt.h.
 */
import type { Image } from './image.ts';

/** One `__try` block: code from `begin` to before `end`. */
export interface ScopeRecord {
  readonly begin: number;
  readonly end: number;
  /**
   * For `__except`: the RVA of the filter, or 1 for EXCEPTION_EXECUTE_HANDLER without a filter.
   * For `__finally`: the RVA of the termination handler.
   */
  readonly handler: number;
  /** Where `__except` continues; 0 for `__finally`. */
  readonly target: number;
}

export const EXECUTE_HANDLER = 1;
const RECORD = 16;
const MAX_RECORDS = 4096;

/** Reads the scope table at `rva` (a handler's `dataRva`). Only for handlers that are known to have one. */
export function readScopeTable(image: Image, rva: number): ScopeRecord[] {
  const reader = image.layout.reader('bad-unwind', 'a scope table');
  const count = reader.u32(rva);
  if (count > MAX_RECORDS) throw reader.error(`claims ${count} records`);
  const records: ScopeRecord[] = [];
  for (let index = 0; index < count; index++) {
    const at = rva + 4 + index * RECORD;
    records.push({
      begin: reader.u32(at),
      end: reader.u32(at + 4),
      handler: reader.u32(at + 8),
      target: reader.u32(at + 12),
    });
  }
  return records;
}

/**
 * The import that the code at `rva` does nothing but jump to (`jmp [rip + IAT slot]`), which is how a language handler that
 * lives in ntoskrnl appears in a driver.
 */
export function importThunkTarget(image: Image, rva: number): { dll: string; name: string } | undefined {
  const span = image.layout.find(rva);
  if (!span || rva + 7 > span.rva + span.size) return undefined;
  const reader = image.layout.reader('bad-unwind', 'an import thunk');
  // An optional REX.W prefix marks the jump as one that leaves the function.
  const start = reader.u8(rva) === 0x48 ? rva + 1 : rva;
  if (reader.u16(start) !== 0x25ff) return undefined;
  const slot = start + 6 + (reader.u32(start + 2) | 0);
  for (const dll of image.imports) {
    for (const symbol of dll.symbols) {
      if (symbol.iat === slot) return { dll: dll.name, name: symbol.name ?? `#${symbol.ordinal}` };
    }
  }
  return undefined;
}
