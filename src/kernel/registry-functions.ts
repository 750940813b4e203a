/**
 * The registry as drivers call it: ZwOpenKey and its neighbours, and RtlQueryRegistryValues. Key handles are owed (`handle`).
 * Pages: wdm-zwopenkey, wdm-zwcreatekey, wdm-zwqueryvaluekey, wdm-rtlqueryregistryvalues, …
 */
import { type Address, type Handle, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u32, type View } from './layout.ts';
import { failsWith, functionsOf, HANDLE, IN, OUT, type Out, P, POINTER, ULONG } from './record.ts';
import type { RegistryKey, RegistryValue } from './registry.ts';
import { Status } from './status.ts';
import { UNICODE_STRING, unicodeText, wideBytes } from './strings.ts';

export const OBJECT_ATTRIBUTES = struct('OBJECT_ATTRIBUTES', {
  Length: u32,
  RootDirectory: pointer,
  ObjectName: pointer,
  Attributes: u32,
  SecurityDescriptor: pointer,
  SecurityQualityOfService: pointer,
});
type ObjectAttributes = View<typeof OBJECT_ATTRIBUTES.fields>;

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: P } as const;

/** The text an OBJECT_ATTRIBUTES names. */
export function objectName(memory: GuestMemory, attributes: ObjectAttributes): string {
  return attributes.ObjectName === NULL ? '' : unicodeText(memory, UNICODE_STRING.at(memory, attributes.ObjectName));
}

/** Where a name begins: the key of RootDirectory, or the root. Undefined for a handle that is no key's. */
function rootOf(kernel: Kernel, { RootDirectory }: ObjectAttributes): RegistryKey | undefined {
  return RootDirectory === NULL ? kernel.registry.root : keyOf(kernel, RootDirectory);
}

const keyOf = ({ handles }: Kernel, handle: Handle) => handles.object<RegistryKey>(handle, 'Key');

/** A structure with what must be there first, the rest as far as it fits, as the Zw query functions give them. */
function answer(memory: GuestMemory, to: Address, room: number, size: Out<number>, fixed: number, data: Uint8Array) {
  size.set(data.length);
  if (room < fixed) return Status.BUFFER_TOO_SMALL;
  memory.write(to, data.subarray(0, room));
  return room < data.length ? Status.BUFFER_OVERFLOW : Status.SUCCESS;
}

function record(fields: readonly number[], ...tails: readonly Uint8Array[]): Uint8Array {
  const data = new Uint8Array(4 * fields.length + tails.reduce((sum, tail) => sum + tail.length, 0));
  const view = new DataView(data.buffer);
  for (const [i, field] of fields.entries()) view.setUint32(4 * i, field, true);
  let end = 4 * fields.length;
  for (const tail of tails) {
    data.set(tail, end);
    end += tail.length;
  }
  return data;
}

/** KEY_VALUE_INFORMATION_CLASS: basic, full, partial. */
function valueInformation(value: RegistryValue, kind: number): { fixed: number; data: Uint8Array } | undefined {
  const name = wideBytes(value.name);
  const { type, data } = value;
  if (kind === 0) return { fixed: 12, data: record([0, type, name.length], name) };
  if (kind === 1) {
    const offset = Math.ceil((20 + name.length) / 4) * 4;
    const gap = new Uint8Array(offset - 20 - name.length);
    return { fixed: 20, data: record([0, type, offset, data.length, name.length], name, gap, data) };
  }
  return kind === 2 ? { fixed: 12, data: record([0, type, data.length], data) } : undefined;
}

