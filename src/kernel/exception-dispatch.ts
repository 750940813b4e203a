/**
 * Structured exception handling as RtlDispatchException and RtlUnwindEx do it: first a search outwards through all frames for a
 * handler that takes the exception, while everything is still in place; then, when one does, a second walk that runs what must
 * run on the way out, and control goes on in the handler's function. Language handlers are the driver's: they are called by
 * address, with the structures they expect on the guest's stack.
 * After Microsoft's "x64 exception handling" (https://learn.microsoft.com/cpp/build/exception-handling-x64); nested exceptions
 * and collided unwinds as Windows treats them (observed).
 */
import { type Address, at, fromBits, hex, NULL, toBits } from '../trace/units.ts';
import { Register, type Registers } from '../x64/cpu.ts';
import { type Activation, activationsOf, type FramePosition, type Handling, Landing } from './activation.ts';
import {
  areaBelow,
  DISPATCHER_CONTEXT,
  Disposition,
  EXCEPTION_RECORD,
  type ExceptionArea,
  type ExceptionData,
  ExceptionFlag,
  readContext,
  setContextRax,
  updateContext,
  writeContext,
  writeRecord,
} from './exception-structures.ts';
import { RaisedStatus } from './raised-status.ts';
import type { Context, Coroutine } from './scheduler.ts';
import { type GuestFrame, type StackParts, StackWalk } from './stacks.ts';

/** How the dispatcher runs guest code. */
export interface GuestCalls {
  /** The CPU's registers, with the context's values in them. */
  registers(context: Context): Registers;
  call(routine: Address, args: readonly bigint[], handling?: Handling): Coroutine<bigint>;
}

const NONCONTINUABLE_EXCEPTION = 0xc0000025;
const INVALID_DISPOSITION = 0xc0000026;
const UNWIND = 0xc0000027;
const BAD_STACK = 0xc0000028;
const INVALID_UNWIND_TARGET = 0xc0000029;

/** What an unwind is for. */
export interface UnwindTarget {
  /** The establisher frame control goes on in. */
  readonly frame: Address;
  readonly ip: Address;
  /** The EXCEPTION_RECORD handlers are shown; NULL: one is made up. */
  readonly record: Address;
  /** RAX at the target. */
  readonly value: bigint;
  readonly historyTable: Address;
}

export class ExceptionDispatcher {
  private readonly parts: StackParts;
  private readonly guest: GuestCalls;

  constructor(parts: StackParts, guest: GuestCalls) {
    this.parts = parts;
    this.guest = guest;
  }

  /**
   * Looks for a handler of an exception in a routine. Returns true when a filter said to continue: the CPU's registers are what
   * the CONTEXT then said. Returns false when no one takes it. A handler that does take it ends in a `Landing`.
   * @param record the driver's own EXCEPTION_RECORD, of RtlRaiseException; else `data` is written into one
   */
  *dispatch(activation: Activation, data: ExceptionData, record?: Address, rsp?: bigint): Coroutine<boolean> {
    const { memory } = this.parts;
    const area = areaBelow(rsp ?? (activation.gpr[Register.RSP] as bigint));
    const shown = record ?? area.record;
    if (record === undefined) writeRecord(memory, area.record, data);
    writeContext(memory, area.context, activation);
    writeContext(memory, area.unwound, activation);
    this.guest.registers(activation.context).gpr[Register.RSP] = toBits(area.start);

    const walk = new StackWalk(this.parts, activation);
    let flags = data.flags & ExceptionFlag.NONCONTINUABLE;
    let scopeIndex = 0;
    let nestedFrame: Address | undefined;
    for (;;) {
      const step = walk.step();
      if (step === undefined || step.kind === 'damaged') return false;
      if (step.kind === 'boundary') {
        const { handling } = step.activation;
        if (handling?.phase === 'search') {
          flags |= ExceptionFlag.NESTED_CALL;
          if (nestedFrame === undefined || handling.establisher > nestedFrame) nestedFrame = handling.establisher;
        } else if (handling?.phase === 'unwind') scopeIndex = this.collide(walk, handling);
        continue;
      }
      if (step.kind !== 'guest') continue;
      if (step.handler?.exception) {
        EXCEPTION_RECORD.at(memory, shown).ExceptionFlags = flags;
        updateContext(memory, area.unwound, step.unwound);
        this.writeDispatcher(area, step, { context: area.unwound, targetIp: NULL, scopeIndex, historyTable: NULL });
        const disposition = yield* this.callHandler(step, 'search', shown, area);
        flags |= EXCEPTION_RECORD.at(memory, shown).ExceptionFlags & ExceptionFlag.NONCONTINUABLE;
        if (disposition === Disposition.ContinueExecution && (flags & ExceptionFlag.NONCONTINUABLE) === 0) {
          this.restore(activation.context, area.context);
          return true;
        }
        if (disposition !== Disposition.ContinueSearch) {
          const code = disposition === Disposition.ContinueExecution ? NONCONTINUABLE_EXCEPTION : INVALID_DISPOSITION;
          const next = {
            code,
            flags: ExceptionFlag.NONCONTINUABLE,
            address: data.address,
            parameters: [],
            chained: shown,
          };
          return yield* this.dispatch(activation, next, undefined, toBits(area.start));
        }
      }
      scopeIndex = 0;
      if (step.establisher === nestedFrame) {
        flags &= ~ExceptionFlag.NESTED_CALL;
        nestedFrame = undefined;
      }
    }
  }

