/**
 * Cancel-safe IRP queues: the driver's own queue and lock, with the races of cancelling taken care of by the I/O manager.
 * Who takes the cancel routine away owns the packet. DriverContext[3] leads from a packet to its queue or context.
 * Pages: wdm-iocsqinitialize, wdm-iocsqinsertirp, wdm-iocsqremovenextirp, wdm-iocsqremoveirp.
 */
import { type Address, at, type Irql, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { Invoker } from './invoke.ts';
import { IRP, StackControl } from './io-structures.ts';
import type { Irps } from './irps.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u32, type View } from './layout.ts';
import { ANY, CODE, callback, D, functionsOf, IN, INOPT, POINTER, UCHAR } from './record.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';

export const IO_CSQ = struct('IO_CSQ', {
  Type: u32,
  CsqInsertIrp: pointer,
  CsqRemoveIrp: pointer,
  CsqPeekNextIrp: pointer,
  CsqAcquireLock: pointer,
  CsqReleaseLock: pointer,
  CsqCompleteCanceledIrp: pointer,
  ReservePointer: pointer,
});
export const IO_CSQ_IRP_CONTEXT = struct('IO_CSQ_IRP_CONTEXT', { Type: u32, Irp: pointer, Csq: pointer });
type Csq = View<typeof IO_CSQ.fields>;
type IrpContext = View<typeof IO_CSQ_IRP_CONTEXT.fields>;

const Type = { context: 1, queue: 2, queueEx: 3 } as const;
/** DriverContext[3]. */
const LINK = IRP.offset('DriverContext') + 24;

const atDispatch = { irql: D } as const;
const INSERT = callback({
  ...atDispatch,
  name: 'IO_CSQ_INSERT_IRP',
  page: 'wdm-io_csq_insert_irp',
  params: { Csq: POINTER, Irp: POINTER },
  returns: 'void',
});
const INSERT_EX = callback({
  ...atDispatch,
  name: 'IO_CSQ_INSERT_IRP_EX',
  page: 'wdm-io_csq_insert_irp_ex',
  params: { Csq: POINTER, Irp: POINTER, InsertContext: POINTER },
  returns: 'status',
});
const REMOVE = callback({
  ...atDispatch,
  name: 'IO_CSQ_REMOVE_IRP',
  page: 'wdm-io_csq_remove_irp',
  params: { Csq: POINTER, Irp: POINTER },
  returns: 'void',
});
const PEEK = callback({
  ...atDispatch,
  name: 'IO_CSQ_PEEK_NEXT_IRP',
  page: 'wdm-io_csq_peek_next_irp',
  params: { Csq: POINTER, Irp: POINTER, PeekContext: POINTER },
  returns: 'pointer',
});
const ACQUIRE = callback({
  name: 'IO_CSQ_ACQUIRE_LOCK',
  page: 'wdm-io_csq_acquire_lock',
  params: { Csq: POINTER, Irql: POINTER },
  returns: 'void',
  irql: D,
  changesIrql: true,
});
const RELEASE = callback({
  name: 'IO_CSQ_RELEASE_LOCK',
  page: 'wdm-io_csq_release_lock',
  params: { Csq: POINTER, Irql: UCHAR },
  returns: 'void',
  irql: D,
  changesIrql: true,
});
const COMPLETE = callback({
  ...atDispatch,
  name: 'IO_CSQ_COMPLETE_CANCELED_IRP',
  page: 'wdm-io_csq_complete_canceled_irp',
  params: { Csq: POINTER, Irp: POINTER },
  returns: 'void',
});

export class CancelSafeQueues {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly irps: Irps;
  private readonly invoker: () => Invoker;
  private readonly cancelRoutine: Address;

  constructor(parts: { memory: GuestMemory; heap: Heap; code: HostCode; irps: Irps; invoker: () => Invoker }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.irps = parts.irps;
    this.invoker = parts.invoker;
    this.cancelRoutine = parts.code.expose(({ Irp }: { Irp: Address }) => this.canceled(Irp));
  }

  *insert(csq: Csq, irp: Address, context: IrpContext | undefined, insertContext: Address): Coroutine<number> {
    const packet = this.irps.at(irp);
    if (context !== undefined) {
      IO_CSQ_IRP_CONTEXT.write(this.memory, context.address, { Type: Type.context, Irp: irp, Csq: csq.address });
    }
    const old = yield* this.lock(csq);
    this.memory.writePointer(at(irp, LINK), context?.address ?? csq.address);
    this.irps.current(packet).Control |= StackControl.PENDING_RETURNED;
    let status: number = Status.SUCCESS;
    const named = { Csq: csq.address, Irp: irp };
    if (csq.Type === Type.queueEx) {
      const args = { ...named, InsertContext: insertContext };
      status = yield* this.invoker().invoke(INSERT_EX, csq.CsqInsertIrp, args);
    } else yield* this.invoker().invoke(INSERT, csq.CsqInsertIrp, named);
    if (status >= 0x8000_0000) {
      this.unlink(irp, context);
      yield* this.unlock(csq, old);
      return status;
    }
    packet.CancelRoutine = this.cancelRoutine;
    if (packet.Cancel && this.take(irp)) {
      // Cancelled before it had a cancel routine: nobody else will complete it.
      this.unlink(irp, context);
      yield* this.invoker().invoke(REMOVE, csq.CsqRemoveIrp, named);
      yield* this.unlock(csq, old);
      yield* this.invoker().invoke(COMPLETE, csq.CsqCompleteCanceledIrp, named);
      return status;
    }
    yield* this.unlock(csq, old);
    return status;
  }

  *removeNext(csq: Csq, peekContext: Address): Coroutine<Address> {
    const old = yield* this.lock(csq);
    let irp = NULL;
    while (true) {
      const args = { Csq: csq.address, Irp: irp, PeekContext: peekContext };
      irp = yield* this.invoker().invoke(PEEK, csq.CsqPeekNextIrp, args);
      if (irp === NULL || this.take(irp)) break;
    }
    if (irp !== NULL) {
      yield* this.invoker().invoke(REMOVE, csq.CsqRemoveIrp, { Csq: csq.address, Irp: irp });
      this.unlink(irp, this.contextOf(irp));
    }
    yield* this.unlock(csq, old);
    return irp;
  }

  *remove(csq: Csq, context: IrpContext): Coroutine<Address> {
    const old = yield* this.lock(csq);
    const irp = context.Irp;
    const ours = irp !== NULL && this.take(irp);
    if (ours) {
      yield* this.invoker().invoke(REMOVE, csq.CsqRemoveIrp, { Csq: csq.address, Irp: irp });
      this.unlink(irp, context);
    }
    yield* this.unlock(csq, old);
    return ours ? irp : NULL;
  }

  /** The cancel routine of every packet in such a queue; called with the cancel spin lock held. */
  private *canceled(irp: Address): Coroutine<void> {
    this.irps.releaseCancelLock(this.irps.at(irp).CancelIrql as Irql);
    const context = this.contextOf(irp);
    const csq = IO_CSQ.at(this.memory, context?.Csq ?? this.memory.readPointer(at(irp, LINK)));
    const old = yield* this.lock(csq);
    this.unlink(irp, context);
    yield* this.invoker().invoke(REMOVE, csq.CsqRemoveIrp, { Csq: csq.address, Irp: irp });
    yield* this.unlock(csq, old);
    yield* this.invoker().invoke(COMPLETE, csq.CsqCompleteCanceledIrp, { Csq: csq.address, Irp: irp });
  }

  private contextOf(irp: Address): IrpContext | undefined {
    const link = this.memory.readPointer(at(irp, LINK));
    const isContext = link !== NULL && this.memory.readU32(link) === Type.context;
    return isContext ? IO_CSQ_IRP_CONTEXT.at(this.memory, link) : undefined;
  }

  /** Takes the cancel routine away; false when cancelling has done so before. */
  private take(irp: Address): boolean {
    const packet = this.irps.at(irp);
    const had = packet.CancelRoutine !== NULL;
    packet.CancelRoutine = NULL;
    return had;
  }

  private unlink(irp: Address, context: IrpContext | undefined): void {
    this.memory.writePointer(at(irp, LINK), NULL);
    if (context !== undefined) context.Irp = NULL;
  }

  private *lock(csq: Csq): Coroutine<number> {
    const cell = this.heap.allocate(1, 'IRQL of a cancel-safe queue', { fill: 0 });
    yield* this.invoker().invoke(ACQUIRE, csq.CsqAcquireLock, { Csq: csq.address, Irql: cell });
    const old = this.memory.readU8(cell);
    this.heap.free(cell);
    return old;
  }

  private *unlock(csq: Csq, old: number): Coroutine<void> {
    yield* this.invoker().invoke(RELEASE, csq.CsqReleaseLock, { Csq: csq.address, Irql: old });
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: D } as const;

const initializing = (page: string, type: number) =>
  f({
    ...common,
    page,
    params: {
      Csq: POINTER,
      CsqInsertIrp: CODE,
      CsqRemoveIrp: CODE,
      CsqPeekNextIrp: CODE,
      CsqAcquireLock: CODE,
      CsqReleaseLock: CODE,
      CsqCompleteCanceledIrp: CODE,
    },
    returns: 'status',
    irql: ANY,
    body({ memory }, { Csq: address, ...routines }) {
      IO_CSQ.write(memory, address, { Type: type, ...routines, ReservePointer: NULL });
      return Status.SUCCESS;
    },
  });

export const cancelSafeQueueFunctions = {
  IoCsqInitialize: initializing('wdm-iocsqinitialize', Type.queue),
  IoCsqInitializeEx: initializing('wdm-iocsqinitializeex', Type.queueEx),
  IoCsqInsertIrp: f({
    ...common,
    page: 'wdm-iocsqinsertirp',
    params: { Csq: IN(IO_CSQ), Irp: POINTER, Context: INOPT(IO_CSQ_IRP_CONTEXT) },
    returns: 'void',
    *body({ csqs }, { Csq: csq, Irp, Context }) {
      yield* csqs.insert(csq, Irp, Context, NULL);
      return undefined;
    },
  }),
  IoCsqInsertIrpEx: f({
    ...common,
    page: 'wdm-iocsqinsertirpex',
    params: { Csq: IN(IO_CSQ), Irp: POINTER, Context: INOPT(IO_CSQ_IRP_CONTEXT), InsertContext: POINTER },
    returns: 'status',
    body: ({ csqs }, { Csq: csq, Irp, Context, InsertContext }) => csqs.insert(csq, Irp, Context, InsertContext),
  }),
  IoCsqRemoveNextIrp: f({
    ...common,
    page: 'wdm-iocsqremovenextirp',
    params: { Csq: IN(IO_CSQ), PeekContext: POINTER },
    returns: 'pointer',
    body: ({ csqs }, { Csq: csq, PeekContext }) => csqs.removeNext(csq, PeekContext),
  }),
  IoCsqRemoveIrp: f({
    ...common,
    page: 'wdm-iocsqremoveirp',
    params: { Csq: IN(IO_CSQ), Context: IN(IO_CSQ_IRP_CONTEXT) },
    returns: 'pointer',
    body: ({ csqs }, { Csq: csq, Context }) => csqs.remove(csq, Context),
  }),
};
