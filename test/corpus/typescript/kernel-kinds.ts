/** Kinds of things that the kernel gives. */
import { type Address, at, type Coroutine, NULL, type Wdk } from '../../../src/authoring.ts';
import { type From, type Held, type Kind, simple, TAG } from './holder.ts';

const SUCCESS = 0;
const HOUR = 36_000_000_000;
const NON_PAGED = 0x40n;
const LOW = 0;
const HIGH = 2 ** 40;

const block = (wdk: Wdk, NumberOfBytes: number) => wdk.ExAllocatePool2({ Flags: NON_PAGED, NumberOfBytes, Tag: TAG });
const release = (wdk: Wdk, P: Address) => () => wdk.ExFreePoolWithTag({ P, Tag: TAG });

/** Something that lies in memory of the driver's own, or is made of such. */
const inMemory = (
  name: string,
  rule: string,
  size: number,
  make: (wdk: Wdk, memory: Address, from: From) => Coroutine<(() => Coroutine<unknown>) | undefined>,
  more: Partial<Kind> = {},
): Kind => ({
  name,
  rule,
  ...more,
  *acquire(wdk, from): Coroutine<Held | undefined> {
    const memory = yield* block(wdk, size);
    if (memory === NULL) return undefined;
    const rest = release(wdk, memory);
    const own = yield* make(wdk, memory, from);
    if (own !== undefined) return { own, rest };
    yield* rest();
    return undefined;
  },
});

const mapping = { AccessMode: 0, CacheType: 1, RequestedAddress: NULL, BugCheckOnFailure: 0, Priority: 16 };

/** A DMA adapter, with what is made of it. */
const withDmaAdapter = (
  name: string,
  rule: string,
  make: (wdk: Wdk, adapter: Address) => Coroutine<Held | undefined>,
): Kind => ({
  name,
  rule,
  *acquire(wdk, { device }) {
    const DmaAdapter = yield* dmaAdapter(wdk, device);
    if (DmaAdapter === NULL) return undefined;
    const put = () => wdk.PutDmaAdapter({ DmaAdapter });
    const held = yield* make(wdk, DmaAdapter);
    if (held === undefined) {
      yield* put();
      return undefined;
    }
    return {
      own: held.own,
      *rest() {
        yield* held.rest?.() ?? [];
        yield* put();
      },
    };
  },
});

