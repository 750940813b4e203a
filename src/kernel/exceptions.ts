/**
 * What happens when guest code, or a kernel function on its behalf, meets something exceptional: exceptions a driver may handle
 * go to its handlers, everything else is what Windows would bugcheck for. Also the call stacks, by the same unwind data.
 */
import type { FaultEvent, Frame, Stack, Value } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, hex, NULL } from '../trace/units.ts';
import { type Exit, Register } from '../x64/cpu.ts';
import { type GuestMemory, MemoryFault, Shadow } from '../x64/memory.ts';
import { type Activation, emptyRegisters } from './activation.ts';
import { ExceptionDispatcher, type GuestCalls, placeName, returnAddressOf } from './exception-dispatch.ts';
import type { ExceptionData } from './exception-structures.ts';
import {
  accessViolation,
  BugCheckCode,
  describeAccess,
  exceptionName,
  FASTFAIL_VECTOR,
  fastFailReason,
  fatalAccess,
  processorException,
  type RefusedAccess,
  statusException,
  whyRefused,
} from './faults.ts';
import type { ExceptionHandling } from './guest.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { Modules } from './modules.ts';
import { RaisedRecord, RaisedStatus } from './raised-status.ts';
import type { Coroutine, Scheduler } from './scheduler.ts';
import { framesOf } from './stacks.ts';
import { BugCheck, InternalError, Unsupported } from './stops.ts';

/** What interrupts guest code, or the body of a function it called. */
export type Cause = Exit | MemoryFault | RaisedStatus;

/** Whose code did it; `kernel` on the driver's behalf, when a function it called is on top of the stack. */
type Culprit = 'driver' | 'kernel';

function named(by: Culprit, stack: Stack): string {
  if (by === 'driver') return 'the driver';
  const name = stack[0]?.name;
  return name === undefined ? 'the kernel' : `${name}, called by the driver,`;
}

export class Exceptions implements ExceptionHandling {
  readonly memory: GuestMemory;
  readonly code: HostCode;
  readonly modules: Modules;
  private readonly heap: Heap;
  private readonly trace: Recorder;
  private readonly scheduler: Scheduler;
  /** Where call stacks are unwound. */
  private readonly scratch = emptyRegisters(NULL);
  private calls: GuestCalls | undefined;
  private dispatching: ExceptionDispatcher | undefined;

  constructor(parts: {
    memory: GuestMemory;
    heap: Heap;
    code: HostCode;
    trace: Recorder;
    modules: Modules;
    scheduler: Scheduler;
  }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.code = parts.code;
    this.trace = parts.trace;
    this.modules = parts.modules;
    this.scheduler = parts.scheduler;
  }

  /** Gives the means to run handlers and filters; set once the guest can run. */
  connect(guest: GuestCalls): void {
    this.calls = guest;
    this.dispatching = new ExceptionDispatcher(this, guest);
  }

  get guest(): GuestCalls {
    if (this.calls === undefined) throw new InternalError('exceptions-early', 'no guest to run handlers yet');
    return this.calls;
  }

  /** Finds and runs handlers; see `ExceptionDispatcher`. */
  get dispatcher(): ExceptionDispatcher {
    if (this.dispatching === undefined) throw new InternalError('exceptions-early', 'no guest to run handlers yet');
    return this.dispatching;
  }

  *raise(activation: Activation, cause: Cause): Coroutine<void> {
    const registers = this.guest.registers(activation.context);
    activation.xmm.set(registers.xmm);
    activation.rflags = registers.rflags;
    activation.mxcsr = registers.mxcsr;
    const stack = this.unwind(activation);
    const data = this.exceptionOf(activation, cause, stack);
    this.note('exception-raised', data, stack);
    if (cause instanceof RaisedStatus) this.leaveCall(activation);
    else if (!(cause instanceof Error) && cause.kind === 'exception' && cause.vector === 3)
      activation.rip = data.address;
    const record = cause instanceof RaisedRecord ? cause.record : undefined;
    let continued: boolean;
    try {
      continued = yield* this.dispatcher.dispatch(activation, data, record);
    } catch (error) {
      // The structures of an exception go on the stack; where there is none, the processor faults twice.
      if (!(error instanceof MemoryFault)) throw error;
      throw this.doubleFault(activation, error, stack);
    }
    if (!continued) throw this.unhandled(cause, data, stack, cause instanceof Error ? 'kernel' : 'driver');
  }

