/**
 * Objects of the kernel with a type and a count of references, and the handles that name them: threads, keys, files, events.
 * An object goes when its last reference does. Every reference a driver takes is owed on its own (`object-reference`), every
 * handle too (`handle`). Pages: wdm-obreferenceobjectbyhandle, wdm-obfreferenceobject, wdm-obdereferenceobject, ntifs-zwclose.
 */
import type { Stack } from '../trace/events.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { D, failsWith, functionsOf, HANDLE, OUT, P, POINTER, ULONG } from './record.ts';
import { Status } from './status.ts';
import { provideVariable } from './variables.ts';

/** Above every user handle: 0xFFFFFFFF80000000. */
const FIRST_HANDLE = -0x8000_0000;

/** The type objects that ntoskrnl exports, by the types' names. */
const EXPORTED_TYPES: Readonly<Record<string, string>> = {
  Thread: 'PsThreadType',
  Process: 'PsProcessType',
  Event: 'ExEventObjectType',
  Semaphore: 'ExSemaphoreObjectType',
  File: 'IoFileObjectType',
  Device: 'IoDeviceObjectType',
  Key: 'CmKeyObjectType',
  Token: 'SeTokenObjectType',
};

interface KernelObject {
  readonly type: string;
  references: number;
  readonly deleted: (() => void) | undefined;
}

export class KernelObjects {
  private readonly heap: Heap;
  private readonly objects = new Map<Address, KernelObject>();
  private readonly handles = new Map<Handle, Address>();
  private readonly types = new Map<Address, string>();
  private opened = 0;

  constructor(parts: { memory: GuestMemory; heap: Heap; code: HostCode }) {
    this.heap = parts.heap;
    for (const [type, variable] of Object.entries(EXPORTED_TYPES)) {
      const object = parts.heap.allocate(64, `the object type ${type}`, { fill: 0 });
      this.types.set(object, type);
      provideVariable(parts, variable, { value: object });
    }
  }

  /** An object with one reference: its maker's. `deleted` is told when the last one goes. */
  create(type: string, size: number, what: string, options: { deleted?: () => void; stack?: Stack } = {}): Address {
    const { stack } = options;
    const object = this.heap.allocate(size, what, { fill: 0, ...(stack === undefined ? {} : { stack }) });
    this.objects.set(object, { type, references: 1, deleted: options.deleted });
    return object;
  }

  typeOf(object: Address): string | undefined {
    return this.objects.get(object)?.type;
  }

  /** The type that a type object (`*PsThreadType`) stands for. */
  typeNamed(typeObject: Address): string | undefined {
    return this.types.get(typeObject);
  }

  reference(object: Address): void {
    const known = this.objects.get(object);
    if (known !== undefined) known.references++;
  }

  dereference(object: Address, stack: Stack = []): void {
    const known = this.objects.get(object);
    if (known === undefined || --known.references > 0) return;
    this.objects.delete(object);
    known.deleted?.();
    this.heap.free(object, stack);
  }

  /** A new handle to the object; it holds a reference. */
  open(object: Address): Handle {
    const handle = (FIRST_HANDLE + 4 * ++this.opened) as Handle;
    this.handles.set(handle, object);
    this.reference(object);
    return handle;
  }

  /** The object an open handle names. */
  named(handle: Handle): Address | undefined {
    return this.handles.get(handle);
  }

