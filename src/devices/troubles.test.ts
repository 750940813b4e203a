import { describe, expect, it } from 'vitest';
import { testKernel } from '../kernel/testing.ts';
import { at } from '../trace/units.ts';
import { sampleNic } from './nic.ts';
import { plug } from './pci-bus.ts';
import { silentFrom, troubleText } from './troubles.ts';

const ONES = 0xffff_ffff;
const STATUS = 4;

function nicWith(hardware: string) {
  const { kernel } = testKernel();
  const device = plug(kernel, sampleNic, {}, { hardware });
  const registers = kernel.hardware.mapRegisters(0xf000_0000, 0x1000, 'device registers');
  return { kernel, device, read: (offset: number) => kernel.memory.readU32(at(registers, offset)), registers };
}

describe('troubles any device can have', () => {
  it('absent: nobody answers anywhere', () => {
    const { device, read } = nicWith('absent');
    expect([read(STATUS), device.readConfig(0, 4), device.present]).toEqual([ONES, ONES, false]);
  });

  it('all ones: configuration space answers, registers do not', () => {
    const { device, read } = nicWith('all-ones');
    expect([read(STATUS), device.readConfig(0, 4), device.present]).toEqual([ONES, 0x0001_4858, false]);
  });

  it('falls silent at the nth access', () => {
    const { device, read } = nicWith(silentFrom(3));
    expect([read(0x70), read(0x70), read(0x70), device.readConfig(0, 2)]).toEqual([1000, 1000, ONES, 0xffff]);
  });

  it('a resource that was not assigned is not there', () => {
    const { device, registers } = nicWith('no-memory');
    expect(registers).toBe(0);
    expect(device.ranges.map(({ kind }) => kind)).toEqual(['port']);
    expect(device.readConfig(0x10, 4)).toBe(0);
    expect(nicWith('no-ports').device.ranges.map(({ kind }) => kind)).toEqual(['memory']);
    expect(nicWith('no-interrupt').device).toMatchObject({ line: undefined, messages: [] });
    expect(nicWith('no-resources').device).toMatchObject({ ranges: [], line: undefined, messages: [] });
  });
});

it('a trouble of the model changes its options', () => {
  const { read } = nicWith('no-link');
  expect(read(STATUS) & 1).toBe(0);
});

it('a trouble that nobody knows is not taken for a working device', () => {
  expect(() => nicWith('on-fire')).toThrow('has no trouble «on-fire»');
});

it('the trace tells which troubles there are, and which access is a routine’s first', () => {
  const { kernel, read } = nicWith('works');
  read(STATUS);
  read(STATUS);
  const facts = kernel.trace.events.flatMap((event) => (event.kind === 'fact' ? [event] : []));
  expect(facts.map(({ what }) => what)).toEqual(['device-plugged-in', 'device-first-access']);
  const troubles = facts[0]?.detail.troubles as string[];
  expect(troubles).toEqual(expect.arrayContaining(['absent', 'no-ports', 'eeprom-wrong', 'reset-never-completes']));
  // Each has words of its own.
  expect(troubles.filter((name) => troubleText(name).includes('«'))).toEqual([]);
});

it('a routine that polls for ever comes to an end', () => {
  const { read } = nicWith('reset-never-completes');
  expect(() => {
    while (read(STATUS) >= 0) {}
  }).toThrow('polls the device on and on');
});
