/**
 * The C runtime's string functions that ntoskrnl exports, each for 8-bit and for 16-bit characters from one definition, and
 * qsort and bsearch. They walk checked memory unit by unit: a string without an end faults where it leaves its block.
 * Case is folded for ASCII only, as the C locale of the kernel does it; towlower and towupper know all of Unicode (assumed to
 * equal ntoskrnl's case table). Pages: C runtime reference (strcmp, wcscmp, …).
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { moveMemory } from './memory-routines.ts';
import { ANY, CODE, callback, functionsOf, LONG, POINTER, SIZE_T, USHORT } from './record.ts';
import type { Coroutine } from './scheduler.ts';

/** How characters of one width are read and written. */
export interface Characters {
  readonly size: 1 | 2;
  read(memory: GuestMemory, string: Address, index: number): number;
  write(memory: GuestMemory, string: Address, index: number, unit: number): void;
}
export const narrow: Characters = {
  size: 1,
  read: (memory, string, index) => memory.readU8(at(string, index)),
  write: (memory, string, index, unit) => memory.writeU8(at(string, index), unit),
};
export const wide: Characters = {
  size: 2,
  read: (memory, string, index) => memory.readU16(at(string, 2 * index)),
  write: (memory, string, index, unit) => memory.writeU16(at(string, 2 * index), unit),
};

const ASCII_CASE = 0x20;
export function lowerAscii(unit: number): number {
  return unit >= 0x41 && unit <= 0x5a ? unit | ASCII_CASE : unit;
}
export function upperAscii(unit: number): number {
  return unit >= 0x61 && unit <= 0x7a ? unit & ~ASCII_CASE : unit;
}
/** One UTF-16 unit in upper case; units whose upper case is longer stay as they are. */
export function upperUnicode(unit: number): number {
  const upper = String.fromCharCode(unit).toUpperCase();
  return upper.length === 1 ? upper.charCodeAt(0) : unit;
}
export function lowerUnicode(unit: number): number {
  const lower = String.fromCharCode(unit).toLowerCase();
  return lower.length === 1 ? lower.charCodeAt(0) : unit;
}

/** Characters before the end of a string, at most `limit`. */
export function unitsOf(
  memory: GuestMemory,
  chars: Characters,
  string: Address,
  limit = Number.POSITIVE_INFINITY,
): number {
  let count = 0;
  while (count < limit && chars.read(memory, string, count) !== 0) count++;
  return count;
}

export function copyUnits(
  memory: GuestMemory,
  chars: Characters,
  to: Address,
  start: number,
  from: Address,
  count: number,
): void {
  for (let i = 0; i < count; i++) chars.write(memory, to, start + i, chars.read(memory, from, i));
}

function compare(
  memory: GuestMemory,
  chars: Characters,
  first: Address,
  second: Address,
  count: number,
  fold: (unit: number) => number,
): number {
  for (let i = 0; i < count; i++) {
    const [left, right] = [fold(chars.read(memory, first, i)), fold(chars.read(memory, second, i))];
    if (left !== right) return left < right ? -1 : 1;
    if (left === 0) return 0;
  }
  return 0;
}

function find(memory: GuestMemory, chars: Characters, string: Address, unit: number, last: boolean): Address {
  let found = NULL;
  for (let i = 0; ; i++) {
    const here = chars.read(memory, string, i);
    if (here === unit) {
      found = at(string, i * chars.size);
      if (!last) return found;
    }
    if (here === 0) return found;
  }
}

