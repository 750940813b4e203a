/**
 * Numbers with a written form: GUIDs and IP addresses. IPv6 text follows RFC 5952 with the embedded IPv4 forms of the
 * documentation. Pages: wdm-rtlguidfromstring, wdm-rtlstringfromguid, crt:ipv4addresstostringa and neighbours.
 */
import { type Address, at } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { ANY, failsWith, functionsOf, IN, P, POINTER, ULONG, USHORT } from './record.ts';
import { Status } from './status.ts';
import { allocateUnicodeText, narrowBytes, UNICODE_STRING, unicodeText, wideBytes } from './strings.ts';

/** `{4d36e972-e325-11ce-bfc1-08002be10318}`, in upper case as Windows writes it. */
export function guidText(memory: GuestMemory, guid: Address): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const tail = [...memory.read(at(guid, 8), 8)].map((byte) => hex(byte, 2)).join('');
  const head = [hex(memory.readU32(guid), 8), hex(memory.readU16(at(guid, 4)), 4), hex(memory.readU16(at(guid, 6)), 4)];
  return `{${[...head, tail.slice(0, 4), tail.slice(4)].join('-')}}`.toUpperCase();
}

function ipv4(data: Uint8Array): string {
  return data.join('.');
}

function ipv6(data: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => ((data[2 * i] as number) << 8) | (data[2 * i + 1] as number));
  const leading = words.findIndex((word) => word !== 0);
  // IPv4-compatible, -mapped and -translated addresses end in dotted form.
  const tail = ipv4(data.subarray(12));
  if (leading === 6 && words[6] !== 0) return `::${tail}`;
  if (leading === 5 && words[5] === 0xffff) return `::ffff:${tail}`;
  if (leading === 4 && words[4] === 0xffff && words[5] === 0) return `::ffff:0:${tail}`;
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (from: number, to: number) =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(':');
  return best.start < 0 ? text(0, 8) : `${text(0, best.start)}::${text(best.start + best.length, 8)}`;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: ANY } as const;

/** Writes the text and gives the address of its terminator. */
const writing = (page: string, size: number, text: (data: Uint8Array) => string, wide: boolean) =>
  f({
    ...common,
    page,
    params: { Addr: POINTER, S: POINTER },
    returns: 'pointer',
    body({ memory }, { Addr, S }) {
      const shown = text(memory.read(Addr, size));
      memory.write(S, (wide ? wideBytes : narrowBytes)(`${shown}\0`));
      return at(S, shown.length * (wide ? 2 : 1));
    },
  });

const swapped = (port: number) => ((port & 0xff) << 8) | (port >> 8);

/** The text with its port, into a buffer of `*length` characters; the length with the terminator goes back. */
function bounded(memory: GuestMemory, text: string, to: Address, length: Address, wide: boolean): number {
  const room = memory.readU32(length);
  memory.writeU32(length, text.length + 1);
  if (room < text.length + 1) return Status.INVALID_PARAMETER;
  memory.write(to, (wide ? wideBytes : narrowBytes)(`${text}\0`));
  return Status.SUCCESS;
}

const writingIpv4 = (page: string, wide: boolean) =>
  f({
    ...common,
    page,
    params: { Address: POINTER, Port: USHORT, AddressString: POINTER, AddressStringLength: POINTER },
    returns: 'status',
    body({ memory }, { Address: address, Port, AddressString, AddressStringLength }) {
      const shown = ipv4(memory.read(address, 4));
      const text = Port === 0 ? shown : `${shown}:${swapped(Port)}`;
      return bounded(memory, text, AddressString, AddressStringLength, wide);
    },
  });
const writingIpv6 = (page: string, wide: boolean) =>
  f({
    ...common,
    page,
    params: {
      Address: POINTER,
      ScopeId: ULONG,
      Port: USHORT,
      AddressString: POINTER,
      AddressStringLength: POINTER,
    },
    returns: 'status',
    body({ memory }, { Address: address, ScopeId, Port, AddressString, AddressStringLength }) {
      const shown = ipv6(memory.read(address, 16)) + (ScopeId === 0 ? '' : `%${ScopeId}`);
      const text = Port === 0 ? shown : `[${shown}]:${swapped(Port)}`;
      return bounded(memory, text, AddressString, AddressStringLength, wide);
    },
  });

const GUID = /^\{([\da-f]{8})-([\da-f]{4})-([\da-f]{4})-([\da-f]{4})-([\da-f]{12})\}$/i;

export const textConversionFunctions = {
  RtlStringFromGUID: f({
    ...common,
    irql: P,
    page: 'wdm-rtlstringfromguid',
    params: { Guid: POINTER, GuidString: POINTER },
    returns: 'status',
    failures: [failsWith('no-memory', Status.NO_MEMORY)],
    body(kernel, { Guid, GuidString }, { fn }) {
      const text = allocateUnicodeText(kernel, guidText(kernel.memory, Guid), 'string buffer of the kernel');
      UNICODE_STRING.write(kernel.memory, GuidString, text);
      kernel.resources.acquire('rtl-string', text.Buffer, { fn, stack: kernel.stack() });
      return Status.SUCCESS;
    },
  }),
  RtlGUIDFromString: f({
    ...common,
    irql: P,
    page: 'wdm-rtlguidfromstring',
    params: { GuidString: IN(UNICODE_STRING), Guid: POINTER },
    returns: 'status',
    body({ memory }, { GuidString, Guid }) {
      const match = GUID.exec(unicodeText(memory, GuidString));
      if (match === null) return Status.INVALID_PARAMETER;
      const [, first, second, third, fourth, fifth] = match as unknown as string[];
      memory.writeU32(Guid, Number.parseInt(first as string, 16));
      memory.writeU16(at(Guid, 4), Number.parseInt(second as string, 16));
      memory.writeU16(at(Guid, 6), Number.parseInt(third as string, 16));
      memory.write(at(Guid, 8), new Uint8Array(pairs(`${fourth}${fifth}`)));
      return Status.SUCCESS;
    },
  }),
  RtlIpv4AddressToStringA: writing('crt:ipv4addresstostringa', 4, ipv4, false),
  RtlIpv4AddressToStringW: writing('crt:ipv4addresstostringw', 4, ipv4, true),
  RtlIpv6AddressToStringA: writing('crt:ipv6addresstostringa', 16, ipv6, false),
  RtlIpv6AddressToStringW: writing('crt:ipv6addresstostringw', 16, ipv6, true),
  RtlIpv4AddressToStringExA: writingIpv4('crt:ipv4addresstostringexa', false),
  RtlIpv4AddressToStringExW: writingIpv4('crt:ipv4addresstostringexw', true),
  RtlIpv6AddressToStringExA: writingIpv6('crt:ipv6addresstostringexa', false),
  RtlIpv6AddressToStringExW: writingIpv6('crt:ipv6addresstostringexw', true),
};

function pairs(digits: string): number[] {
  return Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
