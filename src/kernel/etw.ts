/**
 * Event tracing: providers are registered and owed (`etw`, and `wmi` for WPP and WMI). No session listens on this machine, so
 * nothing is enabled and every write succeeds without being kept: what EtwWrite is documented to do for a disabled provider.
 * Pages: wdm-etwregister, wdm-etwunregister, wdm-etwwrite, wdm-iowmiregistrationcontrol.
 */
import { type Address, hex } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { u64 } from './layout.ts';
import {
  ANY,
  CODE,
  failsWith,
  functionsOf,
  OUT,
  P,
  POINTER,
  SIZE_T,
  UCHAR,
  ULONG,
  ULONG64,
  USHORT,
  VARARGS,
} from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';

/** Registered providers. A REGHANDLE is a number, not a pointer: small ones show that in the trace. */
export class EventProviders {
  private readonly open = new Map<number, Address>();
  private count = 0;

  register(provider: Address): number {
    this.open.set(++this.count, provider);
    return this.count;
  }

  unregister(handle: number): boolean {
    return this.open.delete(handle);
  }

  has(handle: number): boolean {
    return this.open.has(handle);
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;
/** Activity ids are drawn in order, so that runs repeat. */
const ActivityControl = { get: 1, set: 2, create: 3, getSet: 4, createSet: 5 } as const;

const keyed = (handle: number | bigint) => `REGHANDLE ${handle}`;
/** A write to a provider that is not registered is refused; to one that is, nobody listens. */
const written = ({ eventProviders }: Kernel, handle: number) =>
  eventProviders.has(handle) || handle === 0 ? Status.SUCCESS : Status.INVALID_HANDLE;

const WmiAction = { register: 1, deregister: 2, reregister: 3, update: 4 } as const;

export const etwFunctions = {
  /** No session traces here: there is no handle, enable level or flag to ask for. */
  WmiQueryTraceInformation: f({
    ...common,
    page: 'wdm-wmiquerytraceinformation',
    params: {
      TraceInformationClass: ULONG,
      TraceInformation: POINTER,
      TraceInformationLength: ULONG,
      RequiredLength: POINTER,
      Buffer: POINTER,
    },
    returns: 'status',
    irql: ANY,
    body: () => Status.NOT_FOUND,
  }),
  EtwRegister: f({
    ...common,
    page: 'wdm-etwregister',
    params: { ProviderId: POINTER, EnableCallback: CODE, CallbackContext: POINTER, RegHandle: OUT(u64) },
    returns: 'status',
    irql: P,
    acquires: { type: 'etw', key: ({ RegHandle }) => keyed(RegHandle.get()) },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body({ memory, eventProviders }, { ProviderId, RegHandle }) {
      memory.read(ProviderId, 16);
      RegHandle.set(BigInt(eventProviders.register(ProviderId)));
      return Status.SUCCESS;
    },
  }),
  /** What the WPP code of a driver looks up by name and registers with (trace provider templates of the WDK). */
  EtwRegisterClassicProvider: f({
    ...common,
    page: 'wdm-etwregister',
    params: { ProviderId: POINTER, Type: ULONG, EnableCallback: CODE, CallbackContext: POINTER, RegHandle: OUT(u64) },
    returns: 'status',
    irql: P,
    acquires: { type: 'etw', key: ({ RegHandle }) => keyed(RegHandle.get()) },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body({ memory, eventProviders }, { ProviderId, RegHandle }) {
      memory.read(ProviderId, 16);
      RegHandle.set(BigInt(eventProviders.register(ProviderId)));
      return Status.SUCCESS;
    },
  }),
  EtwUnregister: f({
    ...common,
    page: 'wdm-etwunregister',
    params: { RegHandle: SIZE_T },
    returns: 'status',
    irql: P,
    undoes: { types: ['etw'], key: ({ RegHandle }) => keyed(RegHandle), otherwise: () => Status.INVALID_HANDLE },
    body: ({ eventProviders }, { RegHandle }) =>
      eventProviders.unregister(RegHandle) ? Status.SUCCESS : Status.INVALID_HANDLE,
  }),
  EtwWrite: f({
    ...common,
    page: 'wdm-etwwrite',
    params: {
      RegHandle: SIZE_T,
      EventDescriptor: POINTER,
      ActivityId: POINTER,
      UserDataCount: ULONG,
      UserData: POINTER,
    },
    returns: 'status',
    irql: ANY,
    body: (kernel, { RegHandle }) => written(kernel, RegHandle),
  }),
  EtwWriteEx: f({
    ...common,
    page: 'wdm-etwwriteex',
    params: {
      RegHandle: SIZE_T,
      EventDescriptor: POINTER,
      Filter: SIZE_T,
      Flags: ULONG,
      ActivityId: POINTER,
      RelatedActivityId: POINTER,
      UserDataCount: ULONG,
      UserData: POINTER,
    },
    returns: 'status',
    irql: ANY,
    body: (kernel, { RegHandle }) => written(kernel, RegHandle),
  }),
  EtwWriteTransfer: f({
    ...common,
    page: 'wdm-etwwritetransfer',
    params: {
      RegHandle: SIZE_T,
      EventDescriptor: POINTER,
      ActivityId: POINTER,
      RelatedActivityId: POINTER,
      UserDataCount: ULONG,
      UserData: POINTER,
    },
    returns: 'status',
    irql: ANY,
    body: (kernel, { RegHandle }) => written(kernel, RegHandle),
  }),
  EtwWriteString: f({
    ...common,
    page: 'wdm-etwwritestring',
    params: { RegHandle: SIZE_T, Level: UCHAR, Keyword: SIZE_T, ActivityId: POINTER, String: POINTER },
    returns: 'status',
    irql: ANY,
    body: (kernel, { RegHandle }) => written(kernel, RegHandle),
  }),
  EtwSetInformation: f({
    ...common,
    page: 'wdm-etwsetinformation',
    params: { RegHandle: SIZE_T, InformationClass: ULONG, EventInformation: POINTER, InformationLength: ULONG },
    returns: 'status',
    irql: P,
    body: (kernel, { RegHandle }) => written(kernel, RegHandle),
  }),
  EtwEventEnabled: f({
    ...common,
    page: 'wdm-etweventenabled',
    params: { RegHandle: SIZE_T, EventDescriptor: POINTER },
    returns: 'bool',
    irql: ANY,
    body: () => false,
  }),
  EtwProviderEnabled: f({
    ...common,
    page: 'wdm-etwproviderenabled',
    params: { RegHandle: SIZE_T, Level: UCHAR, Keyword: SIZE_T },
    returns: 'bool',
    irql: ANY,
    body: () => false,
  }),
  EtwActivityIdControl: f({
    ...common,
    page: 'wdm-etwactivityidcontrol',
    params: { ControlCode: ULONG, ActivityId: POINTER },
    returns: 'status',
    irql: ANY,
    body(kernel, { ControlCode, ActivityId }, { fn }) {
      if (ControlCode !== ActivityControl.create) {
        throw new Unsupported(fn, 'the activity id of a thread', kernel.stack());
      }
      for (let i = 0; i < 4; i++) kernel.memory.writeU32((ActivityId + 4 * i) as Address, kernel.randomness.next());
      return Status.SUCCESS;
    },
  }),
  /** No session runs, so no handle names one. */
  WmiTraceMessage: f({
    ...common,
    page: 'wdm-wmitracemessage',
    params: { LoggerHandle: ULONG64, MessageFlags: ULONG, MessageGuid: POINTER, MessageNumber: USHORT, rest: VARARGS },
    returns: 'status',
    irql: ANY,
    body: () => Status.INVALID_HANDLE,
  }),
  WmiTraceMessageVa: f({
    ...common,
    page: 'wdm-wmitracemessageva',
    params: {
      LoggerHandle: ULONG64,
      MessageFlags: ULONG,
      MessageGuid: POINTER,
      MessageNumber: USHORT,
      MessageArgList: POINTER,
    },
    returns: 'status',
    irql: ANY,
    body: () => Status.INVALID_HANDLE,
  }),
  IoWMIRegistrationControl: f({
    ...common,
    page: 'wdm-iowmiregistrationcontrol',
    params: { DeviceObject: POINTER, Action: ULONG },
    returns: 'status',
    irql: P,
    failures: [
      {
        id: 'insufficient-resources',
        when: ({ Action }) => (Action & 0xffff) === WmiAction.register,
        fail: () => Status.INSUFFICIENT_RESOURCES,
      },
    ],
    body(kernel, { DeviceObject, Action }, { fn }) {
      const key = DeviceObject;
      const { resources } = kernel;
      switch (Action & 0xffff) {
        case WmiAction.register:
          resources.acquire('wmi', key, { fn, detail: { Action: hex(Action) }, stack: kernel.stack() });
          return Status.SUCCESS;
        case WmiAction.deregister: {
          const found = resources.find(['wmi'], key);
          resources.undo(['wmi'], key, { fn, outcome: found.outcome, found, stack: kernel.stack() });
          return found.outcome === 'undone' ? Status.SUCCESS : Status.INVALID_PARAMETER;
        }
        case WmiAction.reregister:
        case WmiAction.update:
          return resources.live(['wmi'], key) === undefined ? Status.INVALID_PARAMETER : Status.SUCCESS;
        default:
          return Status.INVALID_PARAMETER;
      }
    },
  }),
};
