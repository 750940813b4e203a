/**
 * Device interfaces and Plug and Play notifications. An interface's symbolic link name is a string of the kernel that the
 * driver frees; while the interface is enabled it is owed (`device-interface`); a notification entry too (`notification`).
 * Pages: wdm-ioregisterdeviceinterface, wdm-iosetdeviceinterfacestate, wdm-ioregisterplugplaynotification, …
 */
import { type Address, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { BOOLEAN, CODE, failsWith, functionsOf, IN, INOPT, OUT, P, POINTER, ULONG } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { allocateUnicodeText, UNICODE_STRING, unicodeText } from './strings.ts';
import { guidText } from './text-conversions.ts';

/** EventCategory of IoRegisterPlugPlayNotification, and its flag that asks for the interfaces there are already. */
const DEVICE_INTERFACE_CHANGE = 2;
const INCLUDE_EXISTING = 1;

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: P } as const;
const failures = [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)];

const unregistering = (page: string) =>
  f({
    ...common,
    page,
    params: { NotificationEntry: POINTER },
    returns: 'status',
    undoes: {
      types: ['notification'],
      key: ({ NotificationEntry }) => NotificationEntry,
      otherwise: () => Status.INVALID_PARAMETER,
    },
    body(kernel, { NotificationEntry }) {
      kernel.heap.free(NotificationEntry, kernel.stack());
      return Status.SUCCESS;
    },
  });

/** `\??\` and a name that has the device and the class in it, as Windows makes them. */
function interfaceName(kernel: Kernel, device: Address, guid: Address, reference: string): string {
  const suffix = reference === '' ? '' : `\\${reference}`;
  return `\\??\\ROOT#DEVICE_${(device >>> 0).toString(16)}#${guidText(kernel.memory, guid)}${suffix}`;
}

export const notificationFunctions = {
  IoRegisterDeviceInterface: f({
    ...common,
    page: 'wdm-ioregisterdeviceinterface',
    params: {
      PhysicalDeviceObject: POINTER,
      InterfaceClassGuid: POINTER,
      ReferenceString: INOPT(UNICODE_STRING),
      SymbolicLinkName: POINTER,
    },
    returns: 'status',
    failures,
    body(kernel, { PhysicalDeviceObject, InterfaceClassGuid, ReferenceString, SymbolicLinkName }, { fn }) {
      const { memory, resources } = kernel;
      const reference = ReferenceString === undefined ? '' : unicodeText(memory, ReferenceString);
      const name = interfaceName(kernel, PhysicalDeviceObject, InterfaceClassGuid, reference);
      const text = allocateUnicodeText(kernel, name, 'symbolic link name of a device interface');
      UNICODE_STRING.write(memory, SymbolicLinkName, text);
      resources.acquire('rtl-string', text.Buffer, { fn, stack: kernel.stack(), detail: { name } });
      return Status.SUCCESS;
    },
  }),
  IoSetDeviceInterfaceState: f({
    ...common,
    page: 'wdm-iosetdeviceinterfacestate',
    params: { SymbolicLinkName: IN(UNICODE_STRING), Enable: BOOLEAN },
    returns: 'status',
    failures: [
      { id: 'insufficient-resources', when: ({ Enable }) => Enable, fail: () => Status.INSUFFICIENT_RESOURCES },
    ],
    body(kernel, { SymbolicLinkName, Enable }, { fn }) {
      const { memory, resources } = kernel;
      const name = unicodeText(memory, SymbolicLinkName);
      const live = resources.live(['device-interface'], name) !== undefined;
      if (Enable) {
        if (live) return Status.OBJECT_NAME_COLLISION;
        resources.acquire('device-interface', name, { fn, stack: kernel.stack() });
        return Status.SUCCESS;
      }
      const found = resources.find(['device-interface'], name);
      resources.undo(['device-interface'], name, { fn, outcome: found.outcome, found, stack: kernel.stack() });
      return live ? Status.SUCCESS : Status.OBJECT_NAME_NOT_FOUND;
    },
  }),
  IoRegisterPlugPlayNotification: f({
    ...common,
    page: 'wdm-ioregisterplugplaynotification',
    params: {
      EventCategory: ULONG,
      EventCategoryFlags: ULONG,
      EventCategoryData: POINTER,
      DriverObject: POINTER,
      CallbackRoutine: CODE,
      Context: POINTER,
      NotificationEntry: OUT(pointer),
    },
    returns: 'status',
    acquires: { type: 'notification', key: ({ NotificationEntry }) => NotificationEntry.get() },
    failures,
    /** No interface of a class is there on this machine but the driver's own, so there is none to report at once. */
    body(kernel, { EventCategory, EventCategoryFlags, NotificationEntry }) {
      if (EventCategory === DEVICE_INTERFACE_CHANGE && (EventCategoryFlags & INCLUDE_EXISTING) !== 0) {
        const detail = { category: EventCategory };
        kernel.trace.emit({ kind: 'fact', what: 'no-existing-interfaces', detail });
      }
      NotificationEntry.set(kernel.heap.allocate(64, 'notification entry', { fill: 0, stack: kernel.stack() }));
      return Status.SUCCESS;
    },
  }),
  IoUnregisterPlugPlayNotification: unregistering('wdm-iounregisterplugplaynotification'),
  IoUnregisterPlugPlayNotificationEx: unregistering('wdm-iounregisterplugplaynotificationex'),
  IoGetDeviceInterfaces: f({
    ...common,
    page: 'wdm-iogetdeviceinterfaces',
    params: {
      InterfaceClassGuid: POINTER,
      PhysicalDeviceObject: POINTER,
      Flags: ULONG,
      SymbolicLinkList: OUT(pointer),
    },
    returns: 'status',
    failures,
    /** The list is one terminator: no device of the machine has the class. The driver frees it with ExFreePool. */
    body(kernel, { SymbolicLinkList }, { fn }) {
      if (SymbolicLinkList.address === NULL) throw new Unsupported(fn, 'no place for the list', kernel.stack());
      const list = kernel.heap.allocate(2, 'symbolic link list', { fill: 0, stack: kernel.stack() });
      kernel.resources.acquire('pool', list, { fn, stack: kernel.stack() });
      SymbolicLinkList.set(list);
      return Status.SUCCESS;
    },
  }),
};
