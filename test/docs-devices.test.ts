/** The model in docs/devices.md is loaded and driven as the page says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DeviceDefinition } from '../src/devices/define-device.ts';
import { plug } from '../src/devices/pci-bus.ts';
import { testKernel } from '../src/kernel/testing.ts';
import { at } from '../src/trace/units.ts';

test('the example of docs/devices.md is a NIC that receives', async () => {
  const page = readFileSync(new URL('../docs/devices.md', import.meta.url), 'utf8');
  const [, example] = /```ts\n([\s\S]*?)```/.exec(page) as unknown as [string, string];
  const folder = mkdtempSync(join(tmpdir(), 'haltex-'));
  try {
    const path = join(folder, 'my-nic.ts');
    // What `haltex` exports of devices/, without loading all the rest of it.
    writeFileSync(
      path,
      example.replace("'haltex'", `'${new URL('../src/devices/define-device.ts', import.meta.url).pathname}'`),
    );
    const definition: DeviceDefinition<unknown, object> = (await import(/* @vite-ignore */ path)).default;
    const { kernel } = testKernel();
    const device = plug(kernel, definition, {});
    expect(device.name).toBe('Acme 100 (1af9:0100)');
    const registers = kernel.hardware.mapRegisters(device.ranges[0]?.start as number, 0x1000, 'registers');
    const write = (offset: number, value: number) => kernel.memory.writeU32(at(registers, offset), value);
    const buffer = kernel.heap.allocate(2048, 'shared memory');
    write(0x10, kernel.hardware.physicalOf(buffer));
    write(0x0c, 1);
    write(0x00, 1);
    expect(kernel.memory.readU32(registers)).toBe(1);
    device.receive(Uint8Array.of(1, 2, 3));
    expect([...kernel.memory.read(buffer, 3)]).toEqual([1, 2, 3]);
    expect(device.line?.asserted).toBe(true);
    expect(device.activity()).toEqual(['receive DMA', 'interrupts enabled']);
    expect(device.dmaTargets()).toHaveLength(1);
    write(0x08, 1);
    expect(device.line?.asserted).toBe(false);
    kernel.memory.readU32(at(registers, 0x40));
    const facts = kernel.trace.events.filter((event) => event.kind === 'fact').map(({ what }) => what);
    expect(facts).toContain('device-register-undefined');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
