import { describe, expect, test } from 'vitest';
import type { Coroutine } from '../kernel/scheduler.ts';
import { UNICODE_STRING, unicodeText, wideBytes } from '../kernel/strings.ts';
import { at, type Handle } from '../trace/units.ts';
import { MemoryFault } from '../x64/memory.ts';
import { type TestNdis, testNdis } from './testing.ts';

const INTEGER = 0;
const STRING = 2;

function withAdapterKey(options: Parameters<typeof testNdis>[0] = {}): TestNdis {
  const t = testNdis(options);
  const key = t.kernel.registry.ensure(t.adapter.registryPath);
  key.set('*FlowControl', '3');
  key.set('RingSize', 256);
  key.set('NetworkAddress', '02-00-0A1b2C3d');
  key.ensure('Ndi').set('Service', 'nic');
  return t;
}

function* open({ wdk, adapter }: TestNdis): Coroutine<Handle> {
  const { result, ConfigurationHandle } = yield* wdk.NdisOpenConfigurationEx({
    ConfigObject: { Header: { Type: 0xa9, Revision: 1, Size: 20 }, NdisHandle: adapter.handle, Flags: 0 },
  });
  expect(result).toBe(0);
  return ConfigurationHandle;
}

/** A counted string of the driver's. */
function named({ kernel }: TestNdis, text: string) {
  const Buffer = kernel.heap.allocate(2 * text.length, 'the driver’s string');
  kernel.memory.write(Buffer, wideBytes(text));
  return { Length: 2 * text.length, MaximumLength: 2 * text.length, Buffer };
}

const read = (t: TestNdis, ConfigurationHandle: Handle, name: string, ParameterType: number) =>
  t.wdk.NdisReadConfiguration({ ConfigurationHandle, Keyword: named(t, name), ParameterType });

test('values lie in the handle’s memory, and are gone when it is closed', () => {
  const t = withAdapterKey();
  t.run(function* () {
    const ConfigurationHandle = yield* open(t);
    const flow = yield* read(t, ConfigurationHandle, '*flowcontrol', INTEGER);
    expect(t.kernel.memory.readU32(flow.ParameterValue)).toBe(INTEGER);
    expect(t.kernel.memory.readU32(at(flow.ParameterValue, 8))).toBe(3);
    const text = yield* read(t, ConfigurationHandle, '*FlowControl', STRING);
    expect(t.kernel.memory.readU32(text.ParameterValue)).toBe(STRING);
    expect(unicodeText(t.kernel.memory, UNICODE_STRING.at(t.kernel.memory, at(text.ParameterValue, 8)))).toBe('3');
    expect((yield* read(t, ConfigurationHandle, 'absent', INTEGER)).Status).toBe(0xc000_0001);
    yield* t.wdk.NdisCloseConfiguration({ ConfigurationHandle });
    expect(() => t.kernel.memory.readU32(at(flow.ParameterValue, 8))).toThrow(MemoryFault);
    yield* t.wdk.NdisCloseConfiguration({ ConfigurationHandle });
  });
  expect(t.events('acquire')).toMatchObject([{ type: 'config-handle', owner: t.adapter.handle }]);
  expect(t.events('undo').map(({ outcome }) => outcome)).toEqual(['undone', 'again']);
});

test('writing, the network address, and subkeys by name and by index', () => {
  const t = withAdapterKey();
  t.run(function* () {
    const ConfigurationHandle = yield* open(t);
    const written = yield* t.wdk.NdisWriteConfiguration({
      ConfigurationHandle,
      Keyword: named(t, 'RingSize'),
      ParameterValue: { ParameterType: INTEGER, ParameterData: { Length: 512 } },
    });
    expect(written.Status).toBe(0);
    expect(t.kernel.registry.find(t.adapter.registryPath)?.value('RingSize')?.data).toEqual(Uint8Array.of(0, 2, 0, 0));
    const mac = yield* t.wdk.NdisReadNetworkAddress({ ConfigurationHandle });
    expect(mac.NetworkAddressLength).toBe(6);
    expect([...t.kernel.memory.read(mac.NetworkAddress, 6)]).toEqual([2, 0, 0x0a, 0x1b, 0x2c, 0x3d]);
    const byName = yield* t.wdk.NdisOpenConfigurationKeyByName({ ConfigurationHandle, SubKeyName: named(t, 'ndi') });
    expect((yield* read(t, byName.SubKeyHandle, 'Service', STRING)).Status).toBe(0);
    const byIndex = yield* t.wdk.NdisOpenConfigurationKeyByIndex({ ConfigurationHandle, Index: 0 });
    expect(unicodeText(t.kernel.memory, byIndex.KeyName)).toBe('Ndi');
    const end = yield* t.wdk.NdisOpenConfigurationKeyByIndex({ ConfigurationHandle, Index: 1 });
    expect(end.Status).toBe(0xc000_0001);
    yield* t.wdk.NdisOpenConfigurationKeyByName({ ConfigurationHandle, SubKeyName: named(t, 'Queues') });
    yield* t.wdk.NdisCloseConfiguration({ ConfigurationHandle: byName.SubKeyHandle });
  });
  expect(t.facts('setting-read').map(({ detail }) => detail.name)).toEqual(['NetworkAddress', 'ndi\\Service']);
  expect(t.facts('subkey-opened').map(({ detail }) => [detail.name, detail.found])).toEqual([
    ...[
      ['ndi', true],
      ['Ndi', true],
      ['1', false],
      ['Queues', false],
    ],
  ]);
  expect(t.events('acquire').map(({ type }) => type)).toEqual(['config-handle', 'config-subkey', 'config-subkey']);
  expect(t.events('undo')).toMatchObject([{ type: 'config-subkey', outcome: 'undone' }]);
});

describe('failures', () => {
  test('an integer may be out of range, where there is one', () => {
    const asked: (readonly string[])[] = [];
    const t = withAdapterKey({
      faults: {
        strike(fn, failures) {
          if (fn !== 'NdisReadConfiguration') return undefined;
          asked.push(failures);
          return failures.find((id) => id === 'out-of-range');
        },
      },
    });
    t.run(function* () {
      const ConfigurationHandle = yield* open(t);
      const ring = yield* read(t, ConfigurationHandle, 'RingSize', INTEGER);
      expect(t.kernel.memory.readU32(at(ring.ParameterValue, 8))).toBe(0xffff_ffff);
      yield* read(t, ConfigurationHandle, 'absent', INTEGER);
    });
    expect(asked.map((failures) => failures.includes('out-of-range'))).toEqual([true, false]);
  });

  test('a closed handle is a fact and a fault', () => {
    const t = withAdapterKey();
    t.run(function* () {
      const ConfigurationHandle = yield* open(t);
      yield* t.wdk.NdisCloseConfiguration({ ConfigurationHandle });
      let fault: unknown;
      try {
        yield* read(t, ConfigurationHandle, 'RingSize', INTEGER);
      } catch (error) {
        fault = error;
      }
      expect(fault).toBeInstanceOf(MemoryFault);
    });
    expect(t.facts('config-call-on-closed')).toHaveLength(1);
  });
});
