/**
 * Runs guest routines as coroutines. The guest's stack is explicit: a routine that calls an imported function comes back here,
 * the function runs as TypeScript (and may wait, or call the driver back), and the routine goes on. Each context has its own
 * registers and kernel stack; the one CPU is handed from context to context between steps.
 */
import type { Frame } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, fromBits, hex, NULL, toBits } from '../trace/units.ts';
import { type Cpu, type Exit, Register, type Registers } from '../x64/cpu.ts';
import { type GuestMemory, MemoryFault, Shadow } from '../x64/memory.ts';
import {
  type Activation,
  activationsOf,
  emptyRegisters,
  enterActivation,
  type Handling,
  Landing,
  leaveActivation,
  type SavedRegisters,
} from './activation.ts';
import { encodeResult, type RawArguments } from './arguments.ts';
import type { Calls } from './calls.ts';
import { changedNonvolatiles } from './convention.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { ProcessorBlocks } from './processors.ts';
import { RaisedStatus } from './raised-status.ts';
import { type Context, type Coroutine, POINT, type Scheduler, SPINNING } from './scheduler.ts';
import { BugCheck, Hang, Unsupported } from './stops.ts';

/** A kernel thread's stack on x64 Windows (KERNEL_STACK_SIZE, observed: 6 pages). */
const STACK_SIZE = 0x6000;
/**
 * Instructions between two looks at the rest of the machine: interrupts, timers, budgets. Small enough that a device's
 * interrupt is late by tens of microseconds of virtual time at most, large enough that leaving translated code (about a
 * microsecond of host time) costs nothing beside running it. Imports and writes to CR8 end a slice early.
 */
export const SLICE = 50_000;
/** Guest instructions in 100 ns of virtual time: 1 ns each (assumed; only the order of things depends on it). */
const INSTRUCTIONS_PER_TICK = 100;
const DIRECTION_FLAG = 0x400;

/** Registers of a context that is not on the CPU, and its stack. */
interface Saved extends SavedRegisters {
  readonly stack: Address;
}

/** What a call of a routine needs beside its activation: the registers at the way in, for comparison. */
interface Room {
  readonly own: ReturnType<typeof emptyRegisters>;
  readonly before: SavedRegisters;
}

/** What happens when guest code, or a call it made, meets something exceptional. */
export interface ExceptionHandling {
  /** Returns when the CPU's registers say where the routine goes on; throws a `Landing` or a stop otherwise. */
  raise(activation: Activation, cause: Exit | MemoryFault | RaisedStatus): Coroutine<void>;
  /** The call stack inside a routine, innermost frame first. */
  unwind(activation: Activation): Frame[];
  /** The frame an address stands for. */
  place(address: Address): Frame;
}

export class GuestCode {
  private readonly cpu: Cpu;
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly code: HostCode;
  private readonly calls: Calls;
  private readonly exceptions: ExceptionHandling;
  private readonly advance: (ticks: number) => void;
  private readonly processors: ProcessorBlocks;
  private loaded: Context | undefined;
  private irqlLowered = false;
  /** Of contexts that have left guest code. */
  private readonly freeStacks: Saved[] = [];
  /** Room of routines that have returned: what lies outside V8's heap is dear to make and to collect. */
  private readonly spare: Room[] = [];

  constructor(parts: {
    cpu: Cpu;
    memory: GuestMemory;
    heap: Heap;
    scheduler: Scheduler;
    trace: Recorder;
    code: HostCode;
    calls: Calls;
    exceptions: ExceptionHandling;
    advance: (ticks: number) => void;
    processors: ProcessorBlocks;
  }) {
    this.cpu = parts.cpu;
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.code = parts.code;
    this.calls = parts.calls;
    this.exceptions = parts.exceptions;
    this.advance = parts.advance;
    this.processors = parts.processors;
  }

