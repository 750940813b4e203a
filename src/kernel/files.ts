/**
 * Files and other things a driver may ask the system for by the Zw calls. The machine has no file system: no path exists, as on
 * a system whose disks are not up yet (documented for boot drivers). What cannot be answered is unsupported, not pretended.
 * Pages: wdm-zwcreatefile, wdm-zwopenfile, wdm-zwreadfile, ntifs-zwdeviceiocontrolfile.
 */
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { failsWith, functionsOf, HANDLE, IN, OUT, P, type Params, POINTER, ULONG } from './record.ts';
import { OBJECT_ATTRIBUTES, objectName } from './registry-functions.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: P } as const;

const opening = {
  FileHandle: OUT(pointer),
  DesiredAccess: ULONG,
  ObjectAttributes: IN(OBJECT_ATTRIBUTES),
  IoStatusBlock: POINTER,
};
const transfer = {
  FileHandle: HANDLE,
  Event: HANDLE,
  ApcRoutine: POINTER,
  ApcContext: POINTER,
  IoStatusBlock: POINTER,
  Buffer: POINTER,
  Length: ULONG,
  ByteOffset: POINTER,
  Key: POINTER,
};
const opens = <Q extends Params & typeof opening>(page: string, params: Q) =>
  f({
    ...common,
    page,
    params,
    returns: 'status',
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body(kernel, args, { fn }) {
      const { ObjectAttributes } = args as unknown as { ObjectAttributes: Parameters<typeof objectName>[1] };
      const name = objectName(kernel.memory, ObjectAttributes);
      if (kernel.devices.find(name) !== undefined) {
        throw new Unsupported(fn, `a handle to ${name}, a device of this machine`, kernel.stack());
      }
      return Status.OBJECT_PATH_NOT_FOUND;
    },
  });
/** No file is ever open, so no handle is a file's. */
const refuses = (page: string, params: Params) =>
  f({ ...common, page, params, returns: 'status', body: () => Status.INVALID_HANDLE });
const lacks = (page: string, params: Params) =>
  f({
    ...common,
    page,
    params,
    returns: 'status',
    body(kernel, _, { fn }) {
      throw new Unsupported(fn, `the driver calls ${fn}, which haltex does not model`, kernel.stack());
    },
  });

export const fileFunctions = {
  ZwCreateFile: opens('wdm-zwcreatefile', {
    ...opening,
    AllocationSize: POINTER,
    FileAttributes: ULONG,
    ShareAccess: ULONG,
    CreateDisposition: ULONG,
    CreateOptions: ULONG,
    EaBuffer: POINTER,
    EaLength: ULONG,
  }),
  ZwOpenFile: opens('wdm-zwopenfile', { ...opening, ShareAccess: ULONG, OpenOptions: ULONG }),
  ZwReadFile: refuses('wdm-zwreadfile', transfer),
  ZwWriteFile: refuses('wdm-zwwritefile', transfer),
  ZwDeviceIoControlFile: refuses('ntifs-zwdeviceiocontrolfile', {
    FileHandle: HANDLE,
    Event: HANDLE,
    ApcRoutine: POINTER,
    ApcContext: POINTER,
    IoStatusBlock: POINTER,
    IoControlCode: ULONG,
    InputBuffer: POINTER,
    InputBufferLength: ULONG,
    OutputBuffer: POINTER,
    OutputBufferLength: ULONG,
  }),
  ZwQueryInformationFile: refuses('wdm-zwqueryinformationfile', {
    FileHandle: HANDLE,
    IoStatusBlock: POINTER,
    FileInformation: POINTER,
    Length: ULONG,
    FileInformationClass: ULONG,
  }),
  ZwSetSecurityObject: lacks('ntifs-zwsetsecurityobject', {
    Handle: HANDLE,
    SecurityInformation: ULONG,
    SecurityDescriptor: POINTER,
  }),
};
