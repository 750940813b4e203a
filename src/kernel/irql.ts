/**
 * Raising and lowering the IRQL; running with a device's interrupts held off. Lowering lets what waits in at the next step.
 * Pages: wdm-keraiseirql, wdm-kelowerirql, wdm-kesynchronizeexecution and their neighbours.
 */
import { type Address, DISPATCH_LEVEL, HIGH_LEVEL, hex, type Irql, irqlName } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { u8 } from './layout.ts';
import { ANY, CODE, callback, D, functionsOf, OUT, POINTER, UCHAR, UP_TO_DIRQL } from './record.ts';
import type { Coroutine, Scheduler } from './scheduler.ts';
import type { SpinLocks } from './spin-locks.ts';
import { BugCheck, Unsupported } from './stops.ts';

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';
const IRQL_NOT_GREATER_OR_EQUAL = 0x09;
const IRQL_NOT_LESS_OR_EQUAL = 0x0a;

function raise({ scheduler, trace }: Kernel, to: number): Irql {
  const from = scheduler.irql;
  if (to < from || to > HIGH_LEVEL) {
    trace.emit({ kind: 'fact', what: 'irql-raised-downwards', detail: { from, to } });
    throw new BugCheck(IRQL_NOT_GREATER_OR_EQUAL, `KeRaiseIrql to ${irqlName(to)} at ${irqlName(from)}`);
  }
  return scheduler.setIrql(to as Irql);
}

function lower({ scheduler, trace }: Kernel, to: number): undefined {
  const from = scheduler.irql;
  if (to > from) {
    trace.emit({ kind: 'fact', what: 'irql-lowered-upwards', detail: { from, to } });
    throw new BugCheck(IRQL_NOT_LESS_OR_EQUAL, `KeLowerIrql to ${irqlName(to)} at ${irqlName(from)}`);
  }
  scheduler.setIrql(to as Irql);
  return undefined;
}

/** Connected interrupt objects: the level and the lock their ISRs run with. */
export class InterruptObjects {
  private readonly scheduler: Scheduler;
  private readonly spinLocks: SpinLocks;
  private readonly known = new Map<Address, { irql: Irql; lock: Address }>();

  constructor(parts: { scheduler: Scheduler; spinLocks: SpinLocks }) {
    this.scheduler = parts.scheduler;
    this.spinLocks = parts.spinLocks;
  }

  add(interrupt: Address, irql: Irql, lock: Address): void {
    this.known.set(interrupt, { irql, lock });
  }

  remove(interrupt: Address): void {
    this.known.delete(interrupt);
  }

  has(interrupt: Address): boolean {
    return this.known.has(interrupt);
  }

  /** Runs the body as the ISR runs: at its level, with its lock. */
  *synchronize<T>(interrupt: Address, body: () => Coroutine<T>): Coroutine<T> {
    const { irql, lock } = this.known.get(interrupt) as { irql: Irql; lock: Address };
    const old = this.scheduler.irql;
    if (irql > old) this.scheduler.setIrql(irql);
    yield* this.spinLocks.take(lock);
    const result = yield* body();
    this.spinLocks.release(lock);
    this.scheduler.setIrql(old);
    return result;
  }
}

export const SYNCHRONIZE_ROUTINE = callback({
  name: 'SynchCritSection',
  page: 'wdm-ksynchronize_routine',
  params: { SynchronizeContext: POINTER },
  returns: 'bool',
  irql: UP_TO_DIRQL,
});

export const irqlFunctions = {
  KeGetCurrentIrql: f({
    module,
    page: 'wdm-kegetcurrentirql',
    params: {},
    returns: 'u8',
    irql: ANY,
    body: ({ scheduler }) => scheduler.irql,
  }),
  KeRaiseIrql: f({
    module,
    page: 'wdm-keraiseirql',
    params: { NewIrql: UCHAR, OldIrql: OUT(u8) },
    returns: 'void',
    irql: ANY,
    body(kernel, { NewIrql, OldIrql }) {
      OldIrql.set(raise(kernel, NewIrql));
      return undefined;
    },
  }),
  KfRaiseIrql: f({
    module,
    page: 'wdm-keraiseirql',
    params: { NewIrql: UCHAR },
    returns: 'u8',
    irql: ANY,
    body: (kernel, { NewIrql }) => raise(kernel, NewIrql),
  }),
  KeRaiseIrqlToDpcLevel: f({
    module,
    page: 'ntddk-keraiseirqltodpclevel',
    params: {},
    returns: 'u8',
    irql: D,
    body: (kernel) => raise(kernel, DISPATCH_LEVEL),
  }),
  KeLowerIrql: f({
    module,
    page: 'wdm-kelowerirql',
    params: { NewIrql: UCHAR },
    returns: 'void',
    irql: ANY,
    body: (kernel, { NewIrql }) => lower(kernel, NewIrql),
  }),
  KfLowerIrql: f({
    module,
    page: 'wdm-kelowerirql',
    params: { NewIrql: UCHAR },
    returns: 'void',
    irql: ANY,
    body: (kernel, { NewIrql }) => lower(kernel, NewIrql),
  }),
  KeSynchronizeExecution: f({
    module,
    page: 'wdm-kesynchronizeexecution',
    params: { Interrupt: POINTER, SynchronizeRoutine: CODE, SynchronizeContext: POINTER },
    returns: 'bool',
    irql: UP_TO_DIRQL,
    *body(kernel, { Interrupt, SynchronizeRoutine, SynchronizeContext }, { fn }) {
      const { interruptObjects, invoker } = kernel;
      if (!interruptObjects.has(Interrupt)) {
        throw new Unsupported(fn, `no connected interrupt at ${hex(Interrupt)}`, kernel.stack());
      }
      return yield* interruptObjects.synchronize(Interrupt, () =>
        invoker.invoke(SYNCHRONIZE_ROUTINE, SynchronizeRoutine, { SynchronizeContext }),
      );
    },
  }),
};