  /** A raised exception happens in the caller, behind its call: a filter that continues goes on there. */
  private leaveCall(activation: Activation): void {
    activation.rip = returnAddressOf(this, activation);
    activation.gpr[Register.RSP] = (activation.gpr[Register.RSP] as bigint) + 8n;
  }

  /** The exception a driver may handle. Throws for everything else. */
  private exceptionOf(activation: Activation, cause: Cause, stack: Stack): ExceptionData {
    if (cause instanceof RaisedRecord) return cause.data;
    if (cause instanceof RaisedStatus) return statusException(cause.status, returnAddressOf(this, activation));
    if (cause instanceof MemoryFault || cause.kind === 'fault') {
      this.checkMissingVariable(cause, stack);
      const exception = accessViolation(cause, this.scheduler.irql, activation.rip);
      if (exception !== undefined) return exception;
      throw this.fatal(cause, stack, cause instanceof MemoryFault ? 'kernel' : 'driver');
    }
    if (cause.kind !== 'exception') throw new InternalError('not-an-exception', `${cause.kind} is no exception`);
    const exception = processorException(cause.vector, activation.rip);
    if (exception !== undefined) return exception;
    throw this.fatalVector(activation, cause.vector, stack);
  }

  /** A variable haltex lacks has an address without memory: that is not the driver's fault. */
  private checkMissingVariable({ access, address }: RefusedAccess, stack: Stack): void {
    if (access === 'execute' || !this.code.holds(address)) return;
    const entry = this.code.near(address);
    if (entry === undefined) return;
    const what =
      entry.kind === 'missing'
        ? `the driver ${access}s the variable ${entry.name} of ${entry.module}, which haltex does not provide`
        : `the driver ${access}s the code of ${entry.name}, which haltex has only by name`;
    throw new Unsupported(entry.name, what, stack);
  }

  /** A routine of a driver in TypeScript runs, or goes on, though the driver has been unloaded: as `fatal` for an image. */
  afterUnload(name: string, address: Address, stack: Stack): BugCheck {
    this.trace.emit({
      kind: 'fact',
      what: 'code-after-unload',
      detail: { module: name, address: hex(address) },
      stack,
    });
    const block = { what: `image of ${name}`, address, size: 1, offset: 0, state: 'freed', allocated: [] } as const;
    this.trace.emit({ kind: 'fault', by: 'driver', access: 'execute', address, size: 1, why: 'freed', block, stack });
    const code = BugCheckCode.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS;
    return new BugCheck(code, `code of ${name} runs after the driver was unloaded`, stack);
  }

  /** An access that Windows stops for: the event, and the stop. */
  private fatal(fault: RefusedAccess, stack: Stack, by: Culprit): BugCheck {
    const gone = fault.access === 'execute' ? this.modules.unloadedAt(fault.address) : undefined;
    if (gone !== undefined) {
      this.trace.emit({
        kind: 'fact',
        what: 'code-after-unload',
        detail: { module: gone.name, address: hex(fault.address), offset: fault.address - gone.base },
        stack,
      });
    }
    this.emitFault(fault, stack, by);
    if (gone !== undefined) {
      const code = BugCheckCode.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS;
      return new BugCheck(code, `code of ${gone.name} runs after the driver was unloaded`, stack);
    }
    const { code, reason } = fatalAccess(fault, this.scheduler.irql, by === 'kernel');
    return new BugCheck(code, `${named(by, stack)} ${describeAccess(fault)}, ${reason}`, stack);
  }

