/**
 * A driver's configuration in the registry. What is read lies in memory that belongs to the handle and goes when it is closed.
 * Pages: ndis-ndisopenconfigurationex, ndis-ndisopenconfigurationkeybyname, ndis-ndisopenconfigurationkeybyindex,
 * ndis-ndisreadconfiguration, ndis-ndiswriteconfiguration, ndis-ndisreadnetworkaddress, ndis-ndiscloseconfiguration.
 */
import { pointer, struct, u16, u32, type View } from '../kernel/layout.ts';
import { A, failsOut, failsWith, functionsOf, HANDLE, IN, OUT, type Out, P, ULONG } from '../kernel/record.ts';
import type { RegistryKey } from '../kernel/registry.ts';
import { allocateUnicodeText, UNICODE_STRING, unicodeText } from '../kernel/strings.ts';
import { type Address, type Handle, hex } from '../trace/units.ts';
import { type ConfigurationValue, fromRegistry, toRegistry } from './configuration-values.ts';
import { emitFact } from './facts.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

export const NDIS_CONFIGURATION_OBJECT = struct('NDIS_CONFIGURATION_OBJECT', {
  Header: NDIS_OBJECT_HEADER,
  NdisHandle: pointer,
  Flags: u32,
});

/** ParameterData is a union; this is its widest member: NDIS_STRING, BINARY_DATA alike but for MaximumLength, or a ULONG. */
const PARAMETER_DATA = struct('ParameterData', { Length: u16, MaximumLength: u16, Buffer: pointer });
export const NDIS_CONFIGURATION_PARAMETER = struct('NDIS_CONFIGURATION_PARAMETER', {
  ParameterType: u32,
  ParameterData: PARAMETER_DATA,
});
type Parameter = View<typeof NDIS_CONFIGURATION_PARAMETER.fields>;

/** NDIS_PARAMETER_TYPE. */
const ParameterType = { integer: 0, hexInteger: 1, string: 2, multiString: 3, binary: 4 } as const;
/** NDIS_PROCESSOR_TYPE's NdisProcessorAmd64, NDIS_ENVIRONMENT_TYPE's NdisEnvironmentWindowsNt (ndis.h), and NDIS 6.80. */
const predefined: Readonly<Record<string, number>> = { processortype: 4, environment: 1, ndisversion: 0x0006_0050 };

interface OpenKey {
  readonly handle: Handle;
  readonly key: RegistryKey;
  /** The NDIS handle the configuration was opened with. */
  readonly owner: Handle;
  /** Path of names below the configuration's own key; empty for that one. */
  readonly below: string;
  /** What was given out through it. */
  readonly blocks: Address[];
  closed: boolean;
}

export class Configuration {
  private readonly ndis: Ndis;
  private readonly keys = new Map<Handle, OpenKey>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  open(key: RegistryKey, owner: Handle, below = ''): OpenKey {
    const open: OpenKey = {
      handle: this.ndis.newHandle('NDIS configuration handle'),
      key,
      owner,
      below,
      blocks: [],
      closed: false,
    };
    this.keys.set(open.handle, open);
    return open;
  }

  /** The key a handle names; for one that is closed or wild a fact, and NDIS faults where it looks into it. */
  named(handle: Handle, fn: string): OpenKey | undefined {
    const open = this.keys.get(handle);
    if (open?.closed === false) return open;
    const what = open === undefined ? 'config-call-on-unknown' : 'config-call-on-closed';
    emitFact(this.ndis.kernel, what, { fn, handle: hex(handle) });
    this.ndis.kernel.memory.readU8(handle);
    return undefined;
  }

  /** What an open handle names; says nothing. */
  peek(handle: Handle): RegistryKey | undefined {
    return this.keys.get(handle)?.key;
  }

  close(handle: Handle): void {
    const open = this.keys.get(handle) as OpenKey;
    const { heap } = this.ndis.kernel;
    open.closed = true;
    for (const block of [...open.blocks, handle]) heap.free(block, this.ndis.kernel.stack());
  }

  /** Memory of the handle's own: NdisCloseConfiguration frees it. Its name tells rules that it is a configuration's. */
  allocate(open: OpenKey, size: number, what: string): Address {
    const { heap } = this.ndis.kernel;
    const block = heap.allocate(size, `configuration's ${what}`, { fill: 0, stack: this.ndis.kernel.stack() });
    open.blocks.push(block);
    return block;
  }

