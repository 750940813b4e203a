/**
 * The checking functions of the C runtime that ntoskrnl exports (`strcpy_s`, `memcpy_s`, …), each for 8-bit and for 16-bit
 * characters from one definition. They give 0 or an errno; an invalid parameter comes back as its errno, for a kernel has no
 * handler to call (assumed). Pages: C runtime reference (strcpy-s-wcscpy-s-mbscpy-s, memcpy-s-wmemcpy-s, …).
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { type Characters, copyUnits, narrow, unitsOf, wide } from './c-strings.ts';
import type { Kernel } from './kernel.ts';
import { moveMemory } from './memory-routines.ts';
import { ANY, functionsOf, POINTER, SIZE_T } from './record.ts';

const EINVAL = 22;
const ERANGE = 34;
const STRUNCATE = 80;
/** _TRUNCATE, (size_t)-1. */
const TRUNCATE = 2 ** 64;

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', page: 'crt:secure-strings', irql: ANY } as const;

interface Target {
  readonly chars: Characters;
  readonly to: Address;
  /** Characters there is room for, the end included. */
  readonly room: number;
}

/** Leaves an empty string behind, as the page says of every failure that knows its destination. */
function refuse(memory: GuestMemory, { chars, to }: Target, errno: number): number {
  chars.write(memory, to, 0, 0);
  return errno;
}

/** Writes up to `count` characters of `from` behind the first `start` ones of the destination, and an end. */
function put(memory: GuestMemory, target: Target, start: number, from: Address, count: number): number {
  const { chars, to, room } = target;
  const left = room - start;
  // One character more than there is room for tells that it is too long.
  const used = unitsOf(memory, chars, from, Math.min(count, left));
  if (used < left) {
    copyUnits(memory, chars, to, start, from, used);
    chars.write(memory, to, start + used, 0);
    return 0;
  }
  if (count < TRUNCATE) return refuse(memory, target, ERANGE);
  copyUnits(memory, chars, to, start, from, left - 1);
  chars.write(memory, to, room - 1, 0);
  return STRUNCATE;
}

function copyInto(memory: GuestMemory, target: Target, append: boolean, from: Address, count: number): number {
  const { chars, to, room } = target;
  if (count === 0 && to === NULL && room === 0) return 0;
  if (to === NULL || room === 0) return EINVAL;
  if (from === NULL && count > 0) return refuse(memory, target, EINVAL);
  const start = append ? unitsOf(memory, chars, to, room) : 0;
  if (start === room) return refuse(memory, target, EINVAL);
  if (count === 0) {
    if (!append) chars.write(memory, to, 0, 0);
    return 0;
  }
  return put(memory, target, start, from, count);
}

const copying = (chars: Characters, append: boolean) =>
  f({
    ...common,
    params: { Destination: POINTER, SizeInCharacters: SIZE_T, Source: POINTER },
    returns: 'i32',
    body: ({ memory }, { Destination, SizeInCharacters, Source }) =>
      copyInto(memory, { chars, to: Destination, room: SizeInCharacters }, append, Source, TRUNCATE - 2048),
  });
const copyingSome = (chars: Characters, append: boolean) =>
  f({
    ...common,
    params: { Destination: POINTER, SizeInCharacters: SIZE_T, Source: POINTER, Count: SIZE_T },
    returns: 'i32',
    body: ({ memory }, { Destination, SizeInCharacters, Source, Count }) =>
      copyInto(memory, { chars, to: Destination, room: SizeInCharacters }, append, Source, Count),
  });
const copyingMemory = (overlapping: boolean) =>
  f({
    ...common,
    params: { Destination: POINTER, DestinationSize: SIZE_T, Source: POINTER, Count: SIZE_T },
    returns: 'i32',
    body({ memory }, { Destination, DestinationSize, Source, Count }) {
      if (Count === 0) return 0;
      if (Destination === NULL) return EINVAL;
      if (Source !== NULL && Count <= DestinationSize) {
        moveMemory(memory, Destination, Source, Count);
        return 0;
      }
      // memcpy_s leaves zeros where it fails, memmove_s what was there.
      if (!overlapping) memory.fill(Destination, DestinationSize, 0);
      return Source === NULL ? EINVAL : ERANGE;
    },
  });
/** How many characters at the start are, or are not, in a set. */
const spanning = (chars: Characters, inside: boolean) =>
  f({
    ...common,
    page: 'crt:strspn',
    params: { Text: POINTER, Set: POINTER },
    returns: 'u64',
    body({ memory }, { Text, Set: characters }) {
      const set = new Set<number>();
      const size = unitsOf(memory, chars, characters);
      for (let i = 0; i < size; i++) set.add(chars.read(memory, characters, i));
      for (let i = 0; ; i++) {
        const unit = chars.read(memory, Text, i);
        if (unit === 0 || set.has(unit) !== inside) return BigInt(i);
      }
    },
  });

/** strtok_s cuts the next token off in place and remembers in `Context` where to go on. */
function token(memory: GuestMemory, text: Address, delimiters: Address, context: Address): Address {
  const stops = new Set<number>();
  for (let i = 0; narrow.read(memory, delimiters, i) !== 0; i++) stops.add(narrow.read(memory, delimiters, i));
  const from = text === NULL ? memory.readPointer(context) : text;
  let start = 0;
  while (stops.has(narrow.read(memory, from, start))) start++;
  let end = start;
  while (narrow.read(memory, from, end) !== 0 && !stops.has(narrow.read(memory, from, end))) end++;
  const more = narrow.read(memory, from, end) !== 0;
  if (more) narrow.write(memory, from, end, 0);
  memory.writePointer(context, at(from, more ? end + 1 : end));
  return start === end ? NULL : at(from, start);
}

export const secureCStringFunctions = {
  strcpy_s: copying(narrow, false),
  wcscpy_s: copying(wide, false),
  strcat_s: copying(narrow, true),
  wcscat_s: copying(wide, true),
  strncpy_s: copyingSome(narrow, false),
  wcsncpy_s: copyingSome(wide, false),
  strncat_s: copyingSome(narrow, true),
  wcsncat_s: copyingSome(wide, true),
  memcpy_s: copyingMemory(false),
  memmove_s: copyingMemory(true),
  strspn: spanning(narrow, true),
  wcsspn: spanning(wide, true),
  wcscspn: spanning(wide, false),
  strtok_s: f({
    ...common,
    page: 'crt:strtok-s',
    params: { Text: POINTER, Delimiters: POINTER, Context: POINTER },
    returns: 'pointer',
    body: ({ memory }, { Text, Delimiters, Context }) => token(memory, Text, Delimiters, Context),
  }),
};
