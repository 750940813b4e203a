/**
 * Routines a driver leaves with the system to be called back: callback objects, processor changes, NMIs,
 * processes, images, shutdown. All are owed at unload (`callbacks`). Callback objects and shutdown notifications really call;
 * the others stand for events that do not come about on this machine by themselves.
 * Pages: wdm-excreatecallback, wdm-exregistercallback, wdm-keregisterprocessorchangecallback, …
 */
import { type Address, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { Invoker } from './invoke.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import {
  A,
  BOOLEAN,
  CODE,
  callback,
  D,
  failsNull,
  failsWith,
  functionsOf,
  IN,
  OUT,
  P,
  POINTER,
  ULONG,
} from './record.ts';
import { OBJECT_ATTRIBUTES, objectName } from './registry-functions.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';

export const CALLBACK_FUNCTION = callback({
  name: 'CALLBACK_FUNCTION',
  page: 'wdm-callback_function',
  params: { CallbackContext: POINTER, Argument1: POINTER, Argument2: POINTER },
  returns: 'void',
  irql: D,
});
export const PROCESSOR_CALLBACK_FUNCTION = callback({
  name: 'PROCESSOR_CALLBACK_FUNCTION',
  page: 'wdm-processor_callback_function',
  params: { CallbackContext: POINTER, ChangeContext: POINTER, OperationStatus: POINTER },
  returns: 'void',
  irql: P,
});

/** Always there: `Using a System-Defined Callback Object` (kernel documentation). Nothing happens here that calls them. */
const SYSTEM_OBJECTS: ReadonlySet<string> = new Set([
  '\\CALLBACK\\SETSYSTEMTIME',
  '\\CALLBACK\\POWERSTATE',
  '\\CALLBACK\\PROCESSORADD',
]);

interface Registration {
  readonly object: Address;
  readonly routine: Address;
  readonly context: Address;
}

export class Callbacks {
  private readonly heap: Heap;
  private readonly memory: GuestMemory;
  private readonly invoker: () => Invoker;
  private readonly named = new Map<string, Address>();
  private readonly registrations = new Map<Address, Registration>();

  constructor(parts: { heap: Heap; memory: GuestMemory; invoker: () => Invoker }) {
    this.heap = parts.heap;
    this.memory = parts.memory;
    this.invoker = parts.invoker;
  }

  /** The callback object of a name, made where it is missing and may be. */
  open(name: string, create: boolean): Address | undefined {
    const known = this.named.get(name.toUpperCase());
    if (known !== undefined || !(create || SYSTEM_OBJECTS.has(name.toUpperCase()))) return known;
    const object = this.heap.allocate(64, `CALLBACK_OBJECT ${name}`, { fill: 0 });
    if (name !== '') this.named.set(name.toUpperCase(), object);
    return object;
  }

  /** The handle of a new registration. */
  register(what: string, object: Address, routine: Address, context: Address): Address {
    const handle = this.heap.allocate(48, what, { fill: 0 });
    this.registrations.set(handle, { object, routine, context });
    return handle;
  }

  unregister(handle: Address): boolean {
    if (this.registrations.has(handle)) this.heap.free(handle);
    return this.registrations.delete(handle);
  }

  *notify(object: Address, first: Address, second: Address): Coroutine<void> {
    for (const { object: of, routine, context } of [...this.registrations.values()]) {
      if (of !== object) continue;
      const args = { CallbackContext: context, Argument1: first, Argument2: second };
      yield* this.invoker().invoke(CALLBACK_FUNCTION, routine, args);
    }
  }

