/**
 * The exception directory: which code belongs to which function, and how each function changes the stack.
 * Source: Microsoft, "x64 exception handling", https://learn.microsoft.com/cpp/build/exception-handling-x64.
 * Version 2 is not on that page; its epilog codes are as LLVM's readobj and the .NET runtime's unwinder (taken from Windows)
 * read them: observed. Version 3 (APX, a preview) is refused.
 */
import { rvaText } from './errors.ts';
import type { DataDirectory, Image, RuntimeFunction } from './image.ts';
import type { Layout, Reader } from './layout.ts';

/** What one UNWIND_CODE undoes; `at` is the offset in the prolog of the instruction after the one it describes. */
export type UnwindCode =
  | { readonly op: 'PUSH_NONVOL'; readonly at: number; readonly register: number }
  | { readonly op: 'ALLOC_LARGE' | 'ALLOC_SMALL'; readonly at: number; readonly size: number }
  | { readonly op: 'SET_FPREG'; readonly at: number }
  | {
      readonly op: 'SAVE_NONVOL' | 'SAVE_NONVOL_FAR' | 'SAVE_XMM128' | 'SAVE_XMM128_FAR';
      readonly at: number;
      readonly register: number;
      /** From the base of the fixed allocation, in bytes. */
      readonly offset: number;
    }
  | { readonly op: 'PUSH_MACHFRAME'; readonly at: number; readonly errorCode: boolean };

/** Version 2: where the epilogs are. All epilogs of a function have the same size, counted from the first pop. */
export interface Epilogs {
  readonly size: number;
  /** One of them ends where the function ends. */
  readonly atEnd: boolean;
  /** Beginnings of the others, as distances back from the function's end. */
  readonly fromEnd: readonly number[];
}

export interface UnwindInfo {
  readonly rva: number;
  readonly version: number;
  readonly prologSize: number;
  /** Register number of the frame pointer; 0 when the function has none. */
  readonly frameRegister: number;
  /** Frame pointer minus RSP when it was established, in bytes. */
  readonly frameOffset: number;
  /** In the order of the file: the last instruction of the prolog first. */
  readonly codes: readonly UnwindCode[];
  readonly epilogs: Epilogs | undefined;
  readonly handler: LanguageHandler | undefined;
  /** The function this one continues, whose own codes apply after these. */
  readonly chained: RuntimeFunction | undefined;
}

/** The routine Windows calls for exceptions in a function, e.g. `__C_specific_handler` or `__GSHandlerCheck`. */
export interface LanguageHandler {
  readonly rva: number;
  /** What the handler finds in DispatcherContext.HandlerData. */
  readonly dataRva: number;
  /** UNW_FLAG_EHANDLER: called while searching for a handler. */
  readonly exception: boolean;
  /** UNW_FLAG_UHANDLER: called while unwinding. */
  readonly termination: boolean;
}

const FUNCTION_ENTRY = 12;
const MAX_FUNCTIONS = 131_072;

const FLAG_EHANDLER = 1;
const FLAG_UHANDLER = 2;
const FLAG_CHAININFO = 4;

const UWOP_EPILOG = 6;

/** Slots after the first, by operation; ALLOC_LARGE has one more when its info is 1. */
const extraSlots: readonly number[] = [0, 1, 0, 0, 1, 2, 0, 0, 1, 2, 0];

/**
 * The RUNTIME_FUNCTION array in ascending order. Entries that describe no code of this image are left out and counted:
 * Windows does not look at the table until an exception happens, so neither is it a reason to refuse a driver.
 */
export function readFunctions(
  layout: Layout,
  directory: DataDirectory,
  sizeOfImage: number,
): { functions: RuntimeFunction[]; ignored: number } {
  const functions: RuntimeFunction[] = [];
  const count = directory.rva === 0 ? 0 : Math.floor(directory.size / FUNCTION_ENTRY);
  if (count === 0) return { functions, ignored: 0 };
  const reader = layout.reader('bad-unwind', 'the exception table');
  if (count > MAX_FUNCTIONS) throw reader.error(`claims ${count} functions`);
  reader.check(directory.rva, count * FUNCTION_ENTRY);
  let sorted = true;
  for (let index = 0; index < count; index++) {
    const entry = readFunction(reader, directory.rva + index * FUNCTION_ENTRY);
    if (entry.begin >= entry.end || entry.end > sizeOfImage) continue;
    sorted &&= functions.length === 0 || functions.at(-1)!.end <= entry.begin;
    functions.push(entry);
  }
  if (!sorted) functions.sort((a, b) => a.begin - b.begin);
  return { functions, ignored: count - functions.length };
}

function readFunction(reader: Reader, rva: number): RuntimeFunction {
  return { begin: reader.u32(rva), end: reader.u32(rva + 4), unwindInfo: reader.u32(rva + 8) };
}

/** The function that holds the code at `rva`; undefined for leaf functions, which have no entry. */
export function findFunction(image: Image, rva: number): RuntimeFunction | undefined {
  const { functions } = image;
  let low = 0;
  let high = functions.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const entry = functions[middle]!;
    if (rva < entry.begin) high = middle - 1;
    else if (rva >= entry.end) low = middle + 1;
    else return resolveIndirect(image, entry);
  }
  return undefined;
}

/** Observed (winnt.h's RUNTIME_FUNCTION_INDIRECT): an odd unwind RVA points to another RUNTIME_FUNCTION. */
function resolveIndirect(image: Image, entry: RuntimeFunction): RuntimeFunction {
  if ((entry.unwindInfo & 1) === 0) return entry;
  return readFunction(functionReader(image, entry), entry.unwindInfo - 1);
}

