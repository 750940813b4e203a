import { expect, test } from 'vitest';
import { testKernel } from '../kernel/testing.ts';
import { at } from '../trace/units.ts';
import { sampleNic } from './nic.ts';
import { plug } from './pci-bus.ts';

function setUp() {
  const { kernel } = testKernel();
  const device = plug(kernel, sampleNic, {});
  const registers = kernel.hardware.mapRegisters(device.ranges[0]?.start as number, 0x1000, 'device registers');
  const facts = () =>
    kernel.trace.events.flatMap((event) =>
      event.kind === 'fact' && event.what === 'device-access-without-power' ? [event.detail.routine] : [],
    );
  return {
    kernel,
    device,
    facts,
    read: (offset: number) => kernel.memory.readU32(at(registers, offset)),
    write: (offset: number, value: number) => kernel.memory.writeU32(at(registers, offset), value),
  };
}

test('in D3 registers read as ones, configuration space answers, nothing works, and an access is a fact once', () => {
  const { device, read, write, facts } = setUp();
  write(0x0c, 0xf);
  write(0x00, 0x0e);
  expect(device.activity()).not.toEqual([]);
  device.power(false);
  expect([device.present, device.activity(), device.dmaTargets()]).toEqual([true, [], []]);
  expect([read(0x04), read(0x00)]).toEqual([0xffff_ffff, 0xffff_ffff]);
  expect(device.readConfig(0, 2)).toBe(0x4858);
  expect(facts()).toEqual(['']);
});

test('back in D0 it has forgotten everything', () => {
  const { device, read, write, facts } = setUp();
  write(0x60, 0x1234);
  write(0x0c, 0xf);
  device.power(false);
  device.power(true);
  expect([read(0x60), read(0x0c), device.activity()]).toEqual([0, 0, []]);
  expect(facts()).toEqual([]);
});

test('a rebalance gives another place to the device in the same slot', () => {
  const { kernel } = testKernel();
  const before = plug(kernel, sampleNic, {});
  const after = plug(kernel, sampleNic, {}, { resources: 3 });
  expect(after.location).toEqual(before.location);
  const starts = [before, after].flatMap(({ ranges }) => ranges.map(({ start }) => start));
  expect(new Set(starts).size).toBe(4);
  expect(after.line?.vector).not.toBe(before.line?.vector);
});
