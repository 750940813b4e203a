/**
 * Counted strings: UNICODE_STRING and ANSI_STRING, what initialises, compares, joins and converts them, and the conversions
 * that allocate and so are owed (`rtl-string`). 8-bit text is taken as Latin-1, unknown characters become '?' (assumed: the
 * system code page of a Western machine). Pages: wdm-rtlinitunicodestring and its neighbours.
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { readString } from './arguments.ts';
import { upperAscii, upperUnicode } from './c-strings.ts';
import type { Heap } from './heap.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u16, u32, type View } from './layout.ts';
import { moveMemory } from './memory-routines.ts';
import { A, ANY, BOOLEAN, D, type Failure, functionsOf, IN, LONG, OUT, P, POINTER, ULONG, USHORT } from './record.ts';
import { Status } from './status.ts';

/** wdm.h: lengths in bytes, and the text, which need not end with a zero. */
export const UNICODE_STRING = struct('UNICODE_STRING', { Length: u16, MaximumLength: u16, Buffer: pointer });
export const ANSI_STRING = struct('ANSI_STRING', { Length: u16, MaximumLength: u16, Buffer: pointer });
type CountedString = View<typeof UNICODE_STRING.fields>;

const MAX_BYTES = 0xfffe;

/** The text of a UNICODE_STRING. */
export function unicodeText(memory: GuestMemory, { Buffer, Length }: CountedString): string {
  const data = memory.read(Buffer, Length & ~1);
  let text = '';
  for (let i = 0; i + 1 < data.length; i += 2)
    text += String.fromCharCode((data[i] as number) | ((data[i + 1] as number) << 8));
  return text;
}

/** The text of an ANSI_STRING. */
export function ansiText(memory: GuestMemory, { Buffer, Length }: CountedString): string {
  return String.fromCharCode(...memory.read(Buffer, Length));
}

export function wideBytes(text: string): Uint8Array {
  const data = new Uint8Array(2 * text.length);
  for (let i = 0; i < text.length; i++) {
    data[2 * i] = text.charCodeAt(i) & 0xff;
    data[2 * i + 1] = text.charCodeAt(i) >> 8;
  }
  return data;
}

export function narrowBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => (character.charCodeAt(0) < 0x100 ? character.charCodeAt(0) : 0x3f));
}