/** The function a chain of unwind infos ends at: the one with the real entry point. */
export function primaryFunction(image: Image, entry: RuntimeFunction): RuntimeFunction {
  return unwindChain(image, entry).at(-1)!.entry;
}

export interface ChainLink {
  readonly entry: RuntimeFunction;
  readonly info: UnwindInfo;
}

/** A function's unwind info followed by those it continues. Windows gives up after 32 links as well. */
export function unwindChain(image: Image, entry: RuntimeFunction): ChainLink[] {
  const chain: ChainLink[] = [];
  for (let next: RuntimeFunction | undefined = entry; next; ) {
    if (chain.length > 32) throw functionReader(image, entry).error('is chained to itself');
    const info = readUnwindInfo(image, next);
    chain.push({ entry: next, info });
    next = info.chained;
  }
  return chain;
}

/** Parses a function's UNWIND_INFO. Throws ImageError (`bad-unwind`) on data Windows could not use either. */
export function readUnwindInfo(image: Image, entry: RuntimeFunction): UnwindInfo {
  const reader = functionReader(image, entry);
  const at = entry.unwindInfo;
  const version = reader.u8(at) & 7;
  const flags = reader.u8(at) >> 3;
  const slotCount = reader.u8(at + 2);
  const frame = reader.u8(at + 3);
  if (version !== 1 && version !== 2) throw reader.error(`has version ${version}; haltex knows versions 1 and 2`);
  if ((flags & FLAG_CHAININFO) !== 0 && flags !== FLAG_CHAININFO) {
    throw reader.error('is chained and has a handler of its own, which exclude each other');
  }
  const slots = at + 4;
  // "This array always has an even number of entries."
  const tail = slots + (slotCount + (slotCount & 1)) * 2;
  const epilogSlots = version === 2 ? countEpilogSlots(reader, slots, slotCount) : 0;
  const hasHandler = (flags & (FLAG_EHANDLER | FLAG_UHANDLER)) !== 0;
  return {
    rva: at,
    version,
    prologSize: reader.u8(at + 1),
    frameRegister: frame & 15,
    frameOffset: (frame >> 4) * 16,
    codes: readCodes(reader, slots, epilogSlots, slotCount),
    epilogs: epilogSlots === 0 ? undefined : readEpilogs(reader, slots, epilogSlots),
    handler: hasHandler
      ? {
          rva: reader.u32(tail),
          dataRva: tail + 4,
          exception: (flags & FLAG_EHANDLER) !== 0,
          termination: (flags & FLAG_UHANDLER) !== 0,
        }
      : undefined,
    chained: (flags & FLAG_CHAININFO) !== 0 ? readFunction(reader, tail) : undefined,
  };
}

function functionReader(image: Image, entry: RuntimeFunction): Reader {
  return image.layout.reader('bad-unwind', `the unwind data of the function at RVA ${rvaText(entry.begin)}`);
}

/** Epilog codes come first; they are one slot each. */
function countEpilogSlots(reader: Reader, slots: number, slotCount: number): number {
  let count = 0;
  while (count < slotCount && (reader.u8(slots + count * 2 + 1) & 15) === UWOP_EPILOG) count++;
  return count;
}

function readEpilogs(reader: Reader, slots: number, count: number): Epilogs {
  const fromEnd: number[] = [];
  for (let index = 1; index < count; index++) {
    const offset = reader.u8(slots + index * 2) | ((reader.u8(slots + index * 2 + 1) >> 4) << 8);
    // An offset of 0 pads the epilog codes to an even number.
    if (offset === 0) break;
    fromEnd.push(offset);
  }
  return { size: reader.u8(slots), atEnd: ((reader.u8(slots + 1) >> 4) & 1) !== 0, fromEnd };
}

function readCodes(reader: Reader, slots: number, first: number, slotCount: number): UnwindCode[] {
  const codes: UnwindCode[] = [];
  for (let index = first; index < slotCount; ) {
    const slot = slots + index * 2;
    const at = reader.u8(slot);
    const operation = reader.u8(slot + 1) & 15;
    const info = reader.u8(slot + 1) >> 4;
    const extra = (extraSlots[operation] ?? 0) + (operation === 1 && info === 1 ? 1 : 0);
    if (index + extra >= slotCount) throw reader.error('ends in the middle of an unwind code');
    const operand = extra === 0 ? 0 : extra === 1 ? reader.u16(slot + 2) : reader.u32(slot + 2);
    codes.push(decode(reader, at, operation, info, operand));
    index += 1 + extra;
  }
  return codes;
}

function decode(reader: Reader, at: number, operation: number, info: number, operand: number): UnwindCode {
  switch (operation) {
    case 0:
      return { op: 'PUSH_NONVOL', at, register: info };
    case 1:
      if (info > 1) throw reader.error(`has an UWOP_ALLOC_LARGE with the undefined info ${info}`);
      return { op: 'ALLOC_LARGE', at, size: info === 0 ? operand * 8 : operand };
    case 2:
      return { op: 'ALLOC_SMALL', at, size: info * 8 + 8 };
    case 3:
      return { op: 'SET_FPREG', at };
    case 4:
      return { op: 'SAVE_NONVOL', at, register: info, offset: operand * 8 };
    case 5:
      return { op: 'SAVE_NONVOL_FAR', at, register: info, offset: operand };
    case 8:
      return { op: 'SAVE_XMM128', at, register: info, offset: operand * 16 };
    case 9:
      return { op: 'SAVE_XMM128_FAR', at, register: info, offset: operand };
    case 10:
      return { op: 'PUSH_MACHFRAME', at, errorCode: info !== 0 };
    default:
      throw reader.error(`has the undefined unwind code ${operation}`);
  }
}