function findString(memory: GuestMemory, chars: Characters, string: Address, wanted: Address): Address {
  const size = unitsOf(memory, chars, wanted);
  for (let i = 0; ; i++) {
    const here = at(string, i * chars.size);
    if (compare(memory, chars, here, wanted, size, (unit) => unit) === 0) return here;
    if (chars.read(memory, here, 0) === 0) return NULL;
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', page: 'crt:strings', irql: ANY } as const;
const same = (unit: number) => unit;

const lengthOf = (chars: Characters) =>
  f({
    ...common,
    params: { Text: POINTER },
    returns: 'u64',
    body: ({ memory }, { Text }) => BigInt(unitsOf(memory, chars, Text)),
  });
const boundedLength = (chars: Characters) =>
  f({
    ...common,
    params: { Text: POINTER, MaxCount: SIZE_T },
    returns: 'u64',
    body: ({ memory }, { Text, MaxCount }) => BigInt(unitsOf(memory, chars, Text, MaxCount)),
  });
const comparing = (chars: Characters, fold: (unit: number) => number) =>
  f({
    ...common,
    params: { String1: POINTER, String2: POINTER },
    returns: 'i32',
    body: ({ memory }, { String1, String2 }) =>
      compare(memory, chars, String1, String2, Number.POSITIVE_INFINITY, fold),
  });
const comparingSome = (chars: Characters, fold: (unit: number) => number) =>
  f({
    ...common,
    params: { String1: POINTER, String2: POINTER, Count: SIZE_T },
    returns: 'i32',
    body: ({ memory }, { String1, String2, Count }) => compare(memory, chars, String1, String2, Count, fold),
  });
const copying = (chars: Characters, append: boolean) =>
  f({
    ...common,
    params: { Destination: POINTER, Source: POINTER },
    returns: 'pointer',
    body({ memory }, { Destination, Source }) {
      const start = append ? unitsOf(memory, chars, Destination) : 0;
      copyUnits(memory, chars, Destination, start, Source, unitsOf(memory, chars, Source) + 1);
      return Destination;
    },
  });
/** strncpy fills the rest with zeros and may leave no end; strncat always ends. */
const copyingSome = (chars: Characters, append: boolean) =>
  f({
    ...common,
    params: { Destination: POINTER, Source: POINTER, Count: SIZE_T },
    returns: 'pointer',
    body({ memory }, { Destination, Source, Count }) {
      const start = append ? unitsOf(memory, chars, Destination) : 0;
      const used = unitsOf(memory, chars, Source, Count);
      copyUnits(memory, chars, Destination, start, Source, used);
      const end = append ? start + used + 1 : Count;
      for (let i = start + used; i < end; i++) chars.write(memory, Destination, i, 0);
      return Destination;
    },
  });
const finding = (chars: Characters, last: boolean) =>
  f({
    ...common,
    params: { Text: POINTER, Character: LONG },
    returns: 'pointer',
    body: ({ memory }, { Text, Character }) =>
      find(memory, chars, Text, Character & (chars.size === 1 ? 0xff : 0xffff), last),
  });
const findingString = (chars: Characters) =>
  f({
    ...common,
    params: { Text: POINTER, Wanted: POINTER },
    returns: 'pointer',
    body: ({ memory }, { Text, Wanted }) => findString(memory, chars, Text, Wanted),
  });
/** Changes the case of a string in place. */
const folding = (chars: Characters, map: (unit: number) => number) =>
  f({
    ...common,
    params: { String: POINTER },
    returns: 'pointer',
    body({ memory }, { String: string }) {
      const count = unitsOf(memory, chars, string);
      for (let i = 0; i < count; i++) chars.write(memory, string, i, map(chars.read(memory, string, i)));
      return string;
    },
  });
const character = (map: (unit: number) => number) =>
  f({ ...common, params: { Character: LONG }, returns: 'i32', body: (_, { Character }) => map(Character) });
const wideCharacter = (map: (unit: number) => number) =>
  f({ ...common, params: { Character: USHORT }, returns: 'u16', body: (_, { Character }) => map(Character) });
const parsing = (chars: Characters) =>
  f({
    ...common,
    params: { Text: POINTER },
    returns: 'i32',
    body({ memory }, { Text }) {
      let text = '';
      for (let i = 0; i < 64; i++) {
        const unit = chars.read(memory, Text, i);
        if (unit === 0) break;
        text += String.fromCharCode(unit);
      }
      return Number(/^\s*([+-]?\d+)/.exec(text)?.[1] ?? 0) | 0;
    },
  });

const COMPARE = callback({
  name: 'compare routine',
  page: 'crt:qsort',
  params: { First: POINTER, Second: POINTER },
  returns: 'i32',
  irql: ANY,
});

/** Sorts elements of the driver's array with the driver's own comparison: insertion, so that few bytes move at a time. */
function* sort(kernel: Kernel, base: Address, count: number, width: number, routine: Address): Coroutine<undefined> {
  const { memory, heap, invoker } = kernel;
  const held = heap.allocate(Math.max(width, 1), 'element being sorted');
  for (let i = 1; i < count; i++) {
    moveMemory(memory, held, at(base, i * width), width);
    let to = i;
    while (
      to > 0 &&
      (yield* invoker.invoke(COMPARE, routine, { First: at(base, (to - 1) * width), Second: held })) > 0
    ) {
      moveMemory(memory, at(base, to * width), at(base, (to - 1) * width), width);
      to--;
    }
    moveMemory(memory, at(base, to * width), held, width);
  }
  heap.free(held);
  return undefined;
}

export const cStringFunctions = {
  strlen: lengthOf(narrow),
  wcslen: lengthOf(wide),
  strnlen: boundedLength(narrow),
  wcsnlen: boundedLength(wide),
  strcmp: comparing(narrow, same),
  wcscmp: comparing(wide, same),
  _stricmp: comparing(narrow, lowerAscii),
  _wcsicmp: comparing(wide, lowerAscii),
  strncmp: comparingSome(narrow, same),
  wcsncmp: comparingSome(wide, same),
  _strnicmp: comparingSome(narrow, lowerAscii),
  _wcsnicmp: comparingSome(wide, lowerAscii),
  strcpy: copying(narrow, false),
  wcscpy: copying(wide, false),
  strcat: copying(narrow, true),
  wcscat: copying(wide, true),
  strncpy: copyingSome(narrow, false),
  wcsncpy: copyingSome(wide, false),
  strncat: copyingSome(narrow, true),
  wcsncat: copyingSome(wide, true),
  strchr: finding(narrow, false),
  wcschr: finding(wide, false),
  strrchr: finding(narrow, true),
  wcsrchr: finding(wide, true),
  strstr: findingString(narrow),
  wcsstr: findingString(wide),
  _strupr: folding(narrow, upperAscii),
  _strlwr: folding(narrow, lowerAscii),
  _wcsupr: folding(wide, upperAscii),
  _wcslwr: folding(wide, lowerAscii),
  tolower: character(lowerAscii),
  toupper: character(upperAscii),
  towlower: wideCharacter(lowerUnicode),
  towupper: wideCharacter(upperUnicode),
  isdigit: character((unit) => (unit >= 0x30 && unit <= 0x39 ? 1 : 0)),
  isxdigit: character((unit) => (/[0-9a-fA-F]/.test(String.fromCharCode(unit)) ? 1 : 0)),
  isspace: character((unit) => (unit === 0x20 || (unit >= 9 && unit <= 13) ? 1 : 0)),
  isupper: character((unit) => (unit >= 0x41 && unit <= 0x5a ? 1 : 0)),
  islower: character((unit) => (unit >= 0x61 && unit <= 0x7a ? 1 : 0)),
  isprint: character((unit) => (unit >= 0x20 && unit <= 0x7e ? 1 : 0)),
  atoi: parsing(narrow),
  atol: parsing(narrow),
  _wtoi: parsing(wide),
  _wtol: parsing(wide),
  qsort: f({
    ...common,
    params: { Base: POINTER, Count: SIZE_T, Width: SIZE_T, Compare: CODE },
    returns: 'void',
    body: (kernel, { Base, Count, Width, Compare }) => sort(kernel, Base, Count, Width, Compare),
  }),
  bsearch: f({
    ...common,
    params: { Key: POINTER, Base: POINTER, Count: SIZE_T, Width: SIZE_T, Compare: CODE },
    returns: 'pointer',
    *body({ invoker }, { Key, Base, Count, Width, Compare }) {
      let [low, high] = [0, Count];
      while (low < high) {
        const middle = at(Base, ((low + high) >> 1) * Width);
        const order = yield* invoker.invoke(COMPARE, Compare, { First: Key, Second: middle });
        if (order === 0) return middle;
        if (order < 0) high = (low + high) >> 1;
        else low = ((low + high) >> 1) + 1;
      }
      return NULL;
    },
  }),
};
