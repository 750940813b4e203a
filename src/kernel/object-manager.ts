/**
 * The object manager: objects that handles and pointers refer to, and their counts. Threads, files and events live here; what
 * only the driver's memory holds (a KEVENT) does not, and the I/O manager's own blocks (device objects) are not counted.
 * Pages: wdm-obreferenceobjectbyhandle, wdm-obdereferenceobject, ntifs-obopenobjectbypointer and their neighbours.
 */
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import type { Handles } from './objects.ts';
import { D, failsWith, functionsOf, HANDLE, OUT, type Out, P, type Params, POINTER, UCHAR, ULONG } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { provideVariable } from './variables.ts';

/** The types drivers can name, by the variable that holds each (`*PsThreadType`). */
const typeVariables = {
  Event: 'ExEventObjectType',
  Semaphore: 'ExSemaphoreObjectType',
  Thread: 'PsThreadType',
  Process: 'PsProcessType',
  File: 'IoFileObjectType',
  Device: 'IoDeviceObjectType',
  Driver: 'IoDriverObjectType',
  Key: 'CmKeyObjectType',
  Section: 'MmSectionObjectType',
  Token: 'SeTokenObjectType',
} as const;
export type ObjectTypeName = keyof typeof typeVariables;

/** An OBJECT_TYPE is opaque; drivers only compare its address. */
const OBJECT_TYPE_SIZE = 0xd8;

/** One object: its body's address is what drivers hold. */
export class KernelObject {
  readonly address: Address;
  readonly type: ObjectTypeName;
  pointers = 1;
  /** The last reference is gone; the memory goes next. */
  readonly deleted: (() => void) | undefined;

  constructor(address: Address, type: ObjectTypeName, deleted: (() => void) | undefined) {
    this.address = address;
    this.type = type;
    this.deleted = deleted;
  }
}

export class ObjectManager {
  private readonly heap: Heap;
  private readonly handles: Handles;
  private readonly types = new Map<string, Address>();
  private readonly objects = new Map<Address, KernelObject>();
  /** By upper-case name. */
  private readonly names = new Map<string, KernelObject>();

  constructor(parts: { memory: GuestMemory; heap: Heap; code: HostCode; handles: Handles }) {
    this.heap = parts.heap;
    this.handles = parts.handles;
    for (const [name, variable] of Object.entries(typeVariables)) {
      const type = parts.heap.allocate(OBJECT_TYPE_SIZE, `OBJECT_TYPE of ${name}`, { fill: 0 });
      this.types.set(name, type);
      provideVariable(parts, variable, { value: type });
    }
  }

  /** A new object of `size` zeroed bytes with one reference: its maker's. */
  create(type: ObjectTypeName, size: number, what: string, deleted?: () => void): Address {
    const address = this.heap.allocate(size, what, { fill: 0 });
    this.objects.set(address, new KernelObject(address, type, deleted));
    return address;
  }

  /** The same under a name, until its last reference goes. */
  createNamed(type: ObjectTypeName, size: number, name: string): KernelObject {
    const key = name.toUpperCase();
    const address = this.create(type, size, `${type.toLowerCase()} ${name}`, () => this.names.delete(key));
    const made = this.objects.get(address) as KernelObject;
    this.names.set(key, made);
    return made;
  }

  named(name: string): KernelObject | undefined {
    return this.names.get(name.toUpperCase());
  }

  object(address: Address): KernelObject | undefined {
    return this.objects.get(address);
  }

  /** Whether an object of that type passes a driver's `*PsThreadType`; NULL passes all. */
  isOfType(name: string, type: Address): boolean {
    return type === NULL || this.types.get(name) === type;
  }

  /** A new handle; it holds a reference until it is closed. */
  open(object: KernelObject): Handle {
    object.pointers++;
    return this.handles.create(object.type, object, () => this.dereference(object.address));
  }

  /** Gives the new count; 0 for memory that is not counted here. */
  reference(address: Address): number {
    const object = this.objects.get(address);
    return object === undefined ? 0 : ++object.pointers;
  }

