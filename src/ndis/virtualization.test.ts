import { expect, test } from 'vitest';
import type { PciDevice } from '../kernel/pci.ts';
import { testNdis } from './testing.ts';

/** A function whose configuration space holds an SR-IOV capability at 0x100, and nothing else. */
function physicalFunction(): PciDevice {
  const config = new DataView(new ArrayBuffer(0x1000));
  config.setUint32(0x100, 0x0001_0010, true);
  const get = { 1: 'getUint8', 2: 'getUint16', 4: 'getUint32' } as const;
  const set = { 1: 'setUint8', 2: 'setUint16', 4: 'setUint32' } as const;
  return {
    name: 'a physical function',
    ranges: [],
    line: undefined,
    messages: [],
    present: true,
    sent: [],
    readConfig: (offset: number, size: 1 | 2 | 4) => config[get[size]](offset, true),
    writeConfig: (offset: number, size: 1 | 2 | 4, value: number) => config[set[size]](offset, value, true),
    remove() {},
    power() {},
    activity: () => [],
    receive() {},
  } as unknown as PciDevice;
}

const off = { NumVFs: 0, EnableVFMigration: false, EnableMigrationInterrupt: false, EnableVirtualization: false };
const on = { ...off, NumVFs: 4, EnableVirtualization: true };

test('what is switched on is owed', () => {
  const device = physicalFunction();
  const t = testNdis({ device: () => device });
  const NdisMiniportHandle = t.adapter.handle;
  t.run(function* () {
    expect(yield* t.wdk.NdisMEnableVirtualization({ ...on, NdisMiniportHandle })).toBe(0);
    expect(device.readConfig(0x108, 2) & 1).toBe(1);
    expect(device.readConfig(0x110, 2)).toBe(4);
    expect(yield* t.wdk.NdisMEnableVirtualization({ ...off, NdisMiniportHandle })).toBe(0);
    expect(device.readConfig(0x108, 2) & 1).toBe(0);
  });
  expect(t.events('acquire')).toMatchObject([
    { type: 'virtualization', owner: t.adapter.handle, detail: { NumVFs: 4 } },
  ]);
  expect(t.events('undo')).toMatchObject([{ type: 'virtualization', outcome: 'undone' }]);
});

test('an adapter without SR-IOV does not support it', () => {
  const t = testNdis();
  const NdisMiniportHandle = t.adapter.handle;
  t.run(function* () {
    expect(yield* t.wdk.NdisMEnableVirtualization({ ...on, NdisMiniportHandle })).toBe(0xc000_00bb);
  });
  expect(t.events('acquire')).toEqual([]);
});
