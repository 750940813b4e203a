/**
 * Runs guest routines as coroutines. The guest's stack is explicit: a routine that calls an imported function comes back here,
 * the function runs as TypeScript (and may wait, or call the driver back), and the routine goes on. Each context has its own
 * registers and kernel stack; the one CPU is handed from context to context between steps.
 */
import type { Frame } from '../trace/events.ts';
import { type Address, at, fromBits, hex, NULL, toBits } from '../trace/units.ts';
import { type Cpu, type Exit, Register, type Registers } from '../x64/cpu.ts';
import { type GuestMemory, MemoryFault, Shadow } from '../x64/memory.ts';
import { encodeResult } from './arguments.ts';
import type { Calls } from './calls.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import { type Context, type Coroutine, type Scheduler, SPINNING } from './scheduler.ts';
import { Unsupported } from './stops.ts';

/** A kernel thread's stack on x64 Windows (KERNEL_STACK_SIZE, observed: 6 pages). */
const STACK_SIZE = 0x6000;
/** Instructions between two looks at the rest of the machine: interrupts, timers, budgets. */
const SLICE = 20_000;
/** Guest instructions in 100 ns of virtual time: 1 ns each (assumed; only the order of things depends on it). */
const INSTRUCTIONS_PER_TICK = 100;

/** Registers of a context that is not on the CPU, and its stack. */
interface Saved {
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  rflags: number;
  mxcsr: number;
  rip: Address;
  readonly stack: Address;
}

/** One routine in progress that was called from TypeScript: enough to unwind it while it is inside an import. */
export interface Activation {
  readonly context: Context;
  /** Registers as the routine left them, when it is not running. */
  readonly gpr: BigUint64Array;
  rip: Address;
}

/** What happens when guest code, or a call it made, meets something exceptional. */
export interface ExceptionHandling {
  /** Returns when the guest's registers point to where it goes on; throws a stop otherwise. */
  raise(activation: Activation, cause: Exit | MemoryFault, registers: Registers): Coroutine<void>;
  /** Return addresses of an activation, innermost first. */
  unwind(activation: Activation): Frame[];
}

export class GuestCode {
  private readonly cpu: Cpu;
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly code: HostCode;
  private readonly calls: Calls;
  private readonly exceptions: ExceptionHandling;
  private readonly advance: (ticks: number) => void;
  /** GS base (KPCR) of each processor. */
  private readonly processorBlocks: readonly Address[];
  private loaded: Context | undefined;
  private readonly freeStacks: Address[] = [];

  constructor(parts: {
    cpu: Cpu;
    memory: GuestMemory;
    heap: Heap;
    scheduler: Scheduler;
    code: HostCode;
    calls: Calls;
    exceptions: ExceptionHandling;
    advance: (ticks: number) => void;
    processorBlocks: readonly Address[];
  }) {
    this.cpu = parts.cpu;
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
    this.code = parts.code;
    this.calls = parts.calls;
    this.exceptions = parts.exceptions;
    this.advance = parts.advance;
    this.processorBlocks = parts.processorBlocks;
  }

  /** Calls a guest routine in the current context by the x64 Windows convention and gives RAX. */
  *call(routine: Address, args: readonly bigint[]): Coroutine<bigint> {
    const context = this.scheduler.current;
    const registers = this.load(context);
    const activation: Activation = { context, gpr: new BigUint64Array(16), rip: routine };
    const outerRsp = registers.gpr[Register.RSP] as bigint;
    this.enter(registers, routine, args);
    context.frames.push(() => this.exceptions.unwind(activation));
    try {
      while (true) {
        this.load(context);
        const retired = this.cpu.retired;
        const exit = this.cpu.run(SLICE);
        this.account(this.cpu.retired - retired);
        activation.gpr.set(registers.gpr);
        activation.rip = registers.rip;
        if (exit.kind === 'host' && exit.address === this.code.returnAddress) {
          const result = registers.gpr[Register.RAX] as bigint;
          registers.gpr[Register.RSP] = outerRsp;
          return result;
        }
        yield* this.handle(activation, exit, registers);
      }
    } finally {
      context.frames.pop();
      if (context.frames.length === 0) this.release(context);
    }
  }

