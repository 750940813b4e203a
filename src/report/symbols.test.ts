/** How debug information joins a result. */
import { expect, it } from 'vitest';
import type { CodePlace } from '../image/pdb/pdb.ts';
import type { Frame } from '../trace/events.ts';
import type { Address } from '../trace/units.ts';
import { trail } from './place.ts';
import { stackFiller, symbolizeEvents } from './symbols.ts';

const asked: number[] = [];
const symbols = {
  module: 'nic.sys',
  locate: (rva: number): CodePlace | undefined => {
    asked.push(rva);
    if (rva >= 0x2000) return undefined;
    return {
      function: 'NicHalt',
      offset: rva - 0x1000,
      file: 'samples\\c\\nic\\halt.c',
      line: 12,
      inlined: [{ function: 'NicStop', file: 'C:\\nic\\hardware.c', line: 40 }],
    };
  },
};
const frame = (module: string, offset: number, name?: string): Frame => ({
  address: (0x8000_0000 + offset) as Address,
  module,
  offset,
  ...(name === undefined ? {} : { name }),
});

it('names frames of the module, and no others; return addresses belong to the call before them', () => {
  asked.length = 0;
  const stack = [
    frame('NDIS.SYS', 0, 'NdisFoo'),
    frame('nic.sys', 0x1012),
    frame('nic.sys', 0x1012),
    frame('nic.sys', 0x2480),
  ];
  const filled = stackFiller(symbols)(stack);
  expect(asked).toEqual([0x1011, 0x247f]);
  expect(trail(filled, 10)).toBe(
    'NdisFoo ← NicStop (hardware.c:40, inlined) ← NicHalt+0x12 (halt.c:12) ← NicStop (hardware.c:40, inlined) ← NicHalt+0x12 (halt.c:12) ← nic.sys+0x2480',
  );
  expect(stackFiller(symbols)([frame('nic.sys', 0x1012)]).at(-1)).toMatchObject({ displacement: 0x12, offset: 0x1012 });
});

it('leaves the events it is given as they are', () => {
  const stack = [frame('nic.sys', 0x1012)];
  const at = { seq: 0, time: 0, processor: 0, context: 'PnP manager', irql: 0 } as never;
  const events = [{ ...(at as object), kind: 'fact', what: 'x', detail: {}, stack }] as never;
  const before = JSON.stringify(events);
  const [event] = symbolizeEvents(events, symbols);
  expect(event).toMatchObject({ stack: [{ inlined: true }, { name: 'NicHalt', line: 12 }] });
  expect(JSON.stringify(events)).toBe(before);
});