export const kernelKinds: readonly Kind[] = [
  simple('pool', 'halt-leaks-pool', function* (wdk) {
    const P = yield* block(wdk, 128);
    return P === NULL ? undefined : release(wdk, P);
  }),
  inMemory('ktimer', 'halt-leaks-ktimer', 0x40, function* (wdk, Timer) {
    yield* wdk.KeInitializeTimer({ Timer });
    yield* wdk.KeSetTimer({ Timer, DueTime: -HOUR as never, Dpc: NULL });
    return () => wdk.KeCancelTimer({ Timer });
  }),
  inMemory('eresource', 'halt-leaks-eresource', 0x68, function* (wdk, Resource) {
    yield* wdk.ExInitializeResourceLite({ Resource });
    return () => wdk.ExDeleteResourceLite({ Resource });
  }),
  inMemory('ex-lookaside', 'halt-leaks-ex-lookaside', 0x80, function* (wdk, Lookaside) {
    const common = { Allocate: NULL, Free: NULL, Flags: 0, Depth: 0 };
    yield* wdk.ExInitializeNPagedLookasideList({ Lookaside, ...common, Size: 64, Tag: TAG });
    return () => wdk.ExDeleteNPagedLookasideList({ Lookaside });
  }),
  simple('ex-timer', 'halt-leaks-ex-timer', function* (wdk) {
    const Timer = yield* wdk.ExAllocateTimer({ Callback: () => {}, CallbackContext: NULL, Attributes: 0 });
    return Timer === NULL ? undefined : () => wdk.ExDeleteTimer({ Timer, Cancel: true, Wait: true });
  }),
  simple('contiguous-memory', 'halt-leaks-contiguous-memory', function* (wdk) {
    const BaseAddress = yield* wdk.MmAllocateContiguousMemory({ NumberOfBytes: 4096, HighestAcceptableAddress: HIGH });
    return BaseAddress === NULL ? undefined : () => wdk.MmFreeContiguousMemory({ BaseAddress });
  }),
  simple('irp', 'halt-leaks-irp', function* (wdk) {
    const Irp = yield* wdk.IoAllocateIrp({ StackSize: 2, ChargeQuota: false });
    return Irp === NULL ? undefined : () => wdk.IoFreeIrp({ Irp });
  }),
  inMemory('io-mdl', 'halt-leaks-io-mdl', 256, function* (wdk, VirtualAddress) {
    const Mdl = yield* mdlOf(wdk, VirtualAddress, 256);
    return Mdl === NULL ? undefined : () => wdk.IoFreeMdl({ Mdl });
  }),
  {
    name: 'locked-pages',
    rule: 'halt-leaks-locked-pages',
    *acquire(wdk) {
      const memory = yield* wdk.ExAllocatePool2({ Flags: 0x100n, NumberOfBytes: 256, Tag: TAG });
      if (memory === NULL) return undefined;
      const Mdl = yield* mdlOf(wdk, memory, 256);
      const rest = function* () {
        if (Mdl !== NULL) yield* wdk.IoFreeMdl({ Mdl });
        yield* release(wdk, memory)();
      };
      if (Mdl !== NULL) {
        try {
          yield* wdk.MmProbeAndLockPages({ MemoryDescriptorList: Mdl, AccessMode: 0, Operation: 2 });
          return { own: () => wdk.MmUnlockPages({ MemoryDescriptorList: Mdl }), rest };
        } catch {
          // raised: nothing is locked
        }
      }
      yield* rest();
      return undefined;
    },
  },
  {
    name: 'mdl-pages',
    rule: 'halt-leaks-mdl-pages',
    *acquire(wdk) {
      const Mdl = yield* pages(wdk);
      if (Mdl === NULL) return undefined;
      return {
        own: () => wdk.MmFreePagesFromMdl({ MemoryDescriptorList: Mdl }),
        rest: () => wdk.ExFreePool({ P: Mdl }),
      };
    },
  },
  {
    name: 'mapping',
    rule: 'halt-leaks-mapping',
    *acquire(wdk) {
      const Mdl = yield* pages(wdk);
      if (Mdl === NULL) return undefined;
      const rest = function* () {
        yield* wdk.MmFreePagesFromMdl({ MemoryDescriptorList: Mdl });
        yield* wdk.ExFreePool({ P: Mdl });
      };
      const BaseAddress = yield* wdk.MmMapLockedPagesSpecifyCache({ MemoryDescriptorList: Mdl, ...mapping });
      if (BaseAddress !== NULL) {
        return { own: () => wdk.MmUnmapLockedPages({ BaseAddress, MemoryDescriptorList: Mdl }), rest };
      }
      yield* rest();
      return undefined;
    },
  },
  simple('rtl-string', 'halt-leaks-rtl-string', function* (wdk) {
    const text = yield* block(wdk, 16);
    if (text === NULL) return undefined;
    const upcased = yield* wdk.RtlUpcaseUnicodeString({
      DestinationString: text as never,
      SourceString: wdk.string('haltex'),
      AllocateDestinationString: true,
    });
    if (upcased !== SUCCESS) {
      yield* release(wdk, text)();
      return undefined;
    }
    const Buffer = wdk.memory.readPointer(at(text, 8));
    yield* release(wdk, text)();
    return () => wdk.RtlFreeUnicodeString({ String: { Length: 0, MaximumLength: 2, Buffer } });
  }),
  simple('dma-adapter', 'halt-leaks-dma-adapter', function* (wdk, { device }) {
    const DmaAdapter = yield* dmaAdapter(wdk, device);
    return DmaAdapter === NULL ? undefined : () => wdk.PutDmaAdapter({ DmaAdapter });
  }),
  withDmaAdapter('common-buffer', 'halt-leaks-common-buffer', function* (wdk, DmaAdapter) {
    const asked = { DmaAdapter, Length: 512, CacheEnabled: true };
    const { result: VirtualAddress, LogicalAddress } = yield* wdk.AllocateCommonBuffer(asked);
    if (VirtualAddress === NULL) return undefined;
    return { own: () => wdk.FreeCommonBuffer({ ...asked, LogicalAddress, VirtualAddress }) };
  }),
  withDmaAdapter('hal-sg-list', 'halt-leaks-hal-sg-list', function* (wdk, DmaAdapter) {
    const memory = yield* block(wdk, 256);
    const Mdl = memory === NULL ? NULL : yield* mdlOf(wdk, memory, 256);
    const rest = function* () {
      if (Mdl !== NULL) yield* wdk.IoFreeMdl({ Mdl });
      if (memory !== NULL) yield* release(wdk, memory)();
    };
    let list = NULL as Address;
    let asked = -1;
    if (Mdl !== NULL) {
      yield* wdk.MmBuildMdlForNonPagedPool({ MemoryDescriptorList: Mdl });
      asked = yield* wdk.atDispatch(() =>
        wdk.GetScatterGatherList({
          DmaAdapter,
          DeviceObject: NULL,
          Mdl,
          CurrentVa: memory,
          Length: 256,
          ExecutionRoutine: (({ ScatterGather }: { ScatterGather: Address }) => {
            list = ScatterGather;
          }) as never,
          Context: NULL,
          WriteToDevice: true,
        }),
      );
    }
    // It may come late; where it was refused it does not come.
    for (let tries = 0; asked === SUCCESS && list === NULL && tries < 1000; tries++) {
      yield* wdk.NdisMSleep({ MicrosecondsToSleep: 1000 });
    }
    if (list !== NULL) {
      const own = () =>
        wdk.atDispatch(() => wdk.PutScatterGatherList({ DmaAdapter, ScatterGather: list, WriteToDevice: true }));
      return { own, rest };
    }
    yield* rest();
    return undefined;
  }),
  simple('handle', 'halt-leaks-handle', function* (wdk) {
    const name = yield* block(wdk, 16);
    if (name === NULL) return undefined;
    const { Length, MaximumLength, Buffer } = wdk.string('\\Registry\\Machine\\System');
    wdk.memory.writeU16(name, Length);
    wdk.memory.writeU16(at(name, 2), MaximumLength);
    wdk.memory.writePointer(at(name, 8), Buffer);
    const { result, KeyHandle: Handle } = yield* wdk.ZwOpenKey({
      DesiredAccess: 0x20019,
      ObjectAttributes: { Length: 48, ObjectName: name, Attributes: 0x240 },
    });
    yield* release(wdk, name)();
    return result === SUCCESS ? () => wdk.ZwClose({ Handle }) : undefined;
  }),
  simple('object-reference', 'halt-leaks-object-reference', function* (wdk, { DriverObject }) {
    yield* wdk.ObfReferenceObject({ Object: DriverObject });
    return () => wdk.ObfDereferenceObject({ Object: DriverObject });
  }),
  simple('notification', 'halt-leaks-notification', function* (wdk, { DriverObject }) {
    const { result, NotificationEntry } = yield* wdk.IoRegisterPlugPlayNotification({
      EventCategory: 1,
      EventCategoryFlags: 0,
      EventCategoryData: NULL,
      DriverObject,
      CallbackRoutine: () => 0,
      Context: NULL,
    });
    return result === SUCCESS ? () => wdk.IoUnregisterPlugPlayNotificationEx({ NotificationEntry }) : undefined;
  }),
  simple(
    'io-work-item',
    'halt-leaks-io-work-item',
    function* (wdk, { device }) {
      const IoWorkItem = yield* wdk.IoAllocateWorkItem({ DeviceObject: device });
      return IoWorkItem === NULL ? undefined : () => wdk.IoFreeWorkItem({ IoWorkItem });
    },
    { only: 'adapter' },
  ),
  {
    name: 'device-interface',
    rule: 'halt-leaks-device-interface',
    only: 'adapter',
    *acquire(wdk, { device }) {
      const link = yield* block(wdk, 32);
      if (link === NULL) return undefined;
      const InterfaceClassGuid = at(link, 16);
      const SymbolicLinkName = link;
      const registered = yield* wdk.IoRegisterDeviceInterface({
        PhysicalDeviceObject: device,
        InterfaceClassGuid,
        SymbolicLinkName,
      } as never);
      const rest = function* () {
        if (registered === SUCCESS) yield* wdk.RtlFreeUnicodeString({ String: link as never });
        yield* release(wdk, link)();
      };
      const state = (Enable: boolean) => wdk.IoSetDeviceInterfaceState({ SymbolicLinkName: link as never, Enable });
      if (registered === SUCCESS && (yield* state(true)) === SUCCESS) return { own: () => state(false), rest };
      yield* rest();
      return undefined;
    },
  },
  simple(
    'wdm-device',
    'unload-leaks-wdm-device',
    function* (wdk, { DriverObject }) {
      const { result, DeviceObject } = yield* wdk.IoCreateDevice({
        DriverObject,
        DeviceExtensionSize: 0,
        DeviceName: wdk.string('\\Device\\CorpusKind'),
        DeviceType: 0x17,
        DeviceCharacteristics: 0,
        Exclusive: false,
      });
      return result === SUCCESS ? () => wdk.IoDeleteDevice({ DeviceObject }) : undefined;
    },
    { only: 'driver' },
  ),
  simple(
    'wmi',
    'unload-leaks-wmi',
    function* (wdk, { DriverObject: DeviceObject }) {
      const registered = yield* wdk.IoWMIRegistrationControl({ DeviceObject, Action: 0x8001_0001 });
      return registered === SUCCESS ? () => wdk.IoWMIRegistrationControl({ DeviceObject, Action: 2 }) : undefined;
    },
    { only: 'driver' },
  ),
  inMemory(
    'etw',
    'unload-leaks-etw',
    16,
    function* (wdk, ProviderId) {
      const { result, RegHandle } = yield* wdk.EtwRegister({ ProviderId, EnableCallback: NULL, CallbackContext: NULL });
      return result === SUCCESS ? () => wdk.EtwUnregister({ RegHandle: Number(RegHandle) as never }) : undefined;
    },
    { only: 'driver' },
  ),
  simple(
    'callbacks',
    'unload-leaks-callbacks',
    function* (wdk) {
      const CallbackHandle = yield* wdk.KeRegisterProcessorChangeCallback({
        CallbackFunction: () => {},
        CallbackContext: NULL,
        Flags: 0,
      });
      return CallbackHandle === NULL ? undefined : () => wdk.KeDeregisterProcessorChangeCallback({ CallbackHandle });
    },
    { only: 'driver' },
  ),
];

function* dmaAdapter(wdk: Wdk, PhysicalDeviceObject: Address): Coroutine<Address> {
  const DeviceDescription = {
    Version: 3,
    Master: true,
    ScatterGather: true,
    Dma64BitAddresses: true,
    MaximumLength: 0x4000,
  };
  return (yield* wdk.IoGetDmaAdapter({ PhysicalDeviceObject, DeviceDescription })).result;
}

const mdlOf = (wdk: Wdk, VirtualAddress: Address, Length: number) =>
  wdk.IoAllocateMdl({ VirtualAddress, Length, SecondaryBuffer: false, ChargeQuota: false, Irp: NULL });

const pages = (wdk: Wdk) =>
  wdk.MmAllocatePagesForMdlEx({
    LowAddress: LOW,
    HighAddress: HIGH,
    SkipBytes: 0,
    TotalBytes: 4096,
    CacheType: 1,
    Flags: 0,
  });
