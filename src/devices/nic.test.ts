import { expect, test } from 'vitest';
import { testKernel } from '../kernel/testing.ts';
import { at } from '../trace/units.ts';
import type { NicOptions } from './nic.ts';
import { sampleNic } from './nic.ts';
import { plug } from './pci-bus.ts';

function setUp(options: NicOptions = {}) {
  const { kernel, run } = testKernel();
  const device = plug(kernel, sampleNic, options);
  const [bar0, bar1] = device.ranges.map(({ start }) => start) as [number, number];
  const registers = kernel.hardware.mapRegisters(bar0, 0x1000, 'device registers');
  return {
    kernel,
    device,
    run,
    read: (offset: number) => kernel.memory.readU32(at(registers, offset)),
    write: (offset: number, value: number) => kernel.memory.writeU32(at(registers, offset), value),
    registers,
    ports: bar1,
    /** Lets time pass. */
    *pass(time: number) {
      const until = kernel.clock.now + time;
      yield { kind: 'wait' as const, what: 'time', ready: () => kernel.clock.now >= until, deadline: until as never };
    },
    /** A ring of descriptors with a buffer of 2048 bytes each. */
    ring(base: number, count: number) {
      const ring = kernel.heap.allocate(16 * count, 'shared memory', { fill: 0 });
      const buffers = Array.from({ length: count }, () => kernel.heap.allocate(2048, 'shared memory', { fill: 0 }));
      for (const [block, size] of [[ring, 16 * count] as const, ...buffers.map((buffer) => [buffer, 2048] as const)]) {
        const physical = kernel.hardware.physicalOf(block);
        kernel.hardware.dma.add({ physical, size, what: 'shared memory', direction: 'both' });
      }
      buffers.forEach((buffer, i) => {
        kernel.memory.writePointer(at(ring, 16 * i), kernel.hardware.physicalOf(buffer));
        kernel.memory.writeU32(at(ring, 16 * i + 8), 2048);
      });
      kernel.memory.writeU32(at(registers, base), kernel.hardware.physicalOf(ring));
      kernel.memory.writeU32(at(registers, base + 8), count);
      return { ring, buffers };
    },
  };
}

test('the EEPROM holds the address and its checksum', () => {
  const { kernel, ports } = setUp();
  const words = [0, 1, 2, 3].map((index) => {
    kernel.hardware.writePort(ports, 2, index);
    return kernel.hardware.readPort(ports + 4, 2);
  });
  expect(words.slice(0, 3)).toEqual([0x4802, 0x0058, 0x0100]);
  expect(words.reduce((sum, word) => sum + word, 0) & 0xffff).toBe(0xbaba);
});

test('configuration space: ids, ranges that can be sized, a message capability', () => {
  const { device } = setUp();
  expect(device.readConfig(0, 4)).toBe(0x0001_4858);
  expect(device.readConfig(0x08, 4) >>> 8).toBe(0x02_0000);
  const [memory, port] = device.ranges;
  expect([memory?.size, port?.size]).toEqual([0x1000, 32]);
  expect(device.readConfig(0x10, 4)).toBe(memory?.start);
  device.writeConfig(0x10, 4, 0xffff_ffff);
  expect(device.readConfig(0x10, 4)).toBe(0xffff_f000);
  expect(device.readConfig(device.readConfig(0x34, 1), 1)).toBe(0x05);
  device.writeConfig(0, 4, 0);
  expect(device.readConfig(0, 2)).toBe(0x4858);
});

test('a reset is over after a few polls and leaves nothing running', () => {
  const { read, write, device } = setUp();
  write(0x0c, 0xf);
  write(0x00, 0x0e);
  expect(device.activity()).toEqual(['receive DMA', 'transmit DMA', 'interrupts enabled', 'tick running']);
  write(0x00, 1);
  expect(device.activity()).toEqual([]);
  expect(read(0x00) & 1).toBe(1);
  expect(read(0x04) & 8).toBe(0);
  expect(read(0x00) & 1).toBe(0);
});

test('DMA has stopped only when the ACTIVE bit says so', () => {
  const { read, write, device } = setUp({ stopReads: 2 });
  write(0x00, 2);
  write(0x00, 0);
  expect([read(0x04), read(0x04)].map((status) => status & 2)).toEqual([2, 2]);
  expect(device.activity()).toEqual(['receive DMA']);
  expect(read(0x04) & 2).toBe(0);
  expect(device.activity()).toEqual([]);
});