  /** False when the handle is not open. */
  close(handle: Handle, stack: Stack = []): boolean {
    const object = this.handles.get(handle);
    if (object === undefined) return false;
    this.handles.delete(handle);
    this.dereference(object, stack);
    return true;
  }
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';

/** Takes a reference by a pointer; the same for an object haltex has no count for (a device, a driver object). */
function reference({ objects }: Kernel, object: Address, typeObject: Address): number {
  const type = objects.typeNamed(typeObject);
  const ours = objects.typeOf(object);
  if (type !== undefined && ours !== undefined && type !== ours) return Status.OBJECT_TYPE_MISMATCH;
  objects.reference(object);
  return Status.SUCCESS;
}

const referencing = (page: string) =>
  f({
    module,
    page,
    params: { Object: POINTER },
    returns: 'void',
    irql: D,
    acquires: { type: 'object-reference', key: ({ Object: object }) => object },
    body({ objects }, { Object: object }) {
      objects.reference(object);
      return undefined;
    },
  });

const dereferencing = (page: string) =>
  f({
    module,
    page,
    params: { Object: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['object-reference'], key: ({ Object: object }) => object, otherwise: () => undefined },
    body(kernel, { Object: object }) {
      kernel.objects.dereference(object, kernel.stack());
      return undefined;
    },
  });

const closing = (page: string) =>
  f({
    module,
    page,
    params: { Handle: HANDLE },
    returns: 'status',
    irql: P,
    undoes: { types: ['handle'], key: ({ Handle: handle }) => handle, otherwise: () => Status.INVALID_HANDLE },
    body: (kernel, args) =>
      kernel.objects.close(args.Handle, kernel.stack()) ? Status.SUCCESS : Status.INVALID_HANDLE,
  });

export const objectFunctions = {
  ObReferenceObjectByHandle: f({
    module,
    page: 'wdm-obreferenceobjectbyhandle',
    params: {
      Handle: HANDLE,
      DesiredAccess: ULONG,
      ObjectType: POINTER,
      AccessMode: ULONG,
      Object: OUT(pointer),
      HandleInformation: POINTER,
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'object-reference', key: ({ Object: object }) => object.get() },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body(kernel, { Handle: handle, ObjectType, Object: out, DesiredAccess, HandleInformation }) {
      const object = kernel.objects.named(handle);
      if (object === undefined) return Status.INVALID_HANDLE;
      const status = reference(kernel, object, ObjectType);
      if (status !== Status.SUCCESS) return status;
      out.set(object);
      if (HandleInformation !== NULL) kernel.memory.writeU64(HandleInformation, BigInt(DesiredAccess) << 32n);
      return Status.SUCCESS;
    },
  }),
  ObReferenceObjectByPointer: f({
    module,
    page: 'wdm-obreferenceobjectbypointer',
    params: { Object: POINTER, DesiredAccess: ULONG, ObjectType: POINTER, AccessMode: ULONG },
    returns: 'status',
    irql: D,
    acquires: { type: 'object-reference', key: ({ Object: object }) => object },
    failures: [failsWith('object-type-mismatch', Status.OBJECT_TYPE_MISMATCH)],
    body: (kernel, { Object: object, ObjectType }) => reference(kernel, object, ObjectType),
  }),
  ObOpenObjectByPointer: f({
    module,
    page: 'ntifs-obopenobjectbypointer',
    params: {
      Object: POINTER,
      HandleAttributes: ULONG,
      PassedAccessState: POINTER,
      DesiredAccess: ULONG,
      ObjectType: POINTER,
      AccessMode: ULONG,
      Handle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'handle',
      key: ({ Handle: handle }) => handle.get(),
      detail: ({ Object: o }) => ({ object: hex(o) }),
    },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body({ objects }, { Object: object, Handle: handle }) {
      handle.set(objects.open(object));
      return Status.SUCCESS;
    },
  }),
  ObfReferenceObject: referencing('wdm-obfreferenceobject'),
  ObReferenceObject: referencing('wdm-obfreferenceobject'),
  ObfDereferenceObject: dereferencing('wdm-obdereferenceobject'),
  ObDereferenceObject: dereferencing('wdm-obdereferenceobject'),
  ObDereferenceObjectDeferDelete: dereferencing('wdm-obdereferenceobjectdeferdelete'),
  ZwClose: closing('ntifs-zwclose'),
  NtClose: closing('ntifs-zwclose'),
  ObCloseHandle: f({
    module,
    page: 'ntifs-obclosehandle',
    params: { Handle: HANDLE, PreviousMode: ULONG },
    returns: 'status',
    irql: P,
    undoes: { types: ['handle'], key: ({ Handle: handle }) => handle, otherwise: () => Status.INVALID_HANDLE },
    body: (kernel, args) =>
      kernel.objects.close(args.Handle, kernel.stack()) ? Status.SUCCESS : Status.INVALID_HANDLE,
  }),
};