  /** KE_PROCESSOR_ADD_EXISTING: a new registration hears of every processor there is. False when the routine objects. */
  *tellProcessors(routine: Address, context: Address, count: number): Coroutine<number> {
    for (let number = 0; number < count; number++) {
      const change = this.heap.allocate(16, 'KE_PROCESSOR_CHANGE_NOTIFY_CONTEXT', { fill: 0 });
      this.memory.writeU32((change + 4) as Address, number);
      this.memory.writeU8((change + 14) as Address, number);
      const status = this.heap.allocate(4, 'operation status', { fill: 0 });
      const args = { CallbackContext: context, ChangeContext: change, OperationStatus: status };
      yield* this.invoker().invoke(PROCESSOR_CALLBACK_FUNCTION, routine, args);
      const result = this.memory.readU32(status);
      this.heap.free(change);
      this.heap.free(status);
      if (result !== Status.SUCCESS) return result;
    }
    return Status.SUCCESS;
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;
/** No object: registrations that only wait for an event of the system. */
const SYSTEM = NULL;
const ADD_EXISTING = 1;

const undoesHandle = (name: string) => ({
  types: ['callbacks'],
  key: (args: Record<string, unknown>) => args[name] as Address,
});

/** One routine that is told of processes: the same call adds and removes it. */
const notifying = (page: string) =>
  f({
    ...common,
    page,
    params: { NotifyRoutine: CODE, Remove: BOOLEAN },
    returns: 'status',
    irql: P,
    failures: [{ id: 'invalid-parameter', when: ({ Remove }) => !Remove, fail: () => Status.INVALID_PARAMETER }],
    body(kernel, { NotifyRoutine, Remove }, { fn }) {
      const { resources } = kernel;
      const live = resources.live(['callbacks'], NotifyRoutine) !== undefined;
      if (!Remove) {
        if (live) return Status.INVALID_PARAMETER;
        resources.acquire('callbacks', NotifyRoutine, { fn, stack: kernel.stack() });
        return Status.SUCCESS;
      }
      const found = resources.find(['callbacks'], NotifyRoutine);
      resources.undo(['callbacks'], NotifyRoutine, { fn, outcome: found.outcome, found, stack: kernel.stack() });
      return live ? Status.SUCCESS : Status.PROCEDURE_NOT_FOUND;
    },
  });
/** Routines told of threads and images come and go by two calls. No thread or image comes up on this machine meanwhile. */
const addingNotify = (page: string) =>
  f({
    ...common,
    page,
    params: { NotifyRoutine: CODE },
    returns: 'status',
    irql: P,
    acquires: { type: 'callbacks', key: ({ NotifyRoutine }) => NotifyRoutine },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body: () => Status.SUCCESS,
  });
const removingNotify = (page: string) =>
  f({
    ...common,
    page,
    params: { NotifyRoutine: CODE },
    returns: 'status',
    irql: P,
    undoes: {
      types: ['callbacks'],
      key: ({ NotifyRoutine }) => NotifyRoutine,
      otherwise: () => Status.PROCEDURE_NOT_FOUND,
    },
    body: () => Status.SUCCESS,
  });

export const callbackFunctions = {
  ExCreateCallback: f({
    ...common,
    page: 'wdm-excreatecallback',
    params: {
      CallbackObject: OUT(pointer),
      ObjectAttributes: IN(OBJECT_ATTRIBUTES),
      Create: BOOLEAN,
      AllowMultipleCallbacks: BOOLEAN,
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'object-reference', key: ({ CallbackObject }) => CallbackObject.get() },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body({ memory, callbacks }, { CallbackObject, ObjectAttributes, Create }) {
      const object = callbacks.open(objectName(memory, ObjectAttributes), Create);
      if (object === undefined) return Status.OBJECT_NAME_NOT_FOUND;
      CallbackObject.set(object);
      return Status.SUCCESS;
    },
  }),
  ExRegisterCallback: f({
    ...common,
    page: 'wdm-exregistercallback',
    params: { CallbackObject: POINTER, CallbackFunction: CODE, CallbackContext: POINTER },
    returns: 'pointer',
    irql: A,
    acquires: { type: 'callbacks', key: (_, result) => result },
    failures: [failsNull],
    body: ({ callbacks }, { CallbackObject, CallbackFunction, CallbackContext }) =>
      callbacks.register('callback registration', CallbackObject, CallbackFunction, CallbackContext),
  }),
  ExUnregisterCallback: f({
    ...common,
    page: 'wdm-exunregistercallback',
    params: { CallbackRegistration: POINTER },
    returns: 'void',
    irql: A,
    undoes: { ...undoesHandle('CallbackRegistration'), otherwise: () => undefined },
    body({ callbacks }, { CallbackRegistration }) {
      callbacks.unregister(CallbackRegistration);
      return undefined;
    },
  }),
  ExNotifyCallback: f({
    ...common,
    page: 'wdm-exnotifycallback',
    params: { CallbackObject: POINTER, Argument1: POINTER, Argument2: POINTER },
    returns: 'void',
    irql: D,
    *body({ callbacks }, { CallbackObject, Argument1, Argument2 }) {
      yield* callbacks.notify(CallbackObject, Argument1, Argument2);
      return undefined;
    },
  }),
  KeRegisterProcessorChangeCallback: f({
    ...common,
    page: 'wdm-keregisterprocessorchangecallback',
    params: { CallbackFunction: CODE, CallbackContext: POINTER, Flags: ULONG },
    returns: 'pointer',
    irql: P,
    acquires: { type: 'callbacks', key: (_, result) => result },
    failures: [failsNull],
    *body({ callbacks, scheduler }, { CallbackFunction, CallbackContext, Flags }) {
      const count = (Flags & ADD_EXISTING) === 0 ? 0 : scheduler.processors.length;
      const status = yield* callbacks.tellProcessors(CallbackFunction, CallbackContext, count);
      if (status !== Status.SUCCESS) return NULL;
      return callbacks.register('processor change registration', SYSTEM, CallbackFunction, CallbackContext);
    },
  }),
  KeDeregisterProcessorChangeCallback: f({
    ...common,
    page: 'wdm-kederegisterprocessorchangecallback',
    params: { CallbackHandle: POINTER },
    returns: 'void',
    irql: P,
    undoes: { ...undoesHandle('CallbackHandle'), otherwise: () => undefined },
    body({ callbacks }, { CallbackHandle }) {
      callbacks.unregister(CallbackHandle);
      return undefined;
    },
  }),
  KeRegisterNmiCallback: f({
    ...common,
    page: 'wdm-keregisternmicallback',
    params: { CallbackRoutine: CODE, Context: POINTER },
    returns: 'pointer',
    irql: A,
    acquires: { type: 'callbacks', key: (_, result) => result },
    failures: [failsNull],
    body: ({ callbacks }, { CallbackRoutine, Context }) =>
      callbacks.register('NMI registration', SYSTEM, CallbackRoutine, Context),
  }),
  KeDeregisterNmiCallback: f({
    ...common,
    page: 'wdm-kederegisternmicallback',
    params: { Handle: POINTER },
    returns: 'status',
    irql: A,
    undoes: { ...undoesHandle('Handle'), otherwise: () => Status.INVALID_HANDLE },
    body: ({ callbacks }, { Handle }) => (callbacks.unregister(Handle) ? Status.SUCCESS : Status.INVALID_HANDLE),
  }),
  PsSetCreateProcessNotifyRoutine: notifying('ntddk-pssetcreateprocessnotifyroutine'),
  PsSetCreateProcessNotifyRoutineEx: notifying('ntddk-pssetcreateprocessnotifyroutineex'),
  PsSetCreateThreadNotifyRoutine: addingNotify('ntddk-pssetcreatethreadnotifyroutine'),
  PsRemoveCreateThreadNotifyRoutine: removingNotify('ntddk-psremovecreatethreadnotifyroutine'),
  PsSetLoadImageNotifyRoutine: addingNotify('ntddk-pssetloadimagenotifyroutine'),
  PsRemoveLoadImageNotifyRoutine: removingNotify('ntddk-psremoveloadimagenotifyroutine'),
  IoRegisterShutdownNotification: f({
    ...common,
    page: 'wdm-ioregistershutdownnotification',
    params: { DeviceObject: POINTER },
    returns: 'status',
    irql: P,
    acquires: { type: 'callbacks', key: ({ DeviceObject }) => `shutdown notification of ${DeviceObject}` },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body: () => Status.SUCCESS,
  }),
  IoUnregisterShutdownNotification: f({
    ...common,
    page: 'wdm-iounregistershutdownnotification',
    params: { DeviceObject: POINTER },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['callbacks'],
      key: ({ DeviceObject }) => `shutdown notification of ${DeviceObject}`,
      otherwise: () => undefined,
    },
    body: () => undefined,
  }),
};
