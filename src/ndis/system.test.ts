import { describe, expect, test } from 'vitest';
import { allocateUnicodeText, UNICODE_STRING } from '../kernel/strings.ts';
import { type Address, at, MICROSECOND, NULL } from '../trace/units.ts';
import { type TestNdis, testNdis } from './testing.ts';

const text = ({ kernel }: TestNdis, value: string) => allocateUnicodeText(kernel, value, 'the driver’s string');

describe('the system', () => {
  test('sleeps in virtual time', () => {
    const t = testNdis();
    t.run(() => t.wdk.NdisMSleep({ MicrosecondsToSleep: 50 }));
    expect(t.kernel.clock.now).toBe(50 * MICROSECOND);
  });

  test('has the functions we have, and says so of others', () => {
    const t = testNdis();
    t.run(function* () {
      const find = (name: string) => t.wdk.NdisGetRoutineAddress({ NdisRoutineName: text(t, name) });
      expect(yield* find('NdisMSleep')).toBe(t.kernel.code.resolve('NdisMSleep', 'NDIS.SYS'));
      expect(yield* find('NdisFlyToTheMoon')).toBe(NULL);
      expect(yield* find('KeSetEvent')).toBe(NULL);
    });
    expect(t.facts('ndis-routine-not-found').map(({ detail }) => detail.name)).toEqual([
      'NdisFlyToTheMoon',
      'KeSetEvent',
    ]);
  });

  test('shows its processors', () => {
    const t = testNdis({ processors: 2 });
    t.run(function* () {
      const { kernel, wdk } = t;
      const size = kernel.heap.allocate(8, 'a size', { fill: 0 });
      expect(yield* wdk.NdisGroupActiveProcessorCount({ Group: 0xffff })).toBe(2);
      expect((yield* wdk.NdisSystemActiveProcessorCount({})).ActiveProcessors).toBe(3n);
      expect(yield* wdk.NdisProcessorNumberToIndex({ ProcNum: 0x1_0000 })).toBe(1);
      expect(yield* wdk.NdisProcessorNumberToIndex({ ProcNum: 0x1_0001 })).toBe(0xffff_ffff);
      expect((yield* wdk.NdisProcessorIndexToNumber({ ProcIndex: 1 })).ProcNum.Number).toBe(1);
      const query = (RssProcessorInfo: Address) =>
        wdk.NdisGetRssProcessorInformation({ NdisHandle: t.adapter.handle, RssProcessorInfo, Size: size });
      expect(yield* query(NULL)).toBe(0xc001_0016);
      const bytes = Number(kernel.memory.readU64(size));
      expect(bytes).toBe(40 + 2 * 8);
      const info = kernel.heap.allocate(bytes, 'NDIS_RSS_PROCESSOR_INFO');
      expect(yield* query(info)).toBe(0);
      // The second processor's number, where the header says the array is.
      const array = at(info, kernel.memory.readU32(at(info, 20)));
      expect(kernel.memory.readU8(at(array, 8 + 2))).toBe(1);
    });
  });

  test('notes what drivers log', () => {
    const t = testNdis();
    t.run(() =>
      t.wdk.NdisWriteErrorLogEntry({
        NdisAdapterHandle: t.adapter.handle,
        ErrorCode: 0xc000138c,
        NumberOfErrorValues: 2,
        ErrorValues: [7, 8],
      }),
    );
    expect(t.facts('error-log')).toMatchObject([{ detail: { code: '0xC000138C', values: [7, 8] } }]);
  });

  test('stops a driver that calls into NDIS 5', () => {
    const t = testNdis();
    expect(() => t.run(() => t.wdk.NdisScheduleWorkItem({}))).toThrow('reserved for NDIS 5');
    expect(t.facts('ndis5-call')).toMatchObject([{ detail: { fn: 'NdisScheduleWorkItem' } }]);
  });
});