  text(open: OpenKey, text: string, what: string): { Length: number; MaximumLength: number; Buffer: Address } {
    const string = allocateUnicodeText(this.ndis.kernel, text, `configuration's ${what}`);
    open.blocks.push(string.Buffer);
    return string;
  }

  /** An NDIS_CONFIGURATION_PARAMETER with that value. */
  parameter(open: OpenKey, name: string, value: ConfigurationValue): Address {
    const { memory } = this.ndis.kernel;
    const what = `NDIS_CONFIGURATION_PARAMETER of '${name}'`;
    const address = this.allocate(open, NDIS_CONFIGURATION_PARAMETER.size, what);
    const parameter = NDIS_CONFIGURATION_PARAMETER.at(memory, address);
    parameter.ParameterType = ParameterType[value.type];
    const data = parameter.ParameterData;
    if (value.type === 'integer') memory.writeU32(data.address, value.value);
    else if (value.type === 'binary') {
      const Buffer = this.allocate(open, value.value.length, `binary value of '${name}'`);
      memory.write(Buffer, value.value);
      PARAMETER_DATA.write(memory, data.address, { Length: value.value.length, Buffer });
    } else PARAMETER_DATA.write(memory, data.address, this.text(open, value.value, `string value of '${name}'`));
    return address;
  }

  /** The value a driver's parameter holds; undefined for a type that is none. */
  valueOf(parameter: Parameter): ConfigurationValue | undefined {
    const { memory } = this.ndis.kernel;
    const data = parameter.ParameterData;
    switch (parameter.ParameterType) {
      case ParameterType.integer:
      case ParameterType.hexInteger:
        return { type: 'integer', value: memory.readU32(data.address) };
      case ParameterType.string:
        return { type: 'string', value: unicodeText(memory, data) };
      case ParameterType.multiString:
        return { type: 'multiString', value: unicodeText(memory, data) };
      case ParameterType.binary:
        return { type: 'binary', value: memory.read(data.Buffer, data.Length) };
      default:
        return undefined;
    }
  }
}

/** Integers of INF keywords are strings in the registry; who asks for an integer gets one (observed; the page says the type is ignored). */
function asAsked(value: ConfigurationValue, type: number): ConfigurationValue {
  if (value.type !== 'string' || type > ParameterType.hexInteger) return value;
  const parsed = Number.parseInt(value.value, type === ParameterType.hexInteger ? 16 : 10);
  return { type: 'integer', value: Number.isNaN(parsed) ? 0 : parsed >>> 0 };
}

/** Names are matched without case. */
function read(key: RegistryKey | undefined, name: string): ConfigurationValue | undefined {
  const value = key?.value(name);
  return value === undefined ? undefined : fromRegistry(value);
}

/** A value's or a subkey's name as scenarios have it: with the keys between it and the configuration's own. */
const nameBelow = ({ below }: OpenKey, name: string): string => (below === '' ? name : `${below}\\${name}`);

/** Which settings the driver looks for, as what, and what is there: scenarios vary them. */
function noteRead({ kernel }: Ndis, name: string, type: number, value: ConfigurationValue | undefined): void {
  const asked = type <= ParameterType.hexInteger ? 'integer' : 'text';
  const detail = { name, asked, found: value?.type ?? null };
  kernel.trace.emit({ kind: 'fact', what: 'setting-read', detail });
}

/** The registry path a handle's configuration lies at. */
function pathOf(ndis: Ndis, handle: Handle): string | undefined {
  const driver = ndis.drivers.find((candidate) => candidate.handle === handle);
  return driver === undefined ? ndis.adapterOf(handle)?.registryPath : `${driver.registryPath}\\Parameters`;
}

/** Bytes of `00-1A-2B…` or `001A2B…`; what is no digit counts as 0, as the converting routine of the kernel has it. */
function addressBytes(text: string): Uint8Array {
  const digits = text.replaceAll('-', '');
  const pairs = digits.match(/..?/g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16) || 0);
}

const f = functionsOf<Ndis>();
const name = ({ kernel }: Ndis, string: View<typeof UNICODE_STRING.fields>) => unicodeText(kernel.memory, string);

