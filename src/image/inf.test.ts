import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInf } from './inf.ts';

const text = String.raw`
[Version]
Signature="$WINDOWS NT$" ; a comment; with semicolons
[Manufacturer]
%Vendor% = Models, NTx86, NTamd64, NTamd64.10.0
[Models.NTx86]
%Nic.Desc% = Old.Install, PCI\VEN_4858&DEV_0386
[Models.NTamd64]
%Nic.Desc% = Nic.Install, PCI\VEN_4858&DEV_0001, "PCI\VEN_4858&DEV_0002"
%Nic.Desc% = Other.Install, PCI\VEN_4858&DEV_0003
[Nic.Install]
AddReg = Wrong.Reg
[Nic.Install.NT]
AddReg = Nic.Reg, \
         Nic.Params   ; continued
[Other.Install.NTamd64]
AddReg = Other.Reg
[Wrong.Reg]
HKR,, Wrong, 0, "1"
[Other.Reg]
HKR,, Other, 0x00010001, 0x10
[Nic.Reg]
HKR,, BusNumber, 0, "0"
HKR,, Depth, 0x00010001, 64
HKR,, Depth2, 0x00010001, 40, 00, 00, 01
HKR,, Mac, 1, 02, 48, 58
HKR,, List, 0x00010000, "a, b", c
HKR, Ndi\params\*SpeedDuplex, ParamDesc, 0, "Speed, and duplex ""both"""
HKR, Ndi\params\*SpeedDuplex, default, 0, "4"
HKR, Ndi\params\*SpeedDuplex, type, 0, "enum"
HKR, Ndi\params\*SpeedDuplex\enum, "0", 0, "Auto"
HKR, Ndi\params\*SpeedDuplex\enum, "4", 0, "100 %% full"
HKR, Ndi\params\Buffers, type, 0, "int"
HKR, Ndi\params\Buffers, min, 0, "16"
HKR, Ndi\params\Buffers, MAX, 0, "ff"
HKR, Ndi\params\Buffers, base, 0, "16"
HKR, Ndi\params\Buffers, Default, 0, "20"
HKR,, buffers, 0, "30"
HKR, Ndi\params\NetworkAddress, type, 0, edit
HKR, Ndi\params\NetworkAddress, limittext, 0, 12
HKLM, Software, Other, 0, "no"
HKR, \Queues\, Count, 0x00010001, 4
HKR, Empty,,0x10
[Nic.Params]
HKR,,Name,,%Vendor%
[Strings]
Vendor = "haltex; the project"
Nic.Desc = "NIC"
`;

const read = (source: string, id?: string) => readInf(new TextEncoder().encode(source), id);

it('finds hardware ids and the adapter’s registry values', () => {
  const inf = read(text);
  expect(inf.problems).toEqual([]);
  expect(inf.hardwareIds).toEqual(['PCI\\VEN_4858&DEV_0001', 'PCI\\VEN_4858&DEV_0002', 'PCI\\VEN_4858&DEV_0003']);
  expect(inf.values).toEqual({
    BusNumber: '0',
    Depth: 64,
    Depth2: 0x0100_0040,
    Mac: Uint8Array.of(0x02, 0x48, 0x58),
    List: ['a, b', 'c'],
    '*SpeedDuplex': '4',
    buffers: '30',
    'Queues\\Count': 4,
    'Empty\\': '',
    Name: 'haltex; the project',
  });
});

it('finds the settings users may choose, with their bounds', () => {
  expect(read(text).parameters).toEqual([
    { name: '*SpeedDuplex', type: 'enum', default: '4', base: 10, choices: ['0', '4'] },
    { name: 'Buffers', type: 'int', default: '20', min: 0x16, max: 0xff, base: 16, choices: [] },
    { name: 'NetworkAddress', type: 'edit', limit: 12, base: 10, choices: [] },
  ]);
});

it('installs the device asked for', () => {
  expect(read(text, 'pci\\ven_4858&dev_0003').values).toEqual({ Other: 16 });
  expect(read(text, 'PCI\\VEN_0000&DEV_0000').values).toEqual({});
});

