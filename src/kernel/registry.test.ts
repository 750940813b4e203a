import { describe, expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { RTL_QUERY_REGISTRY_TABLE } from './registry-query.ts';
import { UNICODE_STRING, unicodeText, wideBytes } from './strings.ts';
import { testKernel } from './testing.ts';

function setUp() {
  const test = testKernel();
  const { kernel, run, wdk } = test;
  const wide = (text: string) => {
    const address = kernel.heap.allocate(2 * text.length + 2, 'text', { fill: 0 });
    kernel.memory.write(address, wideBytes(text));
    return address;
  };
  const name = (text: string) => ({ Length: 2 * text.length, MaximumLength: 2 * text.length, Buffer: wide(text) });
  const attributes = (text: string, RootDirectory: Address = NULL) => {
    const ObjectName = kernel.heap.allocate(UNICODE_STRING.size, 'name');
    UNICODE_STRING.write(kernel.memory, ObjectName, name(text));
    return { Length: 48, RootDirectory, ObjectName, Attributes: 0x240 };
  };
  const open = (path: string) => run(() => wdk.ZwOpenKey({ DesiredAccess: 1, ObjectAttributes: attributes(path) }));
  const buffer = kernel.heap.allocate(256, 'buffer', { fill: 0 });
  return { ...test, wide, name, attributes, open, buffer };
}

describe('the registry', () => {
  it('finds names without case and keeps how they were written', () => {
    const { kernel } = setUp();
    const key = kernel.registry.service('nic');
    key.set('Speed', 1000);
    expect(kernel.registry.find('\\REGISTRY\\machine\\SYSTEM\\CurrentControlSet\\services\\NIC')).toBe(key);
    expect(key.value('speed')).toMatchObject({ name: 'Speed', type: 4 });
  });

  it('gives values with sizes as ZwQueryValueKey does, and owes the handle', () => {
    const { kernel, wdk, run, name, open, buffer } = setUp();
    kernel.registry.service('nic').set('Speed', 1000);
    const { result, KeyHandle } = open('\\Registry\\Machine\\System\\CurrentControlSet\\Services\\nic');
    expect(result).toBe(0);
    const ask = (Length: number, value = 'Speed') =>
      run(() =>
        wdk.ZwQueryValueKey({
          KeyHandle,
          ValueName: name(value),
          KeyValueInformationClass: 2,
          KeyValueInformation: buffer,
          Length,
        }),
      );
    expect(ask(8)).toEqual({ result: 0xc0000023, ResultLength: 16 });
    expect(ask(12)).toEqual({ result: 0x80000005, ResultLength: 16 });
    expect(ask(16)).toEqual({ result: 0, ResultLength: 16 });
    expect(kernel.memory.readU32(at(buffer, 12))).toBe(1000);
    expect(ask(16, 'Duplex').result).toBe(0xc0000034);
    expect(run(() => wdk.ZwClose({ Handle: KeyHandle }))).toBe(0);
    expect(run(() => wdk.ZwClose({ Handle: KeyHandle }))).toBe(0xc0000008);
    const ledger = kernel.trace.events.flatMap((event) => (event.kind === 'undo' ? [event.outcome] : []));
    expect(ledger).toEqual(['undone', 'again']);
  });

  it('makes, sets, enumerates and deletes', () => {
    const { kernel, wdk, run, name, attributes, buffer } = setUp();
    const service = '\\Registry\\Machine\\System\\CurrentControlSet\\Services';
    const made = run(() =>
      wdk.ZwCreateKey({
        DesiredAccess: 6,
        ObjectAttributes: attributes(`${service}\\new`),
        TitleIndex: 0,
        Class: NULL,
        CreateOptions: 0,
      }),
    );
    expect(made).toMatchObject({ result: 0, Disposition: 1 });
    const { KeyHandle } = made;
    kernel.memory.writeU32(buffer, 7);
    run(() =>
      wdk.ZwSetValueKey({ KeyHandle, ValueName: name('x'), TitleIndex: 0, Type: 4, Data: buffer, DataSize: 4 }),
    );
    expect(kernel.registry.service('new').values).toHaveLength(1);
    const walk = (Index: number) =>
      run(() =>
        wdk.ZwEnumerateValueKey({
          KeyHandle,
          Index,
          KeyValueInformationClass: 1,
          KeyValueInformation: buffer,
          Length: 64,
        }),
      ).result;
    expect([walk(0), walk(1)]).toEqual([0, 0x8000001a]);
    expect(run(() => wdk.ZwDeleteValueKey({ KeyHandle, ValueName: name('X') }))).toBe(0);
  });

  it('queries by table, directly and through a routine', () => {
    const { kernel, wdk, run, wide } = setUp();
    const { memory, heap } = kernel;
    const key = kernel.registry.service('nic');
    key.set('Speed', 1000);
    key.set('Name', 'eth');
    const table = heap.allocate(4 * RTL_QUERY_REGISTRY_TABLE.size, 'table', { fill: 0 });
    const row = (index: number, values: object) =>
      RTL_QUERY_REGISTRY_TABLE.write(memory, at(table, index * RTL_QUERY_REGISTRY_TABLE.size), values);
    const speed = heap.allocate(4, 'speed', { fill: 0 });
    const text = heap.allocate(UNICODE_STRING.size, 'text', { fill: 0 });
    const seen: unknown[] = [];
    const QueryRoutine = kernel.code.expose((args: { ValueType: number; ValueData: Address }) => {
      seen.push(args.ValueType, memory.readU32(args.ValueData));
      return 0;
    });
    row(0, { Flags: 0x20, Name: wide('Speed'), EntryContext: speed });
    row(1, { Flags: 0x20, Name: wide('Name'), EntryContext: text });
    row(2, { QueryRoutine, Name: wide('Speed') });
    const query = () =>
      run(() =>
        wdk.RtlQueryRegistryValues({
          RelativeTo: 1,
          Path: wide('nic'),
          QueryTable: table,
          Context: NULL,
          Environment: NULL,
        }),
      );
    // The direct rows have no routine but a name: they do not end the table.
    expect(query()).toBe(0);
    expect(memory.readU32(speed)).toBe(1000);
    expect(unicodeText(memory, UNICODE_STRING.at(memory, text))).toBe('eth');
    expect(seen).toEqual([4, 1000]);
    row(0, { Flags: 0x24, Name: wide('Duplex'), EntryContext: speed });
    expect(query()).toBe(0xc0000034);
  });
});