/** Writes a status and, where the key is there, a handle to it. */
function openSubkey(
  ndis: Ndis,
  parent: OpenKey,
  name: string,
  key: RegistryKey | undefined,
  args: { Status: Out<number>; handle: Out<Address> },
): OpenKey | undefined {
  const below = nameBelow(parent, name);
  ndis.kernel.trace.emit({ kind: 'fact', what: 'subkey-opened', detail: { name: below, found: key !== undefined } });
  args.Status.set(key === undefined ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS);
  if (key === undefined) return undefined;
  const open = ndis.configuration.open(key, parent.owner, below);
  args.handle.set(open.handle);
  return open;
}

const given = ({ Status }: { Status: Out<number> }) => Status.get() === NDIS_STATUS_SUCCESS;

export const configurationFunctions = {
  NdisOpenConfigurationEx: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisopenconfigurationex',
    params: { ConfigObject: IN(NDIS_CONFIGURATION_OBJECT), ConfigurationHandle: OUT(pointer) },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'config-handle',
      key: ({ ConfigurationHandle }) => ConfigurationHandle.get(),
      owner: ({ ConfigObject }) => ConfigObject.NdisHandle,
    },
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES), failsWith('failure', NDIS_STATUS_FAILURE)],
    body(ndis, { ConfigObject, ConfigurationHandle }, { fn }) {
      const { Header, NdisHandle } = ConfigObject;
      const size = NDIS_CONFIGURATION_OBJECT.offset('Flags') + 4;
      if (headerFault(Header, ObjectType.CONFIGURATION_OBJECT, [size]) !== undefined) return NDIS_STATUS_FAILURE;
      if (!checkHandle(ndis, NdisHandle, fn, ['adapter', 'driver'])) return NDIS_STATUS_FAILURE;
      const key = ndis.kernel.registry.find(pathOf(ndis, NdisHandle) as string);
      if (key === undefined) return NDIS_STATUS_FAILURE;
      ConfigurationHandle.set(ndis.configuration.open(key, NdisHandle).handle);
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisOpenConfigurationKeyByName: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisopenconfigurationkeybyname',
    params: {
      Status: OUT(u32),
      ConfigurationHandle: HANDLE,
      SubKeyName: IN(UNICODE_STRING),
      SubKeyHandle: OUT(pointer),
    },
    returns: 'void',
    irql: A,
    acquires: { type: 'config-subkey', key: ({ SubKeyHandle }) => SubKeyHandle.get(), when: given },
    failures: [failsOut('failure', 'Status', NDIS_STATUS_FAILURE)],
    body(ndis, args, { fn }) {
      const parent = ndis.configuration.named(args.ConfigurationHandle, fn);
      if (parent === undefined) args.Status.set(NDIS_STATUS_FAILURE);
      else {
        const subkey = name(ndis, args.SubKeyName);
        openSubkey(ndis, parent, subkey, parent.key.find(subkey), { Status: args.Status, handle: args.SubKeyHandle });
      }
      return undefined;
    },
  }),

  NdisOpenConfigurationKeyByIndex: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisopenconfigurationkeybyindex',
    params: {
      Status: OUT(u32),
      ConfigurationHandle: HANDLE,
      Index: ULONG,
      KeyName: OUT(UNICODE_STRING),
      KeyHandle: OUT(pointer),
    },
    returns: 'void',
    irql: A,
    acquires: { type: 'config-subkey', key: ({ KeyHandle }) => KeyHandle.get(), when: given },
    failures: [failsOut('failure', 'Status', NDIS_STATUS_FAILURE)],
    body(ndis, args, { fn }) {
      const parent = ndis.configuration.named(args.ConfigurationHandle, fn);
      if (parent === undefined) {
        args.Status.set(NDIS_STATUS_FAILURE);
        return undefined;
      }
      const key = parent.key.keys[args.Index];
      const open = openSubkey(ndis, parent, key?.name ?? String(args.Index), key, {
        Status: args.Status,
        handle: args.KeyHandle,
      });
      if (key === undefined || open === undefined) return undefined;
      // The page speaks of a buffer of the caller's, the header of an output only; the handle's memory serves both (assumed).
      const text = ndis.configuration.text(open, key.name, 'name of a configuration key');
      UNICODE_STRING.write(ndis.kernel.memory, args.KeyName.address, text);
      return undefined;
    },
  }),

  NdisReadConfiguration: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisreadconfiguration',
    params: {
      Status: OUT(u32),
      ParameterValue: OUT(pointer),
      ConfigurationHandle: HANDLE,
      Keyword: IN(UNICODE_STRING),
      ParameterType: ULONG,
    },
    returns: 'void',
    irql: P,
    failures: [
      failsOut('failure', 'Status', NDIS_STATUS_FAILURE),
      failsOut('resources', 'Status', NDIS_STATUS_RESOURCES),
      {
        // Soft: NDIS does not validate what stands in the registry.
        id: 'out-of-range',
        when(args, ndis: Ndis) {
          const value = read(ndis.configuration.peek(args.ConfigurationHandle), name(ndis, args.Keyword));
          return value !== undefined && asAsked(value, args.ParameterType).type === 'integer';
        },
      },
    ],
    body(ndis, { Status, ParameterValue, ConfigurationHandle, Keyword, ParameterType: type }, { fn, soft }) {
      const open = ndis.configuration.named(ConfigurationHandle, fn);
      const keyword = name(ndis, Keyword);
      const system = predefined[keyword.toLowerCase()];
      const value: ConfigurationValue | undefined =
        system === undefined ? read(open?.key, keyword) : { type: 'integer', value: system };
      if (system === undefined && open !== undefined) noteRead(ndis, nameBelow(open, keyword), type, value);
      if (open === undefined || value === undefined) Status.set(NDIS_STATUS_FAILURE);
      else {
        const shown: ConfigurationValue =
          soft === 'out-of-range' ? { type: 'integer', value: 0xffff_ffff } : asAsked(value, type);
        ParameterValue.set(ndis.configuration.parameter(open, keyword, shown));
        Status.set(NDIS_STATUS_SUCCESS);
      }
      return undefined;
    },
  }),

  NdisWriteConfiguration: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndiswriteconfiguration',
    params: {
      Status: OUT(u32),
      ConfigurationHandle: HANDLE,
      Keyword: IN(UNICODE_STRING),
      ParameterValue: IN(NDIS_CONFIGURATION_PARAMETER),
    },
    returns: 'void',
    irql: P,
    failures: [
      failsOut('resources', 'Status', NDIS_STATUS_RESOURCES),
      failsOut('failure', 'Status', NDIS_STATUS_FAILURE),
      failsOut('not-supported', 'Status', NDIS_STATUS_NOT_SUPPORTED),
    ],
    body(ndis, { Status, ConfigurationHandle, Keyword, ParameterValue }, { fn }) {
      const open = ndis.configuration.named(ConfigurationHandle, fn);
      const value = ndis.configuration.valueOf(ParameterValue);
      if (open === undefined) Status.set(NDIS_STATUS_FAILURE);
      else if (value === undefined) Status.set(NDIS_STATUS_NOT_SUPPORTED);
      else {
        open.key.set(name(ndis, Keyword), toRegistry(value));
        Status.set(NDIS_STATUS_SUCCESS);
      }
      return undefined;
    },
  }),

  NdisReadNetworkAddress: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisreadnetworkaddress',
    params: {
      Status: OUT(u32),
      NetworkAddress: OUT(pointer),
      NetworkAddressLength: OUT(u32),
      ConfigurationHandle: HANDLE,
    },
    returns: 'void',
    irql: P,
    failures: [failsOut('failure', 'Status', NDIS_STATUS_FAILURE)],
    body(ndis, { Status, NetworkAddress, NetworkAddressLength, ConfigurationHandle }, { fn }) {
      const open = ndis.configuration.named(ConfigurationHandle, fn);
      const value = read(open?.key, 'NetworkAddress');
      if (open !== undefined) noteRead(ndis, nameBelow(open, 'NetworkAddress'), ParameterType.string, value);
      if (open === undefined || value?.type !== 'string') Status.set(NDIS_STATUS_FAILURE);
      else {
        const address = addressBytes(value.value);
        const block = ndis.configuration.allocate(open, address.length, 'network address');
        ndis.kernel.memory.write(block, address);
        NetworkAddress.set(block);
        NetworkAddressLength.set(address.length);
        Status.set(NDIS_STATUS_SUCCESS);
      }
      return undefined;
    },
  }),

  NdisCloseConfiguration: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndiscloseconfiguration',
    params: { ConfigurationHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['config-handle', 'config-subkey'],
      key: ({ ConfigurationHandle }) => ConfigurationHandle,
      otherwise: () => undefined,
    },
    body(ndis, { ConfigurationHandle }) {
      ndis.configuration.close(ConfigurationHandle);
      return undefined;
    },
  }),
};
