/**
 * RtlQueryRegistryValues and the other Rtl routines that read and write the registry by path.
 * Page: wdm-rtlqueryregistryvalues; flags and table layout: wdm.h.
 */
import { type Address, at, NULL } from '../trace/units.ts';
import { readString } from './arguments.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u32, type View } from './layout.ts';
import { callback, functionsOf, P, POINTER, ULONG, WSTRING } from './record.ts';
import { type RegistryKey, type RegistryValue, RegType } from './registry.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { UNICODE_STRING, wideBytes } from './strings.ts';

export const RTL_QUERY_REGISTRY_TABLE = struct('RTL_QUERY_REGISTRY_TABLE', {
  QueryRoutine: pointer,
  Flags: u32,
  Name: pointer,
  EntryContext: pointer,
  DefaultType: u32,
  DefaultData: pointer,
  DefaultLength: u32,
});
type Entry = View<typeof RTL_QUERY_REGISTRY_TABLE.fields>;

const Flag = {
  subkey: 1,
  topKey: 2,
  required: 4,
  noValue: 8,
  noExpand: 0x10,
  direct: 0x20,
  delete: 0x40,
  typeCheck: 0x100,
};
const RELATIVE_TO = [
  '',
  '\\Registry\\Machine\\System\\CurrentControlSet\\Services',
  '\\Registry\\Machine\\System\\CurrentControlSet\\Control',
  '\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion',
  '\\Registry\\Machine\\Hardware\\DeviceMap',
  '\\Registry\\User\\.Default',
] as const;
const RELATIVE_HANDLE = 0x4000_0000;
const RELATIVE_OPTIONAL = 0x8000_0000;

const QUERY_ROUTINE = callback({
  name: 'RTL_QUERY_REGISTRY_ROUTINE',
  page: 'wdm-rtl_query_registry_routine',
  params: {
    ValueName: POINTER,
    ValueType: ULONG,
    ValueData: POINTER,
    ValueLength: ULONG,
    Context: POINTER,
    EntryContext: POINTER,
  },
  returns: 'status',
  irql: P,
});

const isText = (type: number) => type === RegType.SZ || type === RegType.EXPAND_SZ || type === RegType.MULTI_SZ;

/** The key a path means, by RTL_REGISTRY_xxx. */
function open({ memory, registry, handles }: Kernel, relativeTo: number, path: Address): RegistryKey | undefined {
  if ((relativeTo & RELATIVE_HANDLE) !== 0) return handles.object<RegistryKey>(path, 'Key');
  const start = RELATIVE_TO[relativeTo & 0xff];
  return start === undefined ? undefined : registry.find(`${start}\\${readString(memory, path, 16)}`);
}

/** RTL_QUERY_REGISTRY_DIRECT: the value goes into the caller's variable, in a form that its type and size decide. */
function store(kernel: Kernel, entry: Entry, { type, data }: RegistryValue, fn: string): number {
  const { memory, heap } = kernel;
  const to = entry.EntryContext;
  if (isText(type)) {
    const string = UNICODE_STRING.at(memory, to);
    if (string.Buffer === NULL) {
      const stack = kernel.stack();
      string.Buffer = heap.allocate(data.length, 'string buffer of the kernel', { stack });
      string.MaximumLength = data.length;
      kernel.resources.acquire('rtl-string', string.Buffer, { fn, stack });
    } else if (string.MaximumLength < data.length) return Status.BUFFER_TOO_SMALL;
    string.Length = Math.max(0, data.length - (type === RegType.MULTI_SZ ? 0 : 2));
    memory.write(string.Buffer, data);
    return Status.SUCCESS;
  }
  if (data.length <= 4) {
    memory.write(to, data);
    return Status.SUCCESS;
  }
  const room = memory.readU32(to) | 0;
  const whole = room < 0 ? data.length : data.length + 8;
  if (whole > Math.abs(room)) return Status.BUFFER_TOO_SMALL;
  if (room >= 0) {
    memory.writeU32(to, data.length);
    memory.writeU32(at(to, 4), type);
  }
  memory.write(room < 0 ? to : at(to, 8), data);
  return Status.SUCCESS;
}

function* report(kernel: Kernel, entry: Entry, value: RegistryValue, context: Address, fn: string): Coroutine<number> {
  const { memory, heap, invoker } = kernel;
  if ((entry.Flags & Flag.direct) !== 0) {
    const expected = entry.DefaultType >>> 24;
    if ((entry.Flags & Flag.typeCheck) !== 0 && expected !== value.type) return Status.OBJECT_TYPE_MISMATCH;
    return store(kernel, entry, value, fn);
  }
  if ((entry.Flags & Flag.noExpand) === 0 && (value.type === RegType.EXPAND_SZ || value.type === RegType.MULTI_SZ)) {
    throw new Unsupported(
      'RtlQueryRegistryValues',
      'a query that expands REG_EXPAND_SZ or REG_MULTI_SZ',
      kernel.stack(),
    );
  }
  const name = heap.allocate(2 * value.name.length + 2, 'name of a registry value', { fill: 0 });
  memory.write(name, wideBytes(value.name));
  const data = heap.allocate(Math.max(1, value.data.length), 'data of a registry value');
  memory.write(data, value.data);
  const status = yield* invoker.invoke(QUERY_ROUTINE, entry.QueryRoutine, {
    ValueName: name,
    ValueType: value.type,
    ValueData: value.type === RegType.NONE ? NULL : data,
    ValueLength: value.data.length,
    Context: context,
    EntryContext: entry.EntryContext,
  });
  heap.free(name);
  heap.free(data);
  return status === Status.BUFFER_TOO_SMALL ? Status.SUCCESS : status;
}