  dereference(address: Address): number {
    const object = this.objects.get(address);
    if (object === undefined) return 0;
    if (--object.pointers === 0) {
      this.objects.delete(address);
      object.deleted?.();
      this.heap.free(address);
    }
    return object.pointers;
  }
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const CURRENT_THREAD = -2;
type Named = { Object: Address };

/** A reference through a pointer: it must be an object's. */
function refer(kernel: Kernel, { Object: object }: Named): bigint {
  const block = kernel.heap.blockAt(object);
  if (block?.address !== object || block.state === 'freed') {
    const detail = { object: hex(object), ...kernel.pool.describe(object) };
    kernel.trace.emit({ kind: 'fact', what: 'reference-to-no-object', detail, stack: kernel.stack() });
  }
  return BigInt(kernel.objects.reference(object));
}

/** What the two forms share: a tag only helps to find references that leak. */
function referenceByHandle(
  kernel: Kernel,
  args: {
    readonly Handle: Handle;
    readonly DesiredAccess: number;
    readonly ObjectType: Address;
    readonly Object: Out<Address>;
    readonly HandleInformation: Address;
  },
  fn: string,
): number {
  const { Handle: handle, DesiredAccess, ObjectType, Object: out, HandleInformation } = args;
  const { objects, handles, threads, memory } = kernel;
  const entry = handles.entry(handle);
  const found = handle === CURRENT_THREAD ? objects.object(threads.current()) : entry?.object;
  if (found === undefined) return Status.INVALID_HANDLE;
  const type = found instanceof KernelObject ? found.type : (entry?.type ?? '');
  if (!objects.isOfType(type, ObjectType)) return Status.OBJECT_TYPE_MISMATCH;
  if (!(found instanceof KernelObject)) {
    throw new Unsupported(fn, `a pointer to the object behind a handle of type ${type}`, kernel.stack());
  }
  objects.reference(found.address);
  out.set(found.address);
  if (HandleInformation !== NULL) memory.writeU64(HandleInformation, BigInt(DesiredAccess) << 32n);
  return Status.SUCCESS;
}

const tagged = { Object: POINTER, Tag: ULONG };
const untagged = { Object: POINTER };

const referencing = <Q extends Params & typeof untagged>(page: string, params: Q) =>
  f({
    module,
    page,
    params,
    returns: 'u64',
    irql: D,
    acquires: { type: 'object-reference', key: (args) => (args as unknown as Named).Object, when: () => true },
    body: (kernel, args) => refer(kernel, args as unknown as Named),
  });
const dereferencing = <Q extends Params & typeof untagged>(page: string, params: Q) =>
  f({
    module,
    page,
    params,
    returns: 'u64',
    irql: D,
    undoes: {
      types: ['object-reference'],
      key: (args) => (args as unknown as Named).Object,
      stray: ({ pool }, args) => pool.describe((args as unknown as Named).Object),
      otherwise: () => 0n,
    },
    body: ({ objects }, args) => BigInt(objects.dereference((args as unknown as Named).Object)),
  });

export const objectManagerFunctions = {
  ObReferenceObjectByHandle: f({
    module,
    page: 'wdm-obreferenceobjectbyhandle',
    params: {
      Handle: HANDLE,
      DesiredAccess: ULONG,
      ObjectType: POINTER,
      AccessMode: UCHAR,
      Object: OUT(pointer),
      HandleInformation: POINTER,
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'object-reference', key: ({ Object: object }) => object.get() },
    failures: [failsWith('resources', Status.INSUFFICIENT_RESOURCES), failsWith('handle', Status.INVALID_HANDLE)],
    body: (kernel, args, { fn }) => referenceByHandle(kernel, args, fn),
  }),
  ObReferenceObjectByHandleWithTag: f({
    module,
    page: 'wdm-obreferenceobjectbyhandlewithtag',
    params: {
      Handle: HANDLE,
      DesiredAccess: ULONG,
      ObjectType: POINTER,
      AccessMode: UCHAR,
      Tag: ULONG,
      Object: OUT(pointer),
      HandleInformation: POINTER,
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'object-reference', key: ({ Object: object }) => object.get() },
    failures: [failsWith('resources', Status.INSUFFICIENT_RESOURCES), failsWith('handle', Status.INVALID_HANDLE)],
    body: (kernel, args, { fn }) => referenceByHandle(kernel, args, fn),
  }),
  ObReferenceObjectByPointer: f({
    module,
    page: 'wdm-obreferenceobjectbypointer',
    params: { Object: POINTER, DesiredAccess: ULONG, ObjectType: POINTER, AccessMode: UCHAR },
    returns: 'status',
    irql: D,
    acquires: { type: 'object-reference', key: ({ Object: object }) => object },
    failures: [failsWith('mismatch', Status.OBJECT_TYPE_MISMATCH)],
    body(kernel, args) {
      const known = kernel.objects.object(args.Object);
      if (known !== undefined && !kernel.objects.isOfType(known.type, args.ObjectType)) {
        return Status.OBJECT_TYPE_MISMATCH;
      }
      refer(kernel, args);
      return Status.SUCCESS;
    },
  }),
  // The page's names are macros around the second of each pair.
  ObReferenceObject: referencing('wdm-obreferenceobject', untagged),
  ObfReferenceObject: referencing('wdm-obreferenceobject', untagged),
  ObReferenceObjectWithTag: referencing('wdm-obreferenceobjectwithtag', tagged),
  ObfReferenceObjectWithTag: referencing('wdm-obreferenceobjectwithtag', tagged),
  ObDereferenceObject: dereferencing('wdm-obdereferenceobject', untagged),
  ObfDereferenceObject: dereferencing('wdm-obdereferenceobject', untagged),
  ObDereferenceObjectWithTag: dereferencing('wdm-obdereferenceobjectwithtag', tagged),
  ObfDereferenceObjectWithTag: dereferencing('wdm-obdereferenceobjectwithtag', tagged),
  ObDereferenceObjectDeferDelete: dereferencing('wdm-obdereferenceobjectdeferdelete', untagged),
  ObDereferenceObjectDeferDeleteWithTag: dereferencing('wdm-obdereferenceobjectdeferdeletewithtag', tagged),
  ObOpenObjectByPointer: f({
    module,
    page: 'ntifs-obopenobjectbypointer',
    params: {
      Object: POINTER,
      HandleAttributes: ULONG,
      PassedAccessState: POINTER,
      DesiredAccess: ULONG,
      ObjectType: POINTER,
      AccessMode: UCHAR,
      Handle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'handle', key: ({ Handle: handle }) => handle.get() },
    failures: [failsWith('resources', Status.INSUFFICIENT_RESOURCES)],
    body(kernel, { Object: object, ObjectType, Handle: out }, { fn }) {
      const known = kernel.objects.object(object);
      if (known === undefined) throw new Unsupported(fn, 'a handle to an object that is not counted', kernel.stack());
      if (!kernel.objects.isOfType(known.type, ObjectType)) return Status.OBJECT_TYPE_MISMATCH;
      out.set(kernel.objects.open(known));
      return Status.SUCCESS;
    },
  }),
};
