/** The I/O manager's structures that drivers read and write. Layouts: wdm.h for x64; IO_TYPE_xxx and bits: wdm.h, ntddk.h. */
import { array, bool8, bytes, i32, pointer, struct, u8, u16, u32, u64 } from './layout.ts';
import { UNICODE_STRING } from './strings.ts';
import { LIST_ENTRY } from './structures.ts';

export const IoType = { DEVICE: 3, DRIVER: 4, FILE: 5, IRP: 6 } as const;

export const Major = {
  CREATE: 0,
  CLOSE: 2,
  READ: 3,
  WRITE: 4,
  DEVICE_CONTROL: 14,
  INTERNAL_DEVICE_CONTROL: 15,
  SHUTDOWN: 16,
  CLEANUP: 18,
  POWER: 22,
  SYSTEM_CONTROL: 23,
  PNP: 27,
} as const;
export const MAJOR_FUNCTIONS = 28;

export const DRIVER_OBJECT = struct('DRIVER_OBJECT', {
  Type: u16,
  Size: u16,
  DeviceObject: pointer,
  Flags: u32,
  DriverStart: pointer,
  DriverSize: u32,
  DriverSection: pointer,
  DriverExtension: pointer,
  DriverName: UNICODE_STRING,
  HardwareDatabase: pointer,
  FastIoDispatch: pointer,
  DriverInit: pointer,
  DriverStartIo: pointer,
  DriverUnload: pointer,
  MajorFunction: array(pointer, MAJOR_FUNCTIONS),
});

/** What AddDevice and the service key's name are kept in; DriverExtension points to it. */
export const DRIVER_EXTENSION = struct('DRIVER_EXTENSION', {
  DriverObject: pointer,
  AddDevice: pointer,
  Count: u32,
  ServiceKeyName: UNICODE_STRING,
});

export const DEVICE_OBJECT = struct('DEVICE_OBJECT', {
  Type: u16,
  Size: u16,
  ReferenceCount: i32,
  DriverObject: pointer,
  NextDevice: pointer,
  AttachedDevice: pointer,
  CurrentIrp: pointer,
  Timer: pointer,
  Flags: u32,
  Characteristics: u32,
  Vpb: pointer,
  DeviceExtension: pointer,
  DeviceType: u32,
  StackSize: u8,
  Queue: bytes(0x48, 8),
  AlignmentRequirement: u32,
  DeviceQueue: bytes(0x28, 8),
  Dpc: bytes(0x40, 8),
  ActiveThreadCount: u32,
  SecurityDescriptor: pointer,
  DeviceLock: bytes(0x18, 8),
  SectorSize: u16,
  Spare1: u16,
  DeviceObjectExtension: pointer,
  Reserved: pointer,
  /** The structure is aligned to 16 bytes. */
  Padding: pointer,
});
export const DeviceFlag = {
  BUFFERED_IO: 0x4,
  EXCLUSIVE: 0x8,
  DIRECT_IO: 0x10,
  HAS_NAME: 0x40,
  INITIALIZING: 0x80,
} as const;

export const IO_STATUS_BLOCK = struct('IO_STATUS_BLOCK', { Status: u32, Pointer: u32, Information: u64 });

export const IRP = struct('IRP', {
  Type: u16,
  Size: u16,
  AllocationProcessorNumber: u16,
  Reserved: u16,
  MdlAddress: pointer,
  Flags: u32,
  /** AssociatedIrp.SystemBuffer. */
  SystemBuffer: pointer,
  ThreadListEntry: LIST_ENTRY,
  IoStatus: IO_STATUS_BLOCK,
  RequestorMode: u8,
  PendingReturned: bool8,
  StackCount: u8,
  CurrentLocation: u8,
  Cancel: bool8,
  CancelIrql: u8,
  ApcEnvironment: u8,
  AllocationFlags: u8,
  UserIosb: pointer,
  UserEvent: pointer,
  Overlay: bytes(16, 8),
  CancelRoutine: pointer,
  UserBuffer: pointer,
  /** Tail.Overlay.DriverContext. */
  DriverContext: array(pointer, 4),
  Thread: pointer,
  AuxiliaryBuffer: pointer,
  ListEntry: LIST_ENTRY,
  CurrentStackLocation: pointer,
  OriginalFileObject: pointer,
  IrpExtension: pointer,
});

export const IO_STACK_LOCATION = struct('IO_STACK_LOCATION', {
  MajorFunction: u8,
  MinorFunction: u8,
  Flags: u8,
  Control: u8,
  /** Parameters, four slots of 8 bytes; for a device control: output length, input length, code, Type3InputBuffer. */
  Parameters: array(u64, 4),
  DeviceObject: pointer,
  FileObject: pointer,
  CompletionRoutine: pointer,
  Context: pointer,
});
export const StackControl = {
  PENDING_RETURNED: 0x01,
  INVOKE_ON_CANCEL: 0x20,
  INVOKE_ON_SUCCESS: 0x40,
  INVOKE_ON_ERROR: 0x80,
} as const;

export const FILE_OBJECT = struct('FILE_OBJECT', {
  Type: u16,
  Size: u16,
  DeviceObject: pointer,
  Vpb: pointer,
  FsContext: pointer,
  FsContext2: pointer,
  SectionObjectPointer: pointer,
  PrivateCacheMap: pointer,
  FinalStatus: u32,
  RelatedFileObject: pointer,
  Sharing: bytes(8),
  Flags: u32,
  FileName: UNICODE_STRING,
  CurrentByteOffset: u64,
  Waiters: u32,
  Busy: u32,
  LastLock: pointer,
  Lock: bytes(0x18, 8),
  Event: bytes(0x18, 8),
  CompletionContext: pointer,
  IrpListLock: u64,
  IrpList: LIST_ENTRY,
  FileObjectExtension: pointer,
});
