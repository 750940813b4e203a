/**
 * What happens when guest code faults: exceptions a driver may handle go to its handlers, everything else is what Windows
 * would bugcheck for. Also the call stacks, from the same unwind data.
 */

import { type UnwindContext, virtualUnwind } from '../image/unwind.ts';
import type { FaultEvent, Frame } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, at, fromBits, hex } from '../trace/units.ts';
import { type Exit, Register, type Registers } from '../x64/cpu.ts';
import { type GuestMemory, MemoryFault, Shadow } from '../x64/memory.ts';
import type { Activation, ExceptionHandling } from './guest.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { Modules } from './modules.ts';
import type { Coroutine } from './scheduler.ts';
import { BugCheck, InternalError } from './stops.ts';

const MAX_FRAMES = 32;

export class Exceptions implements ExceptionHandling {
  /** Runs a guest routine in the current context: handlers and filters. Set once the guest can run. */
  callGuest: (routine: Address, args: readonly bigint[]) => Coroutine<bigint> = () => {
    throw new InternalError('exceptions-early', 'no guest to run handlers yet');
  };
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly code: HostCode;
  private readonly trace: Recorder;
  private readonly modules: Modules;

  constructor(parts: { memory: GuestMemory; heap: Heap; code: HostCode; trace: Recorder; modules: Modules }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.code = parts.code;
    this.trace = parts.trace;
    this.modules = parts.modules;
  }

  *raise(activation: Activation, cause: Exit | MemoryFault, _registers: Registers): Coroutine<void> {
    const stack = this.unwind(activation);
    if (cause instanceof MemoryFault || cause.kind === 'fault') {
      const { access, address, size, shadow } = cause;
      const why = this.why(access, address, shadow);
      const block = this.heap.explain(address);
      this.trace.emit({
        kind: 'fault',
        by: 'driver',
        access,
        address,
        size,
        why,
        ...(block === undefined ? {} : { block }),
        stack,
      });
      throw new BugCheck(0x50, `the driver ${access}s ${size} bytes at ${hex(address)} (${why})`, stack);
    }
    const vector = cause.kind === 'exception' ? cause.vector : 0;
    throw new BugCheck(0x1e, `the driver raises processor exception ${vector}`, stack);
  }

  why(access: 'read' | 'write' | 'execute', address: Address, shadow: number): FaultEvent['why'] {
    if (address >= 0 && address < 0x10000) return 'null';
    if (address >= 0) return 'user';
    if (shadow === Shadow.Freed) return 'freed';
    if (shadow === Shadow.Guard) return 'guard';
    if (shadow === Shadow.StackGuard) return 'stack-overflow';
    if (shadow === Shadow.Pageable || shadow === Shadow.PageableReadOnly) return 'pageable';
    if (shadow === Shadow.Device) return 'device-gone';
    if (access === 'execute') return 'not-code';
    return shadow === Shadow.ReadOnly && access === 'write' ? 'read-only' : 'unmapped';
  }

  unwind(activation: Activation): Frame[] {
    const frames: Frame[] = [];
    const read = (address: Address) => this.memory.readU64(address);
    let context: UnwindContext = { gpr: activation.gpr, xmm: new BigUint64Array(32), rip: activation.rip };
    try {
      while (frames.length < MAX_FRAMES) {
        const module = this.modules.at(context.rip);
        if (module !== undefined) {
          frames.push(this.modules.frame(context.rip));
          context = virtualUnwind(module.image, module.base, context, read).context;
        } else {
          if (context.rip === this.code.returnAddress) break;
          if (frames.length > 0) break;
          if (!this.code.holds(context.rip)) frames.push(this.modules.frame(context.rip));
          const rsp = fromBits(context.gpr[Register.RSP] as bigint);
          const gpr = context.gpr.slice();
          gpr[Register.RSP] = BigInt.asUintN(64, BigInt(at(rsp, 8)));
          context = { ...context, gpr, rip: fromBits(read(rsp)) };
        }
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // A damaged stack ends the walk; what was found so far is still true.
    }
    return frames;
  }
}