/** KEY_INFORMATION_CLASS: basic, node, full, name. */
function keyInformation(key: RegistryKey, kind: number): { fixed: number; data: Uint8Array } | undefined {
  const name = wideBytes(key.name);
  const longest = (lengths: readonly number[]) => Math.max(0, ...lengths);
  if (kind === 0) return { fixed: 16, data: record([0, 0, 0, name.length], name) };
  if (kind === 1) return { fixed: 24, data: record([0, 0, 0, 0xffff_ffff, 0, name.length], name) };
  if (kind === 2) {
    const names = longest(key.keys.map((child) => 2 * child.name.length));
    const values = longest(key.values.map((value) => 2 * value.name.length));
    const data = longest(key.values.map((value) => value.data.length));
    const counts = [key.keys.length, names, 0, key.values.length, values, data];
    return { fixed: 44, data: record([0, 0, 0, 0xffff_ffff, 0, ...counts]) };
  }
  const path = wideBytes(key.path);
  return kind === 3 ? { fixed: 4, data: record([path.length], path) } : undefined;
}

const acquires = {
  type: 'handle',
  key: ({ KeyHandle }: { KeyHandle: Out<Address> }) => KeyHandle.get(),
  detail: () => ({ object: 'Key' }),
};
const failures = [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)];

