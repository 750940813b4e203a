/**
 * One-time initialization. RTL_RUN_ONCE is one pointer: its low two bits are the state, the rest the context (ntddk.h,
 * RTL_RUN_ONCE_CTX_RESERVED_BITS). Pages: ntddk-rtlrunoncebegininitialize, ntddk-rtlrunoncecomplete, ntddk-rtlrunonceexecuteonce.
 */
import { type Address, fromBits, hex } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { A, ANY, CODE, callback, functionsOf, OUT, POINTER, ULONG } from './record.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';

/** RTL_RUN_ONCE_CHECK_ONLY, _ASYNC, _INIT_FAILED. */
const Flag = { CHECK_ONLY: 1, ASYNC: 2, INIT_FAILED: 4 } as const;
const State = { BEFORE: 0n, BUSY: 1n, DONE: 2n, BUSY_ASYNC: 3n } as const;
const STATE = 3n;

export const RTL_RUN_ONCE_INIT_FN = callback({
  name: 'RunOnceInitialization',
  page: 'nc-ntddk-rtl_run_once_init_fn',
  params: { RunOnce: POINTER, Parameter: POINTER, Context: POINTER },
  returns: 'u32',
  irql: A,
});

interface Began {
  readonly status: number;
  readonly context: Address;
}

/** Where another caller initializes, waits until that one is through. */
function* begin({ memory }: Kernel, once: Address, flags: number): Coroutine<Began> {
  const asynchronous = (flags & Flag.ASYNC) !== 0;
  for (;;) {
    const value = memory.readU64(once);
    const state = value & STATE;
    const context = fromBits(value & ~STATE);
    if (state === State.DONE) return { status: Status.SUCCESS, context };
    if ((flags & Flag.CHECK_ONLY) !== 0) return { status: Status.UNSUCCESSFUL, context };
    if (state === State.BEFORE) {
      memory.writeU64(once, asynchronous ? State.BUSY_ASYNC : State.BUSY);
      return { status: Status.PENDING, context };
    }
    if (asynchronous !== (state === State.BUSY_ASYNC)) return { status: Status.INVALID_PARAMETER, context };
    if (asynchronous) return { status: Status.PENDING, context };
    const bytes = memory.raw(once, 8);
    const ready = () => ((bytes[0] as number) & 3) !== Number(State.BUSY);
    yield { kind: 'wait', what: `the one-time initialization at ${hex(once)}`, ready };
  }
}

function complete({ memory }: Kernel, once: Address, flags: number, context: Address): number {
  const state = memory.readU64(once) & STATE;
  const asynchronous = (flags & Flag.ASYNC) !== 0;
  if (state === State.DONE && asynchronous) return Status.OBJECT_NAME_COLLISION;
  if (state !== (asynchronous ? State.BUSY_ASYNC : State.BUSY)) return Status.UNSUCCESSFUL;
  const failed = (flags & Flag.INIT_FAILED) !== 0;
  memory.writeU64(once, failed ? State.BEFORE : (BigInt.asUintN(64, BigInt(context)) & ~STATE) | State.DONE);
  return Status.SUCCESS;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;

export const runOnceFunctions = {
  RtlRunOnceInitialize: f({
    ...common,
    page: 'ntddk-rtlrunonceinitialize',
    params: { RunOnce: POINTER },
    returns: 'void',
    irql: ANY,
    body({ memory }, { RunOnce }) {
      memory.writeU64(RunOnce, 0n);
      return undefined;
    },
  }),
  RtlRunOnceBeginInitialize: f({
    ...common,
    page: 'ntddk-rtlrunoncebegininitialize',
    params: { RunOnce: POINTER, Flags: ULONG, Context: OUT(pointer) },
    returns: 'status',
    irql: A,
    *body(kernel, { RunOnce, Flags, Context }) {
      const { status, context } = yield* begin(kernel, RunOnce, Flags);
      if (status === Status.SUCCESS && Context.present) Context.set(context);
      return status;
    },
  }),
  RtlRunOnceComplete: f({
    ...common,
    page: 'ntddk-rtlrunoncecomplete',
    params: { RunOnce: POINTER, Flags: ULONG, Context: POINTER },
    returns: 'status',
    irql: A,
    body: (kernel, { RunOnce, Flags, Context }) => complete(kernel, RunOnce, Flags, Context),
  }),
  RtlRunOnceExecuteOnce: f({
    ...common,
    page: 'ntddk-rtlrunonceexecuteonce',
    params: { RunOnce: POINTER, InitFn: CODE, Parameter: POINTER, Context: OUT(pointer) },
    returns: 'status',
    irql: A,
    *body(kernel, { RunOnce, InitFn, Parameter, Context }) {
      const { heap, invoker, memory } = kernel;
      const { status, context } = yield* begin(kernel, RunOnce, 0);
      if (status !== Status.PENDING) {
        if (status === Status.SUCCESS && Context.present) Context.set(context);
        return status;
      }
      const cell = heap.allocate(8, 'context of a one-time initialization', { fill: 0 });
      const done = yield* invoker.invoke(RTL_RUN_ONCE_INIT_FN, InitFn, { RunOnce, Parameter, Context: cell });
      const made = memory.readPointer(cell);
      heap.free(cell);
      complete(kernel, RunOnce, done === 0 ? Flag.INIT_FAILED : 0, made);
      if (done === 0) return Status.UNSUCCESSFUL;
      if (Context.present) Context.set(made);
      return Status.SUCCESS;
    },
  }),
};