  /**
   * Calls a guest routine in the current context by the x64 Windows convention and gives RAX.
   * @param handling set for language handlers, so that an exception inside one knows what it interrupts
   */
  *call(routine: Address, args: readonly bigint[], handling?: Handling): Coroutine<bigint> {
    const context = this.scheduler.current;
    const registers = this.registers(context);
    activationsOf(context).at(-1)?.xmm.set(registers.xmm);
    const outerRsp = registers.gpr[Register.RSP] as bigint;
    const rsp = this.enter(registers, routine, args);
    const room = this.spare.pop() ?? { own: emptyRegisters(NULL), before: emptyRegisters(NULL) };
    const { own, before } = room;
    before.gpr.set(registers.gpr);
    before.xmm.set(registers.xmm);
    clear(own);
    const { rflags, mxcsr } = own;
    const activation: Activation = {
      context,
      routine,
      handling,
      gpr: own.gpr,
      halves: own.halves,
      xmm: own.xmm,
      rip: routine,
      rflags,
      mxcsr,
    };
    enterActivation(activation);
    // Asked for several times within one call of an import; the routine stands still meanwhile.
    let standing: Frame[] | undefined;
    let standingAt = NULL;
    context.frames.push(() => {
      if (standing === undefined || standingAt !== activation.rip) {
        standing = this.exceptions.unwind(activation);
        standingAt = activation.rip;
      }
      return standing;
    });
    try {
      while (true) {
        this.registers(context);
        const retired = this.cpu.retired;
        const exit = this.cpu.run(SLICE);
        this.account(this.cpu.retired - retired);
        activation.gpr.set(registers.gpr);
        activation.rip = registers.rip;
        standing = undefined;
        if (exit.kind === 'host' && exit.address === this.code.returnAddress) {
          this.checkReturn(activation, registers, before, rsp);
          registers.gpr[Register.RSP] = outerRsp;
          return registers.gpr[Register.RAX] as bigint;
        }
        try {
          if (exit.kind === 'host') yield* this.import_(activation, exit.address, registers);
          else yield* this.handle(activation, exit, registers);
        } catch (error) {
          if (!(error instanceof Landing) || error.target.activation !== activation) throw error;
          this.registers(context);
          registers.gpr.set(error.target.gpr);
          registers.xmm.set(error.target.xmm);
          registers.rip = error.target.rip;
        }
      }
    } finally {
      context.frames.pop();
      leaveActivation(activation);
      this.spare.push(room);
      if (activationsOf(context).length === 0) this.release(context);
    }
  }

  /** The IRQL went down by a write to CR8: what waited for that comes in at the next block edge. */
  lowered(): void {
    this.irqlLowered = true;
    this.cpu.stop();
  }

  private *handle(
    activation: Activation,
    exit: Exclude<Exit, { kind: 'host' }>,
    registers: Registers,
  ): Coroutine<void> {
    switch (exit.kind) {
      case 'budget':
        this.checkBudget(activation);
        yield this.irqlLowered ? POINT : SPINNING;
        this.irqlLowered = false;
        return;
      case 'unsupported': {
        const stack = this.exceptions.unwind(activation);
        const [top] = stack;
        const place = top === undefined ? hex(registers.rip) : `${top.module}+${hex(top.offset)}`;
        throw new Unsupported(
          exit.mnemonic,
          `the instruction ${exit.mnemonic} (${exit.bytes}) at ${place}, which haltex does not translate`,
          stack,
        );
      }
      default:
        yield* this.exceptions.raise(activation, exit);
    }
  }

  /** The guest called an imported function: RSP points to the return address. */
  private *import_(activation: Activation, address: Address, registers: Registers): Coroutine<void> {
    const entry = this.code.at(address);
    const { gpr } = activation;
    const rsp = fromBits(gpr[Register.RSP] as bigint);
    if (entry === undefined) {
      yield* this.exceptions.raise(activation, { kind: 'fault', access: 'execute', address, size: 1, shadow: 0 });
      return;
    }
    const raw = new GuestArguments(this.memory, activation, rsp);
    let bits: bigint;
    let returnTo: Address;
    try {
      returnTo = this.memory.readPointer(rsp);
      const result = yield* this.calls.perform(entry, raw, returnTo);
      bits = entry.kind === 'function' ? encodeResult(entry.record.returns, result as never) : 0n;
    } catch (error) {
      if (!(error instanceof MemoryFault || error instanceof RaisedStatus)) throw error;
      yield* this.exceptions.raise(activation, error);
      return;
    }
    this.registers(activation.context);
    registers.gpr[Register.RAX] = bits;
    registers.gpr[Register.RSP] = toBits(at(rsp, 8));
    registers.rip = returnTo;
  }

  /** Sets registers and stack up as the caller's `call` instruction would leave them; gives RSP as the return leaves it. */
  private enter(registers: Registers, routine: Address, args: readonly bigint[]): bigint {
    const { gpr } = registers;
    const slots = Math.max(4, args.length);
    const frame = fromBits(((gpr[Register.RSP] as bigint) - BigInt(8 * slots)) & ~15n);
    args.forEach((value, index) => {
      if (index < 4) gpr[ARGUMENTS[index] as number] = value;
      else this.memory.writeU64(at(frame, 8 * index), value);
    });
    this.memory.writePointer(at(frame, -8), this.code.returnAddress);
    gpr[Register.RSP] = toBits(at(frame, -8));
    registers.rip = routine;
    return toBits(frame);
  }

  /** What the calling convention promises to the caller, which a real one would rely on. */
  private checkReturn(
    activation: Activation,
    registers: Registers,
    before: { gpr: BigUint64Array; xmm: BigUint64Array },
    rsp: bigint,
  ): void {
    const stack = () => [this.exceptions.place(activation.routine)];
    const got = registers.gpr[Register.RSP] as bigint;
    if (got !== rsp) {
      const detail = { routine: hex(activation.routine), expected: hex(rsp), got: hex(got) };
      this.trace.emit({ kind: 'fact', what: 'stack-pointer-changed', detail, stack: stack() });
      const text = `a routine of the driver returns with RSP ${hex(got)} instead of ${hex(rsp)}: its stack is corrupted`;
      throw new BugCheck(DOUBLE_FAULT, text, stack());
    }
    const changed = changedNonvolatiles(before, registers);
    if ((registers.rflags & DIRECTION_FLAG) !== 0) changed.push('DF');
    if (changed.length === 0) return;
    const detail = { routine: hex(activation.routine), registers: changed.join(', ') };
    this.trace.emit({ kind: 'fact', what: 'nonvolatile-changed', detail, stack: stack() });
  }