/** Makes a UNICODE_STRING with its text in a block of its own, terminated. For what the kernel gives to drivers. */
export function allocateUnicodeText(
  parts: { memory: GuestMemory; heap: Heap },
  text: string,
  what: string,
): { Length: number; MaximumLength: number; Buffer: Address } {
  const Buffer = parts.heap.allocate(2 * text.length + 2, what, { fill: 0 });
  parts.memory.write(Buffer, wideBytes(text));
  return { Length: 2 * text.length, MaximumLength: 2 * text.length + 2, Buffer };
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;

const initialising = (page: string, bits: 8 | 16) =>
  f({
    ...common,
    page,
    params: { DestinationString: POINTER, SourceString: POINTER },
    returns: 'void',
    irql: ANY,
    body({ memory }, { DestinationString, SourceString }) {
      const size = bits / 8;
      const length =
        SourceString === NULL ? 0 : Math.min(size * readString(memory, SourceString, bits).length, MAX_BYTES - size);
      UNICODE_STRING.write(memory, DestinationString, {
        Length: length,
        MaximumLength: SourceString === NULL ? 0 : length + size,
        Buffer: SourceString,
      });
      return undefined;
    },
  });

function order(left: string, right: string, fold: (unit: number) => number): number {
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const difference = fold(left.charCodeAt(i)) - fold(right.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
const folding = (ignoreCase: boolean, fold: (unit: number) => number) => (ignoreCase ? fold : (unit: number) => unit);

/** Appends bytes to a counted string; a wide one gets an end where it fits. */
function append(memory: GuestMemory, to: CountedString, from: Address, size: number): number {
  if (to.Length + size > to.MaximumLength) return Status.BUFFER_TOO_SMALL;
  moveMemory(memory, at(to.Buffer, to.Length), from, size);
  to.Length += size;
  if (to.Length + 2 <= to.MaximumLength) memory.writeU16(at(to.Buffer, to.Length), 0);
  return Status.SUCCESS;
}

/** The result of a conversion: into the caller's buffer, or into one of its own. */
function deliver(kernel: Kernel, to: CountedString, data: Uint8Array, end: 1 | 2, allocate: boolean): number {
  const { memory, heap } = kernel;
  if (data.length + end > 0x10000) return Status.INVALID_PARAMETER_2;
  if (allocate) {
    to.Buffer = heap.allocate(data.length + end, 'string buffer of the kernel', { stack: kernel.stack(), fill: 0 });
    to.MaximumLength = data.length + end;
  } else if (data.length + end > to.MaximumLength) return Status.BUFFER_OVERFLOW;
  to.Length = data.length;
  memory.write(to.Buffer, data);
  if (end === 1) memory.writeU8(at(to.Buffer, data.length), 0);
  else memory.writeU16(at(to.Buffer, data.length), 0);
  return Status.SUCCESS;
}

interface Conversion {
  readonly DestinationString: CountedString;
  readonly AllocateDestinationString: boolean;
}
const acquiresString = {
  type: 'rtl-string',
  key: ({ DestinationString }: Conversion) => DestinationString.Buffer,
  when: ({ AllocateDestinationString }: Conversion, result: number) => AllocateDestinationString && result === 0,
};
/** Only a conversion that allocates can fail for want of memory. */
const noMemory: Failure<Conversion, number> = {
  id: 'no-memory',
  when: ({ AllocateDestinationString }) => AllocateDestinationString,
  fail: () => Status.NO_MEMORY,
};

const converting = (
  page: string,
  end: 1 | 2,
  text: (memory: GuestMemory, from: CountedString) => string,
  toBytes: (text: string) => Uint8Array,
) =>
  f({
    ...common,
    page,
    params: {
      DestinationString: IN(UNICODE_STRING),
      SourceString: IN(UNICODE_STRING),
      AllocateDestinationString: BOOLEAN,
    },
    returns: 'status',
    irql: P,
    acquires: acquiresString,
    failures: [noMemory],
    body: (kernel, { DestinationString, SourceString, AllocateDestinationString }) =>
      deliver(kernel, DestinationString, toBytes(text(kernel.memory, SourceString)), end, AllocateDestinationString),
  });

const freeing = (page: string) =>
  f({
    ...common,
    page,
    params: { String: IN(UNICODE_STRING) },
    returns: 'void',
    irql: A,
    undoes: {
      types: ['rtl-string'],
      key: ({ String: { Buffer } }) => Buffer,
      nullAllowed: true,
      otherwise: () => undefined,
    },
    body(kernel, args) {
      kernel.heap.free(args.String.Buffer, kernel.stack());
      UNICODE_STRING.write(kernel.memory, args.String.address, { Length: 0, MaximumLength: 0, Buffer: NULL });
      return undefined;
    },
  });

const upper = (text: string) => String.fromCharCode(...Array.from(text, (unit) => upperUnicode(unit.charCodeAt(0))));

const RADIX: Readonly<Record<number, RegExp>> = { 2: /^[01]+/, 8: /^[0-7]+/, 10: /^\d+/, 16: /^[\da-f]+/i };
const PREFIX: Readonly<Record<string, number>> = { '0x': 16, '0o': 8, '0b': 2 };

/** The number a string begins with, or undefined for a base that does not exist. */
function parseInteger(text: string, base: number): number | undefined {
  const [, sign, rest] = /^[\0-\x20]*([+-]?)(.*)$/s.exec(text) as unknown as [string, string, string];
  const marked = base === 0 ? PREFIX[rest.slice(0, 2)] : undefined;
  const digits = RADIX[marked ?? (base === 0 ? 10 : base)];
  if (digits === undefined) return undefined;
  const shown = digits.exec(marked === undefined ? rest : rest.slice(2))?.[0];
  if (shown === undefined) return 0;
  const value = [...shown].reduce(
    (sum, digit) => (sum * (marked ?? (base || 10)) + Number.parseInt(digit, 36)) >>> 0,
    0,
  );
  return sign === '-' ? -value >>> 0 : value;
}

export const stringFunctions = {
  RtlInitUnicodeString: initialising('wdm-rtlinitunicodestring', 16),
  RtlInitAnsiString: initialising('wdm-rtlinitansistring', 8),
  RtlInitString: initialising('wdm-rtlinitstring', 8),
  RtlCopyUnicodeString: f({
    ...common,
    page: 'wdm-rtlcopyunicodestring',
    params: { DestinationString: IN(UNICODE_STRING), SourceString: POINTER },
    returns: 'void',
    irql: D,
    body({ memory }, { DestinationString: to, SourceString }) {
      const from = SourceString === NULL ? undefined : UNICODE_STRING.at(memory, SourceString);
      const size = Math.min(from?.Length ?? 0, to.MaximumLength);
      if (from !== undefined) moveMemory(memory, to.Buffer, from.Buffer, size);
      to.Length = size;
      if (size + 2 <= to.MaximumLength) memory.writeU16(at(to.Buffer, size), 0);
      return undefined;
    },
  }),
  RtlAppendUnicodeStringToString: f({
    ...common,
    page: 'wdm-rtlappendunicodestringtostring',
    params: { Destination: IN(UNICODE_STRING), Source: IN(UNICODE_STRING) },
    returns: 'status',
    irql: D,
    body: ({ memory }, { Destination, Source }) => append(memory, Destination, Source.Buffer, Source.Length),
  }),
  RtlAppendUnicodeToString: f({
    ...common,
    page: 'wdm-rtlappendunicodetostring',
    params: { Destination: IN(UNICODE_STRING), Source: POINTER },
    returns: 'status',
    irql: D,
    body: ({ memory }, { Destination, Source }) =>
      Source === NULL ? 0 : append(memory, Destination, Source, 2 * readString(memory, Source, 16).length),
  }),
  RtlEqualUnicodeString: f({
    ...common,
    page: 'wdm-rtlequalunicodestring',
    params: { String1: IN(UNICODE_STRING), String2: IN(UNICODE_STRING), CaseInSensitive: BOOLEAN },
    returns: 'bool',
    irql: P,
    body: ({ memory }, { String1, String2, CaseInSensitive }) =>
      order(unicodeText(memory, String1), unicodeText(memory, String2), folding(CaseInSensitive, upperUnicode)) === 0,
  }),
  RtlCompareUnicodeString: f({
    ...common,
    page: 'wdm-rtlcompareunicodestring',
    params: { String1: IN(UNICODE_STRING), String2: IN(UNICODE_STRING), CaseInSensitive: BOOLEAN },
    returns: 'i32',
    irql: P,
    body: ({ memory }, { String1, String2, CaseInSensitive }) =>
      order(unicodeText(memory, String1), unicodeText(memory, String2), folding(CaseInSensitive, upperUnicode)),
  }),
  RtlPrefixUnicodeString: f({
    ...common,
    page: 'ntddk-rtlprefixunicodestring',
    params: { String1: IN(UNICODE_STRING), String2: IN(UNICODE_STRING), CaseInSensitive: BOOLEAN },
    returns: 'bool',
    irql: P,
    body({ memory }, { String1, String2, CaseInSensitive }) {
      const prefix = unicodeText(memory, String1);
      const whole = unicodeText(memory, String2).slice(0, prefix.length);
      return order(prefix, whole, folding(CaseInSensitive, upperUnicode)) === 0;
    },
  }),
  RtlEqualString: f({
    ...common,
    page: 'ntddk-rtlequalstring',
    params: { String1: IN(ANSI_STRING), String2: IN(ANSI_STRING), CaseInSensitive: BOOLEAN },
    returns: 'bool',
    irql: P,
    body: ({ memory }, { String1, String2, CaseInSensitive }) =>
      order(ansiText(memory, String1), ansiText(memory, String2), folding(CaseInSensitive, upperAscii)) === 0,
  }),
  RtlUpcaseUnicodeChar: f({
    ...common,
    page: 'wdm-rtlupcaseunicodechar',
    params: { SourceCharacter: USHORT },
    returns: 'u16',
    irql: P,
    body: (_, { SourceCharacter }) => upperUnicode(SourceCharacter),
  }),
  RtlUpcaseUnicodeString: f({
    ...common,
    page: 'ntddk-rtlupcaseunicodestring',
    params: {
      DestinationString: IN(UNICODE_STRING),
      SourceString: IN(UNICODE_STRING),
      AllocateDestinationString: BOOLEAN,
    },
    returns: 'status',
    irql: P,
    acquires: acquiresString,
    failures: [noMemory],
    body(kernel, { DestinationString, SourceString, AllocateDestinationString }) {
      const { memory, heap } = kernel;
      const data = wideBytes(upper(unicodeText(memory, SourceString)));
      if (AllocateDestinationString) {
        DestinationString.Buffer = heap.allocate(data.length, 'string buffer of the kernel', { stack: kernel.stack() });
        DestinationString.MaximumLength = data.length;
      } else if (data.length > DestinationString.MaximumLength) return Status.BUFFER_OVERFLOW;
      DestinationString.Length = data.length;
      memory.write(DestinationString.Buffer, data);
      return Status.SUCCESS;
    },
  }),
  RtlUnicodeStringToAnsiString: converting('wdm-rtlunicodestringtoansistring', 1, unicodeText, narrowBytes),
  RtlAnsiStringToUnicodeString: converting('wdm-rtlansistringtounicodestring', 2, ansiText, wideBytes),
  RtlFreeUnicodeString: freeing('wdm-rtlfreeunicodestring'),
  RtlFreeAnsiString: freeing('wdm-rtlfreeansistring'),
  RtlUnicodeStringToAnsiSize: f({
    ...common,
    page: 'wdm-rtlunicodestringtoansisize',
    params: { UnicodeString: IN(UNICODE_STRING) },
    returns: 'u32',
    irql: P,
    body: (_, { UnicodeString }) => (UnicodeString.Length >> 1) + 1,
  }),
  RtlAnsiStringToUnicodeSize: f({
    ...common,
    page: 'wdm-rtlansistringtounicodesize',
    params: { AnsiString: IN(ANSI_STRING) },
    returns: 'u32',
    irql: P,
    body: (_, { AnsiString }) => 2 * (AnsiString.Length + 1),
  }),
  RtlUnicodeStringToInteger: f({
    ...common,
    page: 'wdm-rtlunicodestringtointeger',
    params: { String: IN(UNICODE_STRING), Base: ULONG, Value: OUT(u32) },
    returns: 'status',
    irql: P,
    body({ memory }, { String: source, Base, Value }) {
      if (source.Length === 0) return Status.INVALID_PARAMETER;
      const value = parseInteger(unicodeText(memory, source), Base);
      if (value === undefined) return Status.INVALID_PARAMETER;
      Value.set(value);
      return Status.SUCCESS;
    },
  }),
  RtlIntegerToUnicodeString: f({
    ...common,
    page: 'wdm-rtlintegertounicodestring',
    params: { Value: ULONG, Base: ULONG, String: IN(UNICODE_STRING) },
    returns: 'status',
    irql: P,
    body(kernel, { Value, Base, String: to }) {
      if (![0, 2, 8, 10, 16].includes(Base)) return Status.INVALID_PARAMETER;
      return deliver(kernel, to, wideBytes(Value.toString(Base || 10).toUpperCase()), 2, false);
    },
  }),
  RtlCharToInteger: f({
    ...common,
    page: 'crt:strings',
    params: { Text: POINTER, Base: ULONG, Value: OUT(u32) },
    returns: 'status',
    irql: P,
    body({ memory }, { Text, Base, Value }) {
      const value = parseInteger(readString(memory, Text, 8), Base);
      if (value === undefined) return Status.INVALID_PARAMETER;
      Value.set(value);
      return Status.SUCCESS;
    },
  }),
  RtlCompareString: f({
    ...common,
    page: 'ntddk-rtlcomparestring',
    params: { String1: IN(ANSI_STRING), String2: IN(ANSI_STRING), CaseInSensitive: BOOLEAN },
    returns: 'i32',
    irql: P,
    body: ({ memory }, { String1, String2, CaseInSensitive }) =>
      order(ansiText(memory, String1), ansiText(memory, String2), folding(CaseInSensitive, upperAscii)),
  }),
  RtlNtStatusToDosErrorNoTeb: f({
    ...common,
    page: 'ntifs-rtlntstatustodoserrornoteb',
    params: { Status: LONG },
    returns: 'u32',
    irql: ANY,
    body: (_, args) => DOS_ERRORS[args.Status >>> 0] ?? ERROR_MR_MID_NOT_FOUND,
  }),
};

/** What an NTSTATUS without a Win32 error becomes. */
const ERROR_MR_MID_NOT_FOUND = 317;
/** The Win32 errors of the statuses drivers return most; the full table is ntdll's (observed). */
const DOS_ERRORS: Readonly<Record<number, number>> = {
  [Status.SUCCESS]: 0,
  [Status.PENDING]: 997,
  [Status.BUFFER_OVERFLOW]: 234,
  [Status.UNSUCCESSFUL]: 31,
  [Status.NOT_IMPLEMENTED]: 1,
  [Status.INVALID_HANDLE]: 6,
  [Status.INVALID_PARAMETER]: 87,
  [Status.INVALID_DEVICE_REQUEST]: 1,
  [Status.NO_MEMORY]: 8,
  [Status.ACCESS_DENIED]: 5,
  [Status.BUFFER_TOO_SMALL]: 122,
  [Status.OBJECT_NAME_NOT_FOUND]: 2,
  [Status.OBJECT_NAME_COLLISION]: 183,
  [Status.OBJECT_PATH_NOT_FOUND]: 3,
  [Status.INSUFFICIENT_RESOURCES]: 1450,
  [Status.NOT_SUPPORTED]: 50,
  [Status.CANCELLED]: 995,
  [Status.NOT_FOUND]: 1168,
};