/** The entry's default where the registry has no such value, or undefined when it has none. */
function fallback({ memory }: Kernel, entry: Entry, name: string): RegistryValue | undefined {
  const type = entry.DefaultType & 0xff;
  if (type === RegType.NONE) return undefined;
  const length =
    entry.DefaultLength === 0 && isText(type)
      ? 2 * readString(memory, entry.DefaultData, 16).length + 2
      : entry.DefaultLength;
  return { name, type, data: memory.read(entry.DefaultData, length) };
}

function* query(kernel: Kernel, top: RegistryKey, table: Address, context: Address, fn: string): Coroutine<number> {
  const { memory } = kernel;
  let key: RegistryKey | undefined = top;
  for (let row = table; ; row = at(row, RTL_QUERY_REGISTRY_TABLE.size)) {
    const entry = RTL_QUERY_REGISTRY_TABLE.at(memory, row);
    if (entry.QueryRoutine === NULL && entry.Name === NULL && (entry.Flags & (Flag.subkey | Flag.topKey)) === 0) {
      return Status.SUCCESS;
    }
    const name = entry.Name === NULL ? '' : readString(memory, entry.Name, 16);
    const required = (entry.Flags & Flag.required) !== 0;
    if ((entry.Flags & Flag.direct) !== 0 && (entry.Name === NULL || entry.QueryRoutine !== NULL)) {
      return Status.INVALID_PARAMETER;
    }
    if ((entry.Flags & (Flag.subkey | Flag.topKey)) !== 0) {
      key = top;
      if ((entry.Flags & Flag.subkey) !== 0) key = top.find(name);
      if (key === undefined && required) return Status.OBJECT_NAME_NOT_FOUND;
      if (entry.QueryRoutine === NULL || (entry.Flags & Flag.subkey) !== 0) continue;
    }
    const found: readonly RegistryValue[] =
      (entry.Flags & Flag.noValue) !== 0
        ? [{ name, type: RegType.NONE, data: new Uint8Array(0) }]
        : entry.Name === NULL
          ? (key?.values ?? [])
          : [key?.value(name) ?? fallback(kernel, entry, name)].filter((value) => value !== undefined);
    if (found.length === 0 && required) return Status.OBJECT_NAME_NOT_FOUND;
    for (const value of found) {
      const status = yield* report(kernel, entry, value, context, fn);
      if (status >= 0x8000_0000) return status;
      if ((entry.Flags & Flag.delete) !== 0) key?.deleteValue(value.name);
    }
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: P } as const;

export const registryQueryFunctions = {
  RtlQueryRegistryValues: f({
    ...common,
    page: 'wdm-rtlqueryregistryvalues',
    params: { RelativeTo: ULONG, Path: POINTER, QueryTable: POINTER, Context: POINTER, Environment: POINTER },
    returns: 'status',
    *body(kernel, { RelativeTo, Path, QueryTable, Context }, { fn }) {
      const key = open(kernel, RelativeTo, Path);
      if (key === undefined) return RelativeTo >= RELATIVE_OPTIONAL ? Status.SUCCESS : Status.OBJECT_NAME_NOT_FOUND;
      return yield* query(kernel, key, QueryTable, Context, fn);
    },
  }),
  RtlWriteRegistryValue: f({
    ...common,
    page: 'wdm-rtlwriteregistryvalue',
    params: {
      RelativeTo: ULONG,
      Path: POINTER,
      ValueName: WSTRING,
      ValueType: ULONG,
      ValueData: POINTER,
      ValueLength: ULONG,
    },
    returns: 'status',
    body(kernel, { RelativeTo, Path, ValueName, ValueType, ValueData, ValueLength }) {
      const key = open(kernel, RelativeTo, Path);
      if (key === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      key.set(ValueName, { type: ValueType, data: kernel.memory.read(ValueData, ValueLength) });
      return Status.SUCCESS;
    },
  }),
  RtlDeleteRegistryValue: f({
    ...common,
    page: 'wdm-rtldeleteregistryvalue',
    params: { RelativeTo: ULONG, Path: POINTER, ValueName: WSTRING },
    returns: 'status',
    body(kernel, { RelativeTo, Path, ValueName }) {
      const key = open(kernel, RelativeTo, Path);
      return key?.deleteValue(ValueName) ? Status.SUCCESS : Status.OBJECT_NAME_NOT_FOUND;
    },
  }),
  RtlCheckRegistryKey: f({
    ...common,
    page: 'wdm-rtlcheckregistrykey',
    params: { RelativeTo: ULONG, Path: POINTER },
    returns: 'status',
    body: (kernel, { RelativeTo, Path }) =>
      open(kernel, RelativeTo, Path) === undefined ? Status.OBJECT_NAME_NOT_FOUND : Status.SUCCESS,
  }),
};