  private account(instructions: number): void {
    this.scheduler.instructions += instructions;
    this.scheduler.longestStretch = Math.max(this.scheduler.longestStretch, instructions);
    this.advance(instructions / INSTRUCTIONS_PER_TICK);
  }

  /** The scheduler would stop the run as well, without knowing where the driver is. */
  private checkBudget(activation: Activation): void {
    const { instructions, limits, current } = this.scheduler;
    if (instructions <= limits.instructions) return;
    const what = current.callbacks.at(-1)?.name ?? current.name;
    throw new Hang(`${what} runs on without end, beyond the instruction budget`, this.exceptions.unwind(activation));
  }

  /** Puts the context's registers on the CPU, saving those of whoever was there. */
  registers(context: Context): Registers {
    const registers = this.cpu.registers;
    const processor = context.processor as number;
    if (this.loaded !== context) {
      if (this.loaded !== undefined) this.save(this.loaded);
      copy(this.savedOf(context), registers);
      this.loaded = context;
    }
    registers.gsBase = this.processors.enter(processor);
    return registers;
  }

  private save(context: Context): void {
    const saved = context.keep.get(this) as Saved | undefined;
    if (saved !== undefined) copy(this.cpu.registers, saved);
  }

  private savedOf(context: Context): Saved {
    const known = context.keep.get(this) as Saved | undefined;
    if (known !== undefined) return known;
    const saved: Saved = this.freeStacks.pop() ?? { ...emptyRegisters(NULL), stack: this.newStack() };
    const { stack } = saved;
    clear(saved);
    saved.gpr[Register.RSP] = toBits(at(stack, STACK_SIZE - 64));
    context.keep.set(this, saved);
    return saved;
  }

  private newStack(): Address {
    const guard = this.heap.allocate(0x1000 + STACK_SIZE, 'kernel stack', { align: 0x1000 });
    this.memory.setShadow(guard, 0x1000, Shadow.StackGuard);
    return at(guard, 0x1000);
  }

  /** The context's last guest routine has returned: its stack may serve another. */
  private release(context: Context): void {
    const saved = context.keep.get(this) as Saved | undefined;
    if (saved === undefined) return;
    context.keep.delete(this);
    this.freeStacks.push(saved);
    if (this.loaded === context) this.loaded = undefined;
  }
}

/** The arguments of an import as the x64 convention passes them: four in registers, the others above the return address. */
class GuestArguments implements RawArguments {
  private readonly memory: GuestMemory;
  private readonly gpr: BigUint64Array;
  private readonly halves: Int32Array;
  private readonly rsp: Address;

  constructor(memory: GuestMemory, { gpr, halves }: Activation, rsp: Address) {
    this.memory = memory;
    this.gpr = gpr;
    this.halves = halves;
    this.rsp = rsp;
  }

  bits(index: number): bigint {
    return index < 4 ? (this.gpr[ARGUMENTS[index] as number] as bigint) : this.memory.readU64(this.slot(index));
  }

  signed(index: number): number {
    if (index >= 4) return this.memory.readPointer(this.slot(index));
    const low = 2 * (ARGUMENTS[index] as number);
    return (this.halves[low + 1] as number) * 0x1_0000_0000 + ((this.halves[low] as number) >>> 0);
  }

  low(index: number): number {
    if (index >= 4) return this.memory.readU32(this.slot(index));
    return (this.halves[2 * (ARGUMENTS[index] as number)] as number) >>> 0;
  }

  private slot(index: number): Address {
    return at(this.rsp, 8 + 8 * index);
  }
}

/** As `emptyRegisters` gives them. */
function clear(registers: SavedRegisters): void {
  registers.gpr.fill(0n);
  registers.xmm.fill(0n);
  registers.rflags = 0x202;
  registers.mxcsr = 0x1f80;
  registers.rip = NULL;
}

function copy(from: SavedRegisters, to: SavedRegisters): void {
  to.gpr.set(from.gpr);
  to.xmm.set(from.xmm);
  to.rflags = from.rflags;
  to.mxcsr = from.mxcsr;
  to.rip = from.rip;
}

/** UNEXPECTED_KERNEL_MODE_TRAP: where a wrong stack pointer ends sooner or later (assumed). */
const DOUBLE_FAULT = 0x7f;
/** Where the first four arguments go: RCX, RDX, R8, R9. */
const ARGUMENTS = [Register.RCX, Register.RDX, Register.R8, Register.R9] as const;