test('strings', () => {
  const t = testNdis();
  t.run(function* () {
    const { kernel, wdk } = t;
    const buffer = kernel.heap.allocate(20, 'buffer', { fill: 0xee });
    const to = kernel.heap.allocate(16, 'a UNICODE_STRING', { fill: 0 });
    UNICODE_STRING.write(kernel.memory, to, { Length: 0, MaximumLength: 8, Buffer: buffer });
    const view = UNICODE_STRING.at(kernel.memory, to);
    yield* wdk.NdisUpcaseUnicodeString({ DestinationString: to, SourceString: text(t, 'nic') });
    expect(view.Length).toBe(6);
    const same = { String1: to, String2: text(t, 'Nic') };
    expect(yield* wdk.NdisEqualString({ ...same, CaseInSensitive: true })).toBe(true);
    expect(yield* wdk.NdisEqualString({ ...same, CaseInSensitive: false })).toBe(false);
    const long = text(t, 'too long');
    expect(yield* wdk.NdisUpcaseUnicodeString({ DestinationString: to, SourceString: long })).toBe(0x8000_0005);
  });
});

test('files, logs and interfaces', () => {
  const t = testNdis();
  t.ndis.files.available.set('firmware.bin', Uint8Array.of(1, 2, 3));
  t.run(function* () {
    const { wdk } = t;
    const HighestAcceptableAddress = -1;
    const absent = yield* wdk.NdisOpenFile({ FileName: text(t, 'other.bin'), HighestAcceptableAddress });
    expect(absent.Status).toBe(0xc001_001b);
    const { FileHandle, FileLength } = yield* wdk.NdisOpenFile({
      FileName: text(t, 'Firmware.bin'),
      HighestAcceptableAddress,
    });
    expect(FileLength).toBe(3);
    const map = yield* wdk.NdisMapFile({ FileHandle });
    expect([...t.kernel.memory.read(map.MappedBuffer, 3)]).toEqual([1, 2, 3]);
    expect((yield* wdk.NdisMapFile({ FileHandle })).Status).toBe(0xc001_001d);
    yield* wdk.NdisCloseFile({ FileHandle });
    expect(() => t.kernel.memory.readU8(map.MappedBuffer)).toThrow();

    const { LogHandle } = yield* wdk.NdisMCreateLog({ MiniportAdapterHandle: t.adapter.handle, Size: 100 });
    expect((yield* wdk.NdisMCreateLog({ MiniportAdapterHandle: t.adapter.handle, Size: 100 })).result).toBe(
      0xc000_0001,
    );
    yield* wdk.NdisMCloseLog({ LogHandle });

    const { pNdisIfProviderHandle } = yield* wdk.NdisIfRegisterProvider({
      ProviderCharacteristics: { Header: { Type: 0x80, Revision: 1, Size: 40 } },
      IfProviderContext: NULL,
    });
    const { pfIndex } = yield* wdk.NdisIfRegisterInterface({
      NdisProviderHandle: pNdisIfProviderHandle,
      NetLuid: 0x0006_0001_0000_0000n,
      ProviderIfContext: NULL,
      pIfInfo: NULL,
    });
    yield* wdk.NdisIfDeregisterProvider({ NdisProviderHandle: pNdisIfProviderHandle });
    yield* wdk.NdisIfDeregisterInterface({ ifIndex: pfIndex });
  });
  expect(t.facts('if-provider-has-interfaces')).toHaveLength(1);
  expect(t.events('acquire').map(({ type }) => type)).toEqual(['file', 'log', 'if-provider', 'if-interface']);
  expect(t.events('undo').map(({ type, outcome }) => `${type} ${outcome}`)).toEqual([
    'file undone',
    'log undone',
    'if-provider undone',
    'if-interface undone',
  ]);
});

test('a copy of an OID request is owed by the handle it was made with', () => {
  const t = testNdis();
  t.run(function* () {
    const OidRequest = { Header: { Type: 0x96, Revision: 1, Size: 0x60 }, Oid: 0x10106 };
    const { ClonedOidRequest } = yield* t.wdk.NdisAllocateCloneOidRequest({
      SourceHandle: t.adapter.handle,
      OidRequest,
      PoolTag: 0x41414141,
    });
    yield* t.wdk.NdisFreeCloneOidRequest({ SourceHandle: t.driver.handle, Request: ClonedOidRequest });
  });
  expect(t.events('undo')).toMatchObject([{ type: 'clone-oid', outcome: 'mismatch', differs: ['SourceHandle'] }]);
});