test('a frame fills descriptors, one cause and the line tell of it', () => {
  const { kernel, run, pass, read, write, ring, device } = setUp();
  const { ring: descriptors, buffers } = ring(0x20, 4);
  write(0x30, 3);
  write(0x0c, 1);
  write(0x00, 2);
  const frame = Uint8Array.from({ length: 3000 }, (_, i) => i & 0xff);
  device.receive(frame);
  run(() => pass(1000));
  expect(device.line?.asserted).toBe(true);
  expect(read(0x2c)).toBe(2);
  expect(kernel.memory.read(buffers[1] as never, 952)).toEqual(frame.subarray(2048));
  const status = [0, 1, 2].map((i) => [8, 12].map((field) => kernel.memory.readU32(at(descriptors, 16 * i + field))));
  expect(status).toEqual([
    [2048, 1],
    [952, 3],
    [2048, 0],
  ]);
  expect(read(0x08)).toBe(1);
  expect(device.line?.asserted).toBe(false);
});

test('what the ring holds goes out, packet by packet', () => {
  const { kernel, run, pass, read, write, ring, device } = setUp();
  const { ring: descriptors, buffers } = ring(0x40, 4);
  kernel.memory.write(buffers[0] as never, Uint8Array.of(1, 2, 3));
  kernel.memory.write(buffers[1] as never, Uint8Array.of(4));
  [3, 1].forEach((length, i) => {
    kernel.memory.writeU32(at(descriptors, 16 * i + 8), length);
  });
  kernel.memory.writeU32(at(descriptors, 16 + 12), 2);
  write(0x00, 4);
  write(0x50, 2);
  run(() => pass(1000));
  expect(device.sent).toEqual([Uint8Array.of(1, 2, 3, 4)]);
  expect(read(0x4c)).toBe(2);
});

test('a device that was pulled out reads as ones and does nothing', () => {
  const { kernel, read, write, device, registers, ports } = setUp();
  write(0x0c, 0xf);
  write(0x00, 0x0e);
  device.remove();
  expect(read(0x04)).toBe(0xffff_ffff);
  expect(kernel.memory.readU64(registers)).toBe(0xffff_ffff_ffff_ffffn);
  expect(kernel.hardware.readPort(ports, 2)).toBe(0xffff);
  expect(device.readConfig(0, 2)).toBe(0xffff);
  expect(device.activity()).toEqual([]);
});

test('memory that is freed while the device owns it is a fact at once; memory it touches later is a fault', () => {
  const { kernel, run, pass, write, ring, device } = setUp();
  const { buffers } = ring(0x20, 4);
  write(0x30, 3);
  write(0x00, 2);
  kernel.heap.free(buffers[2] as never);
  kernel.heap.free(buffers[3] as never);
  const facts = kernel.trace.events.flatMap((event) =>
    event.kind === 'fact' && event.what.includes('dma') ? [event] : [],
  );
  expect(facts.map(({ what, detail }) => [what, detail.uses])).toEqual([['freed-under-dma', ['receive buffer 2']]]);
  kernel.heap.free(buffers[0] as never);
  device.receive(new Uint8Array(60));
  run(() => pass(1000));
  const fault = kernel.trace.events.find((event) => event.kind === 'fault');
  expect(fault).toMatchObject({ by: 'device', access: 'write', why: 'freed' });
});

test('live memory that was never mapped for DMA is a fact, once', () => {
  const { kernel, run, pass, write, ring, device } = setUp();
  const { ring: descriptors } = ring(0x20, 4);
  const pool = kernel.heap.allocate(2048, 'pool block');
  for (const i of [0, 1]) kernel.memory.writePointer(at(descriptors, 16 * i), kernel.hardware.physicalOf(pool));
  write(0x30, 3);
  write(0x00, 2);
  device.receive(new Uint8Array(60));
  device.receive(new Uint8Array(60));
  run(() => pass(1000));
  const facts = kernel.trace.events.flatMap((event) =>
    event.kind === 'fact' && event.what.includes('dma') ? [event] : [],
  );
  expect(facts.map(({ what, detail }) => [what, detail.why, detail.block])).toEqual([
    ['dma-outside-mapping', 'never-mapped', 'pool block'],
  ]);
});
