/**
 * Device queues: a list of requests and a flag that says whether the device works on one. The queue lies in the driver's memory
 * and is really linked there. Pages: wdm-keinitializedevicequeue and its neighbours; layout: wdm.h for x64.
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { bool8, pointer, struct, u16, u32 } from './layout.ts';
import { D, EXACTLY_D, functionsOf, IN, POINTER, ULONG } from './record.ts';
import { LIST_ENTRY } from './structures.ts';

export const KDEVICE_QUEUE = struct('KDEVICE_QUEUE', {
  Type: u16,
  Size: u16,
  DeviceListHead: LIST_ENTRY,
  Lock: pointer,
  Busy: bool8,
});
export const KDEVICE_QUEUE_ENTRY = struct('KDEVICE_QUEUE_ENTRY', {
  DeviceListEntry: LIST_ENTRY,
  SortKey: u32,
  Inserted: bool8,
});
/** Number of the object's type (KOBJECTS; observed). */
const DEVICE_QUEUE_OBJECT = 20;
const QUEUE_SIZE = 40;

const head = (queue: Address) => at(queue, KDEVICE_QUEUE.offset('DeviceListHead'));
const entryAt = (memory: GuestMemory, entry: Address) => KDEVICE_QUEUE_ENTRY.at(memory, entry);
const next = (memory: GuestMemory, link: Address) => LIST_ENTRY.at(memory, link).Flink;

/** Links the entry in front of another link of the list. */
function insert(memory: GuestMemory, entry: Address, before: Address): void {
  const after = LIST_ENTRY.at(memory, before).Blink;
  LIST_ENTRY.write(memory, entry, { Flink: before, Blink: after });
  LIST_ENTRY.at(memory, after).Flink = entry;
  LIST_ENTRY.at(memory, before).Blink = entry;
  entryAt(memory, entry).Inserted = true;
}

function unlink(memory: GuestMemory, entry: Address): void {
  const { Flink, Blink } = LIST_ENTRY.at(memory, entry);
  LIST_ENTRY.at(memory, Blink).Flink = Flink;
  LIST_ENTRY.at(memory, Flink).Blink = Blink;
  entryAt(memory, entry).Inserted = false;
}

/** True when the device was busy, so that the entry waits; a device that was idle is busy from here on. */
function enter(memory: GuestMemory, queue: Address, entry: Address, place: () => Address): boolean {
  const view = KDEVICE_QUEUE.at(memory, queue);
  entryAt(memory, entry).Inserted = false;
  if (!view.Busy) {
    view.Busy = true;
    return false;
  }
  insert(memory, entry, place());
  return true;
}

/** The first whose key is not below; the head of the list where there is none. */
function placeOf(memory: GuestMemory, queue: Address, key: number, above: boolean): Address {
  let link = next(memory, head(queue));
  while (link !== head(queue)) {
    const { SortKey } = entryAt(memory, link);
    if (above ? SortKey > key : SortKey >= key) return link;
    link = next(memory, link);
  }
  return link;
}

/** Takes an entry out; an empty queue makes the device idle and gives NULL. */
function take(memory: GuestMemory, queue: Address, which: () => Address): Address {
  if (next(memory, head(queue)) === head(queue)) {
    KDEVICE_QUEUE.at(memory, queue).Busy = false;
    return NULL;
  }
  const entry = which();
  unlink(memory, entry);
  return entry;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;

export const deviceQueueFunctions = {
  KeInitializeDeviceQueue: f({
    ...common,
    page: 'wdm-keinitializedevicequeue',
    params: { DeviceQueue: POINTER },
    returns: 'void',
    irql: D,
    body({ memory }, { DeviceQueue }) {
      const Flink = head(DeviceQueue);
      KDEVICE_QUEUE.write(memory, DeviceQueue, {
        Type: DEVICE_QUEUE_OBJECT,
        Size: QUEUE_SIZE,
        DeviceListHead: { Flink, Blink: Flink },
        Lock: NULL,
        Busy: false,
      });
      return undefined;
    },
  }),
  KeInsertDeviceQueue: f({
    ...common,
    page: 'wdm-keinsertdevicequeue',
    params: { DeviceQueue: POINTER, DeviceQueueEntry: IN(KDEVICE_QUEUE_ENTRY) },
    returns: 'bool',
    irql: EXACTLY_D,
    body: ({ memory }, { DeviceQueue, DeviceQueueEntry }) =>
      enter(memory, DeviceQueue, DeviceQueueEntry.address, () => head(DeviceQueue)),
  }),
  KeInsertByKeyDeviceQueue: f({
    ...common,
    page: 'wdm-keinsertbykeydevicequeue',
    params: { DeviceQueue: POINTER, DeviceQueueEntry: IN(KDEVICE_QUEUE_ENTRY), SortKey: ULONG },
    returns: 'bool',
    irql: EXACTLY_D,
    body({ memory }, { DeviceQueue, DeviceQueueEntry, SortKey }) {
      DeviceQueueEntry.SortKey = SortKey;
      const place = () => placeOf(memory, DeviceQueue, SortKey, true);
      return enter(memory, DeviceQueue, DeviceQueueEntry.address, place);
    },
  }),
  KeRemoveDeviceQueue: f({
    ...common,
    page: 'wdm-keremovedevicequeue',
    params: { DeviceQueue: POINTER },
    returns: 'pointer',
    irql: EXACTLY_D,
    body: ({ memory }, { DeviceQueue }) => take(memory, DeviceQueue, () => next(memory, head(DeviceQueue))),
  }),
  KeRemoveByKeyDeviceQueue: f({
    ...common,
    page: 'wdm-keremovebykeydevicequeue',
    params: { DeviceQueue: POINTER, SortKey: ULONG },
    returns: 'pointer',
    irql: EXACTLY_D,
    /** The first with that key or a higher one, else the first of all (page). */
    body: ({ memory }, { DeviceQueue, SortKey }) =>
      take(memory, DeviceQueue, () => {
        const found = placeOf(memory, DeviceQueue, SortKey, false);
        return found === head(DeviceQueue) ? next(memory, found) : found;
      }),
  }),
  KeRemoveEntryDeviceQueue: f({
    ...common,
    page: 'wdm-keremoveentrydevicequeue',
    params: { DeviceQueue: POINTER, DeviceQueueEntry: IN(KDEVICE_QUEUE_ENTRY) },
    returns: 'bool',
    irql: D,
    body({ memory }, { DeviceQueueEntry }) {
      if (!DeviceQueueEntry.Inserted) return false;
      unlink(memory, DeviceQueueEntry.address);
      return true;
    },
  }),
};