it('takes a template for what stampinf makes of it', () => {
  const template = text.replaceAll('NTamd64', 'NT$ARCH$');
  expect(read(template).hardwareIds).toEqual(read(text).hardwareIds);
});

describe('other encodings', () => {
  const words = (order: readonly [number, number]) =>
    Uint8Array.from([...order, ...[...text].flatMap((char) => [char.charCodeAt(0) & 0xff, char.charCodeAt(0) >> 8])]);

  it('UTF-16 of either order, by its mark', () => {
    const little = words([0xff, 0xfe]);
    expect(readInf(little)).toEqual(read(text));
    const big = little.map((_, i) => little[i ^ 1] as number);
    expect(readInf(big)).toEqual(read(text));
  });

  it('ANSI, where it is not UTF-8', () => {
    const bytes = new TextEncoder()
      .encode(text.replace('the project', 'the pr@ject'))
      .map((byte) => (byte === 0x40 ? 0xf6 : byte));
    expect(readInf(bytes).values.Name).toBe('haltex; the pröject');
  });
});

it('says in a sentence what is wrong with a line, and goes on', () => {
  const wrong = String.raw`stray
[Version]
[Manufacturer]
%Nobody% = Models, NTamd64
Gone = Nowhere
[Models.NTamd64]
no equals sign
x = Install, PCI\VEN_1&DEV_1
[Install]
AddReg = Reg, Missing
[Reg] and more
HKX,, Name, 0, "1"
HKR,, Name, zero, "1"
HKR,, Number, 0x00010001, many
HKR,, Bytes, 1, 123
HKR,, Text, 0, "open
HKR, Ndi\params\P, min, 0, low
HKR, Ndi\params\P, type
HKR, Ndi\params\Q, type, 0, float
HKR,, Good, 0, "yes"
[Strings]
broken`;
  const inf = read(wrong);
  expect(inf.problems.map(({ line, text: sentence }) => `${line}: ${sentence}`)).toMatchInlineSnapshot(`
    [
      "1: it stands before the first section, so it belongs to none",
      "4: [Strings] has no «Nobody»",
      "5: there is no models section [nowhere] for x64",
      "7: a line of a models section reads description = install section, hardware id",
      "10: there is no AddReg section [Missing]",
      "11: a section name stands alone in its line, as in [Name]",
      "12: an AddReg line begins with HKR, HKLM, HKCR, HKCU, HKU, not with «HKX»",
      "13: the flags of an AddReg line are a number, not «zero»",
      "14: the value of «Number» is not of the type its flags say",
      "15: the value of «Bytes» is not of the type its flags say",
      "16: a quotation mark has no partner",
      "17: «min» of the setting P is no number: «low»",
      "18: «type» of the setting P has no value",
      "19: the setting Q has the type «float»; there are int, long, word, dword, edit, enum",
      "22: a line of [Strings] reads Name = "text"",
    ]
  `);
  expect(inf.values.Good).toBe('yes');
});

it('any bytes have lines: nothing throws', () => {
  const parts = [
    '[',
    ']',
    '"',
    '%',
    '\\',
    '\n',
    ',',
    '=',
    ';',
    'HKR',
    'AddReg',
    'Version',
    'Manufacturer',
    'Strings',
    'Ndi\\params\\x',
    '1',
    ' ',
  ];
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.constantFrom(...parts)).map((all) => new TextEncoder().encode(all.join(''))),
      ),
      (bytes) => {
        const inf = readInf(bytes);
        const lines = inf.problems.map(({ line }) => line);
        expect(new Set(lines).size).toBe(lines.length);
        expect(inf.problems.every(({ text: sentence }) => sentence !== '')).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
  expect(readInf(Uint8Array.from({ length: 2000 }, (_, i) => (i * 73) & 0xff))).toMatchObject({ hardwareIds: [] });
});

it('a file cut anywhere is read as far as it goes', () => {
  const bytes = new TextEncoder().encode(text);
  for (let end = 0; end < bytes.length; end += 7) expect(() => readInf(bytes.subarray(0, end))).not.toThrow();
});
