import { expect, it } from 'vitest';
import { readInf } from './inf.ts';

const text = String.raw`
[Version]
Signature="$WINDOWS NT$" ; a comment; with semicolons
[Manufacturer]
%Vendor% = Models, NTamd64
[Models.NTamd64]
%Nic.Desc% = Nic.Install, PCI\VEN_4858&DEV_0001, "PCI\VEN_4858&DEV_0002"
[Nic.Install.NT]
AddReg = Nic.Reg, Nic.Params
[Nic.Reg]
HKR,, BusNumber, 0, "0"
HKR,, Depth, 0x00010001, 64
HKR,, Mac, 1, 02, 48, 58
HKR, Ndi\params\*SpeedDuplex, ParamDesc, 0, "Speed, and duplex"
HKR, Ndi\params\*SpeedDuplex, default, 0, "4"
HKLM, Software, Other, 0, "no"
[Nic.Params]
HKR,,Name,,%Vendor%
[Strings]
Vendor = "haltex; the project"
Nic.Desc = "NIC"
`;

it('finds hardware ids and the adapter’s registry values', () => {
  const inf = readInf(new TextEncoder().encode(text));
  expect(inf.hardwareIds).toEqual(['PCI\\VEN_4858&DEV_0001', 'PCI\\VEN_4858&DEV_0002']);
  expect(inf.values).toEqual({
    BusNumber: '0',
    Depth: 64,
    Mac: Uint8Array.of(0x02, 0x48, 0x58),
    '*SpeedDuplex': '4',
    Name: 'haltex; the project',
  });
});

it('reads UTF-16 and gives nothing for what is no INF', () => {
  const utf16 = Uint8Array.from([
    0xff,
    0xfe,
    ...[...text].flatMap((char) => [char.charCodeAt(0) & 0xff, char.charCodeAt(0) >> 8]),
  ]);
  expect(readInf(utf16).hardwareIds).toHaveLength(2);
  expect(readInf(Uint8Array.from({ length: 2000 }, (_, i) => (i * 73) & 0xff))).toMatchObject({ hardwareIds: [] });
});