  private fatalVector(activation: Activation, vector: number, stack: Stack): BugCheck {
    if (vector === FASTFAIL_VECTOR) {
      const code = Number(BigInt.asUintN(32, activation.gpr[Register.RCX] as bigint));
      this.trace.emit({ kind: 'fact', what: 'fast-fail', detail: { code }, stack });
      return new BugCheck(
        BugCheckCode.KERNEL_SECURITY_CHECK_FAILURE,
        `the driver gives up by a fast fail: ${fastFailReason(code)}`,
        stack,
      );
    }
    this.trace.emit({ kind: 'fact', what: 'processor-trap', detail: { vector }, stack });
    return new BugCheck(
      BugCheckCode.UNEXPECTED_KERNEL_MODE_TRAP,
      `the driver causes processor trap ${vector}, which has no handler in Windows`,
      stack,
    );
  }

  private doubleFault(activation: Activation, fault: MemoryFault, stack: Stack): BugCheck {
    this.emitFault(fault, stack, 'driver');
    const why =
      fault.shadow === Shadow.StackGuard
        ? 'the kernel stack is used up while an exception is being handled'
        : `an exception happens while RSP, ${hex(activation.gpr[Register.RSP] as bigint)}, points to no stack`;
    return new BugCheck(BugCheckCode.UNEXPECTED_KERNEL_MODE_TRAP, `${why}, which is a double fault`, stack);
  }

  /** No handler took it. */
  private unhandled(cause: Cause, data: ExceptionData, stack: Stack, by: Culprit): BugCheck {
    const access =
      cause instanceof MemoryFault || (!(cause instanceof Error) && cause.kind === 'fault') ? cause : undefined;
    if (access !== undefined) this.emitFault(access, stack, by);
    else this.note('exception-unhandled', data, stack);
    // The root of a system thread asks for the first code, whoever else lets an exception out for the second.
    const code =
      this.scheduler.current.kind === 'thread'
        ? BugCheckCode.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED
        : BugCheckCode.KMODE_EXCEPTION_NOT_HANDLED;
    const does = access === undefined ? `raises ${exceptionName(data.code)}` : describeAccess(access);
    return new BugCheck(code, `${named(by, stack)} ${does}, and no exception handler takes it`, stack);
  }

  /**
   * A fault or a raised status that left TypeScript code which no guest routine called: a TypeScript miniport's outermost
   * routine, or the kernel's own threads (whoever runs the scheduler asks then). Gives the stop; any other error comes back.
   */
  outermost(error: unknown, by: Culprit, stack: Stack): unknown {
    if (error instanceof MemoryFault) {
      const data = accessViolation(error, this.scheduler.irql, NULL);
      return data === undefined ? this.fatal(error, stack, by) : this.unhandled(error, data, stack, by);
    }
    if (error instanceof RaisedStatus) return this.unhandled(error, statusException(error.status, NULL), stack, by);
    return error;
  }

  private emitFault(fault: RefusedAccess, stack: Stack, by: Culprit): void {
    const { access, address, size } = fault;
    const why: FaultEvent['why'] = whyRefused(fault);
    const block = this.modules.explain(address) ?? this.heap.explain(address);
    this.trace.emit({
      kind: 'fault',
      by,
      access,
      address,
      size,
      why,
      ...(block === undefined ? {} : { block }),
      stack,
    });
  }

  private note(what: string, data: ExceptionData, stack: Stack): void {
    const detail: Record<string, Value> = {
      code: hex(data.code),
      place: placeName(this, data.address),
      parameters: data.parameters.map(hex),
    };
    this.trace.emit({ kind: 'fact', what, detail, stack });
  }

  unwind(activation: Activation): Frame[] {
    return framesOf(this, activation, this.scratch);
  }

  place(address: Address): Frame {
    return this.modules.frame(address);
  }
}
