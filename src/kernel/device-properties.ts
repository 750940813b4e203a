/**
 * Properties of a device in the unified property model: values by key, of any type, that the registry keeps. A driver reads back
 * what it or nobody wrote; the system's own properties are not modelled, and asking for one says so.
 * Pages: wdm-iosetdevicepropertydata, wdm-iogetdevicepropertydata; DEVPROPKEY: a GUID and a number (devpropdef.h).
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { u32 } from './layout.ts';
import { failsWith, functionsOf, OUT, P, POINTER, ULONG } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { guidText } from './text-conversions.ts';

interface Property {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Values drivers have written, by device, locale and key. */
export class DeviceProperties {
  private readonly values = new Map<string, Property>();

  set(name: string, value: Property | undefined): void {
    if (value === undefined) this.values.delete(name);
    else this.values.set(name, value);
  }

  get(name: string): Property | undefined {
    return this.values.get(name);
  }
}

/** DEVPKEY_Device and its kin begin with GUIDs of the system (devpkey.h): the first two families. */
const SYSTEM = /^\{(A45C254E-DF1C-4EFD-8020-67D146A850E0|540B947E-8B40-45BC-A8A2-6A0B894CBDA2)\}/;

function keyOf(memory: GuestMemory, key: Address): string {
  return `${guidText(memory, key)} ${memory.readU32(at(key, 16))}`;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: P } as const;

export const devicePropertyFunctions = {
  IoSetDevicePropertyData: f({
    ...common,
    page: 'wdm-iosetdevicepropertydata',
    params: {
      Pdo: POINTER,
      PropertyKey: POINTER,
      Lcid: ULONG,
      Flags: ULONG,
      Type: ULONG,
      Size: ULONG,
      Data: POINTER,
    },
    returns: 'status',
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body({ memory, deviceProperties }, { Pdo, PropertyKey, Lcid, Type, Size, Data }) {
      const name = `${Pdo} ${Lcid} ${keyOf(memory, PropertyKey)}`;
      deviceProperties.set(name, Data === NULL ? undefined : { type: Type, data: memory.read(Data, Size).slice() });
      return Status.SUCCESS;
    },
  }),
  IoGetDevicePropertyData: f({
    ...common,
    page: 'wdm-iogetdevicepropertydata',
    params: {
      Pdo: POINTER,
      PropertyKey: POINTER,
      Lcid: ULONG,
      Flags: ULONG,
      Size: ULONG,
      Data: POINTER,
      RequiredSize: OUT(u32),
      Type: OUT(u32),
    },
    returns: 'status',
    body(kernel, { Pdo, PropertyKey, Lcid, Size, Data, RequiredSize, Type }, { fn }) {
      const { memory, deviceProperties } = kernel;
      const key = keyOf(memory, PropertyKey);
      const value = deviceProperties.get(`${Pdo} ${Lcid} ${key}`);
      if (value === undefined) {
        if (SYSTEM.test(key)) throw new Unsupported(fn, `the device property ${key}`, kernel.stack());
        return Status.OBJECT_NAME_NOT_FOUND;
      }
      RequiredSize.set(value.data.length);
      Type.set(value.type);
      if (Size < value.data.length) return Status.BUFFER_TOO_SMALL;
      memory.write(Data, value.data);
      return Status.SUCCESS;
    },
  }),
};