export const registryFunctions = {
  ZwOpenKey: f({
    ...common,
    page: 'wdm-zwopenkey',
    params: { KeyHandle: OUT(pointer), DesiredAccess: ULONG, ObjectAttributes: IN(OBJECT_ATTRIBUTES) },
    returns: 'status',
    acquires,
    failures: [...failures, failsWith('object-name-not-found', Status.OBJECT_NAME_NOT_FOUND)],
    body(kernel, { KeyHandle, ObjectAttributes }) {
      const root = rootOf(kernel, ObjectAttributes);
      if (root === undefined) return Status.INVALID_HANDLE;
      const key = root.find(objectName(kernel.memory, ObjectAttributes));
      if (key === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      KeyHandle.set(kernel.handles.create('Key', key));
      return Status.SUCCESS;
    },
  }),
  ZwCreateKey: f({
    ...common,
    page: 'wdm-zwcreatekey',
    params: {
      KeyHandle: OUT(pointer),
      DesiredAccess: ULONG,
      ObjectAttributes: IN(OBJECT_ATTRIBUTES),
      TitleIndex: ULONG,
      Class: POINTER,
      CreateOptions: ULONG,
      Disposition: OUT(u32),
    },
    returns: 'status',
    acquires,
    failures,
    body(kernel, { KeyHandle, ObjectAttributes, Disposition }) {
      const root = rootOf(kernel, ObjectAttributes);
      if (root === undefined) return Status.INVALID_HANDLE;
      const name = objectName(kernel.memory, ObjectAttributes);
      const known = root.find(name);
      const above = root.find(name.slice(0, Math.max(0, name.lastIndexOf('\\'))));
      // Only the last name is made (documented).
      if (known === undefined && above === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      KeyHandle.set(kernel.handles.create('Key', known ?? root.ensure(name)));
      if (Disposition.present) Disposition.set(known === undefined ? 1 : 2);
      return Status.SUCCESS;
    },
  }),
  ZwDeleteKey: f({
    ...common,
    page: 'wdm-zwdeletekey',
    params: { KeyHandle: HANDLE },
    returns: 'status',
    body(kernel, { KeyHandle }) {
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      return key.delete() ? Status.SUCCESS : Status.ACCESS_DENIED;
    },
  }),
  ZwFlushKey: f({
    ...common,
    page: 'wdm-zwflushkey',
    params: { KeyHandle: HANDLE },
    returns: 'status',
    body: (kernel, { KeyHandle }) => (keyOf(kernel, KeyHandle) === undefined ? Status.INVALID_HANDLE : Status.SUCCESS),
  }),
  ZwQueryValueKey: f({
    ...common,
    page: 'wdm-zwqueryvaluekey',
    params: {
      KeyHandle: HANDLE,
      ValueName: IN(UNICODE_STRING),
      KeyValueInformationClass: ULONG,
      KeyValueInformation: POINTER,
      Length: ULONG,
      ResultLength: OUT(u32),
    },
    returns: 'status',
    failures: [failsWith('object-name-not-found', Status.OBJECT_NAME_NOT_FOUND)],
    body(kernel, { KeyHandle, ValueName, KeyValueInformationClass, KeyValueInformation, Length, ResultLength }) {
      const { memory } = kernel;
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      const value = key.value(unicodeText(memory, ValueName));
      if (value === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      const shown = valueInformation(value, KeyValueInformationClass);
      if (shown === undefined) return Status.INVALID_PARAMETER;
      return answer(memory, KeyValueInformation, Length, ResultLength, shown.fixed, shown.data);
    },
  }),
  ZwEnumerateValueKey: f({
    ...common,
    page: 'wdm-zwenumeratevaluekey',
    params: {
      KeyHandle: HANDLE,
      Index: ULONG,
      KeyValueInformationClass: ULONG,
      KeyValueInformation: POINTER,
      Length: ULONG,
      ResultLength: OUT(u32),
    },
    returns: 'status',
    body(kernel, { KeyHandle, Index, KeyValueInformationClass, KeyValueInformation, Length, ResultLength }) {
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      const value = key.values[Index];
      if (value === undefined) return Status.NO_MORE_ENTRIES;
      const shown = valueInformation(value, KeyValueInformationClass);
      if (shown === undefined) return Status.INVALID_PARAMETER;
      return answer(kernel.memory, KeyValueInformation, Length, ResultLength, shown.fixed, shown.data);
    },
  }),
  ZwEnumerateKey: f({
    ...common,
    page: 'wdm-zwenumeratekey',
    params: {
      KeyHandle: HANDLE,
      Index: ULONG,
      KeyInformationClass: ULONG,
      KeyInformation: POINTER,
      Length: ULONG,
      ResultLength: OUT(u32),
    },
    returns: 'status',
    body(kernel, { KeyHandle, Index, KeyInformationClass, KeyInformation, Length, ResultLength }) {
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      const child = key.keys[Index];
      if (child === undefined) return Status.NO_MORE_ENTRIES;
      const shown = keyInformation(child, KeyInformationClass);
      if (shown === undefined) return Status.INVALID_PARAMETER;
      return answer(kernel.memory, KeyInformation, Length, ResultLength, shown.fixed, shown.data);
    },
  }),
  ZwQueryKey: f({
    ...common,
    page: 'wdm-zwquerykey',
    params: {
      KeyHandle: HANDLE,
      KeyInformationClass: ULONG,
      KeyInformation: POINTER,
      Length: ULONG,
      ResultLength: OUT(u32),
    },
    returns: 'status',
    body(kernel, { KeyHandle, KeyInformationClass, KeyInformation, Length, ResultLength }) {
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      const shown = keyInformation(key, KeyInformationClass);
      if (shown === undefined) return Status.INVALID_PARAMETER;
      return answer(kernel.memory, KeyInformation, Length, ResultLength, shown.fixed, shown.data);
    },
  }),
  ZwSetValueKey: f({
    ...common,
    page: 'wdm-zwsetvaluekey',
    params: {
      KeyHandle: HANDLE,
      ValueName: IN(UNICODE_STRING),
      TitleIndex: ULONG,
      Type: ULONG,
      Data: POINTER,
      DataSize: ULONG,
    },
    returns: 'status',
    failures,
    body(kernel, { KeyHandle, ValueName, Type, Data, DataSize }) {
      const { memory } = kernel;
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      key.set(unicodeText(memory, ValueName), { type: Type, data: memory.read(Data, DataSize) });
      return Status.SUCCESS;
    },
  }),
  ZwDeleteValueKey: f({
    ...common,
    page: 'wdm-zwdeletevaluekey',
    params: { KeyHandle: HANDLE, ValueName: IN(UNICODE_STRING) },
    returns: 'status',
    body(kernel, { KeyHandle, ValueName }) {
      const key = keyOf(kernel, KeyHandle);
      if (key === undefined) return Status.INVALID_HANDLE;
      return key.deleteValue(unicodeText(kernel.memory, ValueName)) ? Status.SUCCESS : Status.OBJECT_NAME_NOT_FOUND;
    },
  }),
};