  /**
   * Leaves all frames up to the target's, running their termination handlers, and goes on there. Never returns: ends in a
   * `Landing`, or raises when there is no such frame.
   */
  *unwind(context: Context, target: UnwindTarget): Coroutine<never> {
    const { memory } = this.parts;
    const caller = activationsOf(context).at(-1) as Activation;
    const area = areaBelow(caller.gpr[Register.RSP] as bigint);
    const shown = target.record === NULL ? area.record : target.record;
    if (target.record === NULL) {
      writeRecord(memory, area.record, { code: UNWIND, flags: 0, address: caller.rip, parameters: [] });
    }
    writeContext(memory, area.context, caller);
    this.guest.registers(context).gpr[Register.RSP] = toBits(area.start);

    const walk = new StackWalk(this.parts, caller);
    const base = ExceptionFlag.UNWINDING | (target.frame === NULL ? ExceptionFlag.EXIT_UNWIND : 0);
    let flags = base;
    let scopeIndex = 0;
    for (;;) {
      const step = walk.step();
      if (step === undefined) throw new RaisedStatus(INVALID_UNWIND_TARGET, 'RtlUnwindEx');
      if (step.kind === 'damaged') throw new RaisedStatus(BAD_STACK, 'RtlUnwindEx');
      if (step.kind === 'boundary') {
        if (step.activation.handling?.phase !== 'unwind') continue;
        scopeIndex = this.collide(walk, step.activation.handling);
        flags |= ExceptionFlag.COLLIDED_UNWIND;
        continue;
      }
      if (step.kind !== 'guest') continue;
      const arrived = step.establisher === target.frame;
      if (!arrived && target.frame !== NULL && step.establisher > target.frame) {
        throw new RaisedStatus(INVALID_UNWIND_TARGET, 'RtlUnwindEx');
      }
      if (step.handler?.termination) {
        if (arrived) flags |= ExceptionFlag.TARGET_UNWIND;
        const record = EXCEPTION_RECORD.at(memory, shown);
        record.ExceptionFlags = (record.ExceptionFlags & ExceptionFlag.NONCONTINUABLE) | flags;
        updateContext(memory, area.context, step.position);
        setContextRax(memory, area.context, target.value);
        const { ip: targetIp, historyTable } = target;
        this.writeDispatcher(area, step, { context: area.context, targetIp, scopeIndex, historyTable });
        const disposition = yield* this.callHandler(step, 'unwind', shown, area);
        if (disposition !== Disposition.ContinueSearch) throw new RaisedStatus(INVALID_DISPOSITION, 'RtlUnwindEx');
      }
      if (arrived) throw new Landing(landingAt(step.position, target));
      flags = base;
      scopeIndex = 0;
    }
  }

  /**
   * A handler that runs because of an earlier unwind is passed: that unwind is over, and this walk goes on where it had come
   * to, behind the scopes it had done.
   */
  private collide(walk: StackWalk, handling: Handling): number {
    walk.moveTo(handling.frame);
    return DISPATCHER_CONTEXT.at(this.parts.memory, handling.dispatcher).ScopeIndex;
  }

  private *callHandler(
    frame: GuestFrame,
    phase: Handling['phase'],
    record: Address,
    area: ExceptionArea,
  ): Coroutine<number> {
    const { establisher, position, module, handler } = frame;
    const routine = at(module.base, (handler as NonNullable<typeof handler>).rva);
    const args = [record, establisher, area.context, area.dispatcher].map(toBits);
    const handling: Handling = { phase, dispatcher: area.dispatcher, frame: position, establisher };
    return Number(BigInt.asIntN(32, yield* this.guest.call(routine, args, handling)));
  }

  private writeDispatcher(
    area: ExceptionArea,
    frame: GuestFrame,
    rest: { context: Address; targetIp: Address; scopeIndex: number; historyTable: Address },
  ): void {
    const { module, position, entry, establisher, handler } = frame;
    DISPATCHER_CONTEXT.write(this.parts.memory, area.dispatcher, {
      ControlPc: position.rip,
      ImageBase: module.base,
      FunctionEntry: entry === undefined ? NULL : this.parts.modules.functionEntry(module, entry),
      EstablisherFrame: establisher,
      TargetIp: rest.targetIp,
      ContextRecord: rest.context,
      LanguageHandler: at(module.base, handler?.rva ?? 0),
      HandlerData: at(module.base, handler?.dataRva ?? 0),
      HistoryTable: rest.historyTable,
      ScopeIndex: rest.scopeIndex,
      Fill0: 0,
    });
  }

  /** Goes on with the registers of a CONTEXT, as a filter left it. */
  private restore(context: Context, address: Address): void {
    const wanted = readContext(this.parts.memory, address);
    const registers = this.guest.registers(context);
    registers.gpr.set(wanted.gpr);
    registers.xmm.set(wanted.xmm);
    registers.rflags = wanted.rflags;
    registers.mxcsr = wanted.mxcsr;
    registers.rip = wanted.rip;
  }
}

function landingAt(position: FramePosition, target: UnwindTarget): FramePosition {
  const gpr = position.gpr.slice();
  gpr[Register.RAX] = target.value;
  return { activation: position.activation, gpr, xmm: position.xmm, rip: target.ip };
}

/** Where a call in progress returns to, for functions that report their caller. */
export function returnAddressOf(parts: StackParts, activation: Activation): Address {
  return fromBits(parts.memory.readU64(fromBits(activation.gpr[Register.RSP] as bigint)));
}

/** `nic.sys+0x1234`, or the address. */
export function placeName(parts: StackParts, address: Address): string {
  const { module, offset, name } = parts.modules.frame(address);
  return name ?? (module === '?' ? hex(address) : `${module}+0x${offset.toString(16)}`);
}