  private *handle(activation: Activation, exit: Exit, registers: Registers): Coroutine<void> {
    switch (exit.kind) {
      case 'host':
        yield* this.import_(activation, exit.address, registers);
        return;
      case 'budget':
        yield SPINNING;
        return;
      case 'unsupported':
        throw new Unsupported(
          exit.mnemonic,
          `the instruction ${exit.mnemonic} (${exit.bytes}) at ${hex(registers.rip)}, which haltex does not translate`,
          this.exceptions.unwind(activation),
        );
      default:
        yield* this.exceptions.raise(activation, exit, registers);
    }
  }

  /** The guest called an imported function: RSP points to the return address. */
  private *import_(activation: Activation, address: Address, registers: Registers): Coroutine<void> {
    const entry = this.code.at(address);
    const { gpr } = activation;
    const rsp = fromBits(gpr[Register.RSP] as bigint);
    if (entry === undefined) {
      yield* this.exceptions.raise(
        activation,
        { kind: 'fault', access: 'execute', address, size: 1, shadow: 0 },
        registers,
      );
      return;
    }
    const raw = (index: number) =>
      index < 4 ? (gpr[ARGUMENTS[index] as number] as bigint) : this.memory.readU64(at(rsp, 8 + 8 * index));
    let bits: bigint;
    let returnTo: Address;
    try {
      returnTo = this.memory.readPointer(rsp);
      const result = yield* this.calls.perform(entry, raw, returnTo);
      bits = entry.kind === 'function' ? encodeResult(entry.record.returns, result as never) : 0n;
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
      this.load(activation.context);
      yield* this.exceptions.raise(activation, error, registers);
      return;
    }
    this.load(activation.context);
    registers.gpr[Register.RAX] = bits;
    registers.gpr[Register.RSP] = toBits(at(rsp, 8));
    registers.rip = returnTo;
  }

  /** Sets registers and stack up as the caller's `call` instruction would leave them. */
  private enter(registers: Registers, routine: Address, args: readonly bigint[]): void {
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
  }

  private account(instructions: number): void {
    this.scheduler.instructions += instructions;
    this.advance(instructions / INSTRUCTIONS_PER_TICK);
  }

  /** Puts the context's registers on the CPU, saving those of whoever was there. */
  private load(context: Context): Registers {
    const registers = this.cpu.registers;
    if (this.loaded !== context) {
      if (this.loaded !== undefined) this.save(this.loaded);
      const saved = this.savedOf(context);
      registers.gpr.set(saved.gpr);
      registers.xmm.set(saved.xmm);
      registers.rflags = saved.rflags;
      registers.mxcsr = saved.mxcsr;
      registers.rip = saved.rip;
      this.loaded = context;
    }
    registers.gsBase = this.processorBlocks[context.processor as number] as Address;
    return registers;
  }

  private save(context: Context): void {
    const saved = context.keep.get(this) as Saved | undefined;
    if (saved === undefined) return;
    const registers = this.cpu.registers;
    saved.gpr.set(registers.gpr);
    saved.xmm.set(registers.xmm);
    saved.rflags = registers.rflags;
    saved.mxcsr = registers.mxcsr;
    saved.rip = registers.rip;
  }

  private savedOf(context: Context): Saved {
    const known = context.keep.get(this) as Saved | undefined;
    if (known !== undefined) return known;
    const stack = this.freeStacks.pop() ?? this.newStack();
    const gpr = new BigUint64Array(16);
    gpr[Register.RSP] = toBits(at(stack, STACK_SIZE - 64));
    const saved: Saved = { gpr, xmm: new BigUint64Array(32), rflags: 0x202, mxcsr: 0x1f80, rip: NULL, stack };
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
    this.freeStacks.push(saved.stack);
    if (this.loaded === context) this.loaded = undefined;
  }
}

/** Where the first four arguments go: RCX, RDX, R8, R9. */
const ARGUMENTS = [Register.RCX, Register.RDX, Register.R8, Register.R9] as const;
