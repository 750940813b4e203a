/**
 * NDIS_STRING, which is UNICODE_STRING. Only NdisInitializeString allocates; its buffer goes by NdisFreeString, which today's
 * header makes NdisFreeMemory. Pages: ndis-ndisinitializestring, ndis-ndisfreestring, ndis-ndisequalstring,
 * ndis-ndisinitunicodestring, ndis-ndisansistringtounicodestring, ndis-ndisupcaseunicodestring.
 */

import type { View } from '../kernel/layout.ts';
import { functionsOf, IN, OUT, P, STRING } from '../kernel/record.ts';
import {
  ANSI_STRING,
  ansiText,
  narrowBytes,
  stringFunctions as rtl,
  UNICODE_STRING,
  unicodeText,
  wideBytes,
} from '../kernel/strings.ts';
import { NULL } from '../trace/units.ts';
import { fromKernel } from './from-kernel.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_STATUS_BUFFER_OVERFLOW, NDIS_STATUS_SUCCESS } from './status.ts';

type Counted = View<typeof UNICODE_STRING.fields>;

/** Puts text into a string's own buffer, terminated where there is room (as the Rtl… conversions do). */
function fill({ kernel }: Ndis, to: Counted, data: Uint8Array, terminator: number): number {
  if (data.length > to.MaximumLength) return NDIS_STATUS_BUFFER_OVERFLOW;
  kernel.memory.write(to.Buffer, data);
  if (data.length + terminator <= to.MaximumLength) {
    kernel.memory.fill((to.Buffer + data.length) as typeof to.Buffer, terminator, 0);
  }
  to.Length = data.length;
  return NDIS_STATUS_SUCCESS;
}

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const pair = { DestinationString: IN(UNICODE_STRING), SourceString: IN(ANSI_STRING) };

export const stringFunctions = {
  NdisInitUnicodeString: fromKernel(rtl.RtlInitUnicodeString, 'ndis-ndisinitunicodestring'),
  NdisInitAnsiString: fromKernel(rtl.RtlInitAnsiString, 'ndis-ndisinitansistring'),
  NdisEqualString: fromKernel(rtl.RtlEqualUnicodeString, 'ndis-ndisequalstring'),
  NdisEqualUnicodeString: fromKernel(rtl.RtlEqualUnicodeString, 'ndis-ndisequalstring'),

  NdisInitializeString: f({
    ...common,
    page: 'ndis-ndisinitializestring',
    params: { Destination: OUT(UNICODE_STRING), Source: STRING },
    returns: 'void',
    irql: P,
    acquires: {
      type: 'string',
      key: ({ Destination }) => Destination.get().Buffer,
      when: ({ Destination }) => Destination.get().Buffer !== NULL,
      detail: ({ Source }) => ({ Source, MemoryFlags: 0 }),
    },
    body({ kernel }, { Destination, Source }) {
      const data = wideBytes(`${Source}\0`);
      const Buffer = kernel.pool.allocate({ size: data.length, what: `NDIS string '${Source}'` });
      kernel.memory.write(Buffer, data);
      const lengths = { Length: data.length - 2, MaximumLength: data.length };
      UNICODE_STRING.write(kernel.memory, Destination.address, { ...lengths, Buffer });
      return undefined;
    },
  }),
  NdisFreeString: f({
    ...common,
    page: 'ndis-ndisfreestring',
    // By value; on x64 that is a pointer to a copy.
    params: { String: IN(UNICODE_STRING) },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['string', 'memory', 'adapter-instance-name'],
      key: ({ String: string }) => string.Buffer,
      stray: ({ kernel }, { String: string }) => kernel.pool.describe(string.Buffer),
      otherwise: () => undefined,
    },
    body({ kernel }, { String: string }) {
      kernel.pool.free(string.Buffer);
      return undefined;
    },
  }),

  NdisAnsiStringToUnicodeString: f({
    ...common,
    page: 'ndis-ndisansistringtounicodestring',
    params: pair,
    returns: 'status',
    irql: P,
    body: (ndis, { DestinationString: to, SourceString: from }) =>
      fill(ndis, to, wideBytes(ansiText(ndis.kernel.memory, from)), 2),
  }),
  NdisUnicodeStringToAnsiString: f({
    ...common,
    page: 'ndis-ndisunicodestringtoansistring',
    params: pair,
    returns: 'status',
    irql: P,
    body: (ndis, { DestinationString: to, SourceString: from }) =>
      fill(ndis, to, narrowBytes(unicodeText(ndis.kernel.memory, from)), 1),
  }),
  NdisUpcaseUnicodeString: f({
    ...common,
    page: 'ndis-ndisupcaseunicodestring',
    params: pair,
    returns: 'status',
    irql: P,
    body: (ndis, { DestinationString: to, SourceString: from }) =>
      fill(
        ndis,
        to,
        wideBytes(
          unicodeText(ndis.kernel.memory, from)
            .toUpperCase()
            .slice(0, from.Length >> 1),
        ),
        2,
      ),
  }),
};
