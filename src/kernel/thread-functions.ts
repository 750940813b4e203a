/** The functions that make and end threads and set what they are: priority, affinity, regions without APCs. */
import { type Address, APC_LEVEL, type Handle, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct } from './layout.ts';
import type { KernelObject } from './object-manager.ts';
import {
  A,
  ANY,
  CODE,
  D,
  failsWith,
  functionsOf,
  HANDLE,
  IN,
  LONG,
  OUT,
  P,
  POINTER,
  ULONG,
  ULONG64,
} from './record.ts';
import { type Coroutine, POINT } from './scheduler.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { GROUP_AFFINITY } from './structures.ts';
import { SYSTEM_PROCESS_ID, type Thread } from './threads.ts';

export const CLIENT_ID = struct('CLIENT_ID', { UniqueProcess: pointer, UniqueThread: pointer });

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const STATUS_NO_YIELD_PERFORMED = 0x40000024;

/** The thread a PKTHREAD names. */
function threadOf(kernel: Kernel, object: Address): Thread {
  const thread = kernel.threads.behind(object);
  if (thread === undefined) {
    throw new Unsupported('KTHREAD', 'a thread object that is none of this machine’s threads', kernel.stack());
  }
  return thread;
}

/** The processors of a mask that this machine has. */
const within = ({ scheduler }: Kernel, mask: number | bigint): number =>
  Number(BigInt.asUintN(scheduler.processors.length, BigInt(mask)));

/** Moves the running thread to the processors of the mask (0: all); gives the mask it had by this call before. */
function* moveTo(kernel: Kernel, mask: number | bigint): Coroutine<number> {
  const thread = kernel.threads.running;
  const allowed = within(kernel, mask);
  if (thread === undefined || (allowed === 0 && BigInt(mask) !== 0n)) return 0;
  const before = thread.context.affinity ?? 0;
  thread.context.affinity = allowed === 0 ? undefined : allowed;
  yield POINT;
  return before;
}

export const threadFunctions = {
  PsCreateSystemThread: f({
    module,
    page: 'wdm-pscreatesystemthread',
    params: {
      ThreadHandle: OUT(pointer),
      DesiredAccess: ULONG,
      ObjectAttributes: POINTER,
      ProcessHandle: HANDLE,
      ClientId: OUT(CLIENT_ID),
      StartRoutine: CODE,
      StartContext: POINTER,
    },
    returns: 'status',
    irql: P,
    acquires: { type: 'handle', key: ({ ThreadHandle }) => ThreadHandle.get(), detail: () => ({ object: 'thread' }) },
    failures: [failsWith('resources', Status.INSUFFICIENT_RESOURCES)],
    body(kernel, { ThreadHandle, ProcessHandle, ClientId, StartRoutine, StartContext }, { fn }) {
      if (ProcessHandle !== NULL && ProcessHandle !== (-1 as Handle)) {
        throw new Unsupported(fn, 'a system thread in a process other than System', kernel.stack());
      }
      const { scheduler, threads, objects, resources } = kernel;
      const thread = threads.start(StartRoutine, StartContext, scheduler.current.callbacks.at(-1)?.adapter);
      ThreadHandle.set(objects.open(objects.object(thread.object) as KernelObject));
      if (ClientId.present) {
        CLIENT_ID.write(kernel.memory, ClientId.address, {
          UniqueProcess: SYSTEM_PROCESS_ID as Address,
          UniqueThread: thread.id as Address,
        });
      }
      resources.acquire('system-thread', thread.object, { fn, stack: kernel.stack() });
      return Status.SUCCESS;
    },
  }),
  PsTerminateSystemThread: f({
    module,
    page: 'wdm-psterminatesystemthread',
    params: { ExitStatus: ULONG },
    returns: 'status',
    irql: P,
    body(kernel, { ExitStatus }) {
      kernel.threads.end(ExitStatus);
      kernel.trace.emit({ kind: 'fact', what: 'foreign-thread-terminated', detail: {}, stack: kernel.stack() });
      return Status.INVALID_PARAMETER;
    },
  }),
  KeGetCurrentThread: f({
    module,
    page: 'wdm-kegetcurrentthread',
    params: {},
    returns: 'pointer',
    irql: ANY,
    body: ({ threads }) => threads.current(),
  }),
  PsGetCurrentThread: f({
    module,
    page: 'wdm-psgetcurrentthread',
    params: {},
    returns: 'pointer',
    irql: ANY,
    body: ({ threads }) => threads.current(),
  }),
  PsGetCurrentThreadId: f({
    module,
    page: 'ntddk-psgetcurrentthreadid',
    params: {},
    returns: 'pointer',
    irql: ANY,
    body: ({ threads }) => (threads.running?.id ?? 0) as Address,
  }),
  PsGetCurrentProcessId: f({
    module,
    page: 'ntddk-psgetcurrentprocessid',
    params: {},
    returns: 'pointer',
    irql: ANY,
    body: () => SYSTEM_PROCESS_ID as Address,
  }),
  PsGetThreadId: f({
    module,
    page: 'ntddk-psgetthreadid',
    params: { Thread: POINTER },
    returns: 'pointer',
    irql: ANY,
    body: (kernel, { Thread: object }) => threadOf(kernel, object).id as Address,
  }),
  KeSetPriorityThread: f({
    module,
    page: 'wdm-kesetprioritythread',
    params: { Thread: POINTER, Priority: LONG },
    returns: 'i32',
    irql: D,
    // Who runs first is the schedule's to choose; a priority never proves an order on a machine with two processors.
    body(kernel, { Thread: object, Priority }) {
      const thread = threadOf(kernel, object);
      const before = thread.priority;
      thread.priority = Priority;
      return before;
    },
  }),
  KeSetBasePriorityThread: f({
    module,
    page: 'ntddk-kesetbaseprioritythread',
    params: { Thread: POINTER, Increment: LONG },
    returns: 'i32',
    irql: D,
    body(kernel, { Thread: object, Increment }) {
      const thread = threadOf(kernel, object);
      const before = thread.basePriority;
      thread.basePriority = Increment;
      return before;
    },
  }),
  KeQueryPriorityThread: f({
    module,
    page: 'wdm-kequeryprioritythread',
    params: { Thread: POINTER },
    returns: 'i32',
    irql: D,
    body: (kernel, { Thread: object }) => threadOf(kernel, object).priority,
  }),
  KeEnterCriticalRegion: f({
    module,
    page: 'ntddk-keentercriticalregion',
    params: {},
    returns: 'void',
    irql: A,
    body: ({ threads }) => threads.region('criticalRegions', 1) as undefined,
  }),
  KeLeaveCriticalRegion: f({
    module,
    page: 'ntddk-keleavecriticalregion',
    params: {},
    returns: 'void',
    irql: A,
    body: ({ threads }) => threads.region('criticalRegions', -1) as undefined,
  }),
  KeEnterGuardedRegion: f({
    module,
    page: 'ntddk-keenterguardedregion',
    params: {},
    returns: 'void',
    irql: A,
    body: ({ threads }) => threads.region('guardedRegions', 1) as undefined,
  }),
  KeLeaveGuardedRegion: f({
    module,
    page: 'ntddk-keleaveguardedregion',
    params: {},
    returns: 'void',
    irql: A,
    body: ({ threads }) => threads.region('guardedRegions', -1) as undefined,
  }),
  KeAreApcsDisabled: f({
    module,
    page: 'ntddk-keareapcsdisabled',
    params: {},
    returns: 'bool',
    irql: D,
    body: ({ threads }) => (threads.running?.criticalRegions ?? 0) + (threads.running?.guardedRegions ?? 0) > 0,
  }),
  KeAreAllApcsDisabled: f({
    module,
    page: 'wdm-keareallapcsdisabled',
    params: {},
    returns: 'bool',
    irql: D,
    body: ({ threads, scheduler }) => scheduler.irql >= APC_LEVEL || (threads.running?.guardedRegions ?? 0) > 0,
  }),
  KeSetSystemAffinityThread: f({
    module,
    page: 'wdm-kesetsystemaffinitythread',
    params: { Affinity: ULONG64 },
    returns: 'void',
    irql: A,
    *body(kernel, { Affinity }) {
      yield* moveTo(kernel, Affinity);
      return undefined;
    },
  }),
  KeSetSystemAffinityThreadEx: f({
    module,
    page: 'wdm-kesetsystemaffinitythreadex',
    params: { Affinity: ULONG64 },
    returns: 'pointer',
    irql: A,
    body: (kernel, { Affinity }) => moveTo(kernel, Affinity) as Coroutine<Address>,
  }),
  KeRevertToUserAffinityThread: f({
    module,
    page: 'ntddk-kereverttouseraffinitythread',
    params: {},
    returns: 'void',
    irql: A,
    *body(kernel) {
      yield* moveTo(kernel, 0);
      return undefined;
    },
  }),
  KeRevertToUserAffinityThreadEx: f({
    module,
    page: 'wdm-kereverttouseraffinitythreadex',
    params: { Affinity: ULONG64 },
    returns: 'void',
    irql: A,
    *body(kernel, { Affinity }) {
      yield* moveTo(kernel, Affinity);
      return undefined;
    },
  }),
  KeSetSystemGroupAffinityThread: f({
    module,
    page: 'wdm-kesetsystemgroupaffinitythread',
    params: { Affinity: IN(GROUP_AFFINITY), PreviousAffinity: OUT(GROUP_AFFINITY) },
    returns: 'void',
    irql: A,
    *body(kernel, { Affinity, PreviousAffinity }) {
      const { Mask, Group } = Affinity;
      // A group or mask without processors changes nothing and gives zeroes back (wdm-kesetsystemgroupaffinitythread).
      const valid = Group === 0 && within(kernel, Mask) !== 0;
      const before = valid ? yield* moveTo(kernel, Mask) : 0;
      if (PreviousAffinity.present) {
        kernel.memory.fill(PreviousAffinity.address, GROUP_AFFINITY.size, 0);
        kernel.memory.writePointer(PreviousAffinity.address, before);
      }
      return undefined;
    },
  }),
  KeRevertToUserGroupAffinityThread: f({
    module,
    page: 'wdm-kereverttousergroupaffinitythread',
    params: { PreviousAffinity: IN(GROUP_AFFINITY) },
    returns: 'void',
    irql: A,
    *body(kernel, { PreviousAffinity }) {
      yield* moveTo(kernel, PreviousAffinity.Mask);
      return undefined;
    },
  }),
  ZwYieldExecution: f({
    module,
    page: 'ntifs-zwyieldexecution',
    params: {},
    returns: 'status',
    irql: P,
    *body({ clock, scheduler }) {
      const others = scheduler.alive().length > 1;
      clock.advance(1);
      yield { kind: 'wait', what: 'its next turn', ready: () => false, deadline: clock.now };
      return others ? Status.SUCCESS : STATUS_NO_YIELD_PERFORMED;
    },
  }),
};
