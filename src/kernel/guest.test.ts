/** Guest routines on a scripted CPU: what happens between its exits. */
import { describe, expect, it } from 'vitest';
import { type Address, at, DISPATCH_LEVEL, fromBits, NULL, PASSIVE_LEVEL, toBits } from '../trace/units.ts';
import { type Cpu, type CpuHost, type Exit, Register, type Registers } from '../x64/cpu.ts';
import { GuestMemory } from '../x64/memory.ts';
import { Kernel } from './kernel.ts';
import { ANY, callback, ULONG64 } from './record.ts';
import { type Coroutine, POINT } from './scheduler.ts';
import { BugCheck, Hang } from './stops.ts';

const ROUTINE = -0x7ff_0000_0000 as Address;
const Routine = callback({ name: 'Routine', page: 'test', params: { Value: ULONG64 }, returns: 'u64', irql: ANY });
type Play = (machine: Machine) => Exit;

/** A CPU that plays a script: each `run` is one step. */
class Machine implements Cpu {
  readonly registers: Registers = {
    gpr: new BigUint64Array(16),
    xmm: new BigUint64Array(32),
    rip: NULL,
    rflags: 0x202,
    mxcsr: 0x1f80,
    gsBase: NULL,
  };
  retired = 0;
  stops = 0;
  readonly memory = new GuestMemory(23);
  readonly kernel: Kernel;
  readonly script: Play[];
  host!: CpuHost;

  constructor(script: Play[], processors = 1) {
    this.script = script;
    this.kernel = new Kernel({
      memory: this.memory,
      processors,
      cpu: (host) => {
        this.host = host;
        return this as unknown as Cpu & { addCode(): void };
      },
    });
  }

  addCode(): void {}
  stop(): void {
    this.stops++;
  }
  run(budget: number): Exit {
    this.retired += Math.min(budget, 100);
    return (this.script.shift() as Play)(this);
  }

  /** `ret` */
  ret(value = 0n): Exit {
    const { gpr } = this.registers;
    const rsp = fromBits(gpr[Register.RSP] as bigint);
    gpr[Register.RAX] = value;
    gpr[Register.RSP] = toBits(at(rsp, 8));
    this.registers.rip = this.memory.readPointer(rsp);
    return { kind: 'host', address: this.registers.rip };
  }

  play(body?: () => Coroutine<bigint>): bigint {
    const results: bigint[] = [];
    const { kernel } = this;
    const thread = kernel.scheduler.startThread(
      'test',
      (function* () {
        results.push(yield* body?.() ?? kernel.invoker.invoke(Routine, ROUTINE, { Value: 5n }));
      })(),
    );
    kernel.scheduler.runUntilDone(thread);
    return results[0] as bigint;
  }
}

describe('a guest routine', () => {
  it('starts as after a call and gives RAX', () => {
    const machine: Machine = new Machine([
      ({ registers, memory, kernel }) => {
        const rsp = registers.gpr[Register.RSP] as bigint;
        expect(registers.rip).toBe(ROUTINE);
        expect(rsp % 16n).toBe(8n);
        expect(memory.readPointer(fromBits(rsp))).toBe(kernel.code.returnAddress);
        expect(registers.gpr[Register.RCX]).toBe(5n);
        return machine.ret(77n);
      },
    ]);
    expect(machine.play()).toBe(77n);
  });

  it('finds its thread and processor behind GS', () => {
    const seen: number[] = [];
    const machine: Machine = new Machine([
      ({ registers, memory, kernel }) => {
        seen.push(memory.readPointer(at(registers.gsBase, 0x188)), kernel.threads.current());
        expect(memory.readU32(at(registers.gsBase, 0x1a4))).toBe(0);
        expect(memory.readPointer(at(registers.gsBase, 0x18))).toBe(registers.gsBase);
        return machine.ret();
      },
    ]);
    machine.play();
    expect(seen[0]).toBe(seen[1]);
  });

  it('lets a DPC in as soon as CR8 goes down', () => {
    const order: string[] = [];
    const machine: Machine = new Machine([
      ({ host, kernel }) => {
        host.writeCr8(DISPATCH_LEVEL);
        kernel.scheduler.processor.dpcs.push({
          name: 'DPC',
          irql: DISPATCH_LEVEL,
          source: {},
          *start() {
            order.push('DPC');
            yield POINT;
          },
        });
        return { kind: 'budget' };
      },
      ({ host }) => {
        order.push('raised');
        expect(machine.stops).toBe(0);
        host.writeCr8(PASSIVE_LEVEL);
        expect(machine.stops).toBe(1);
        return { kind: 'budget' };
      },
      () => {
        order.push('lowered');
        return machine.ret();
      },
    ]);
    machine.play();
    expect(order).toEqual(['raised', 'DPC', 'lowered']);
  });

  it('must give RSP back', () => {
    const machine: Machine = new Machine([
      ({ registers }) => {
        const exit = machine.ret();
        registers.gpr[Register.RSP] = (registers.gpr[Register.RSP] as bigint) + 16n;
        return exit;
      },
    ]);
    expect(() => machine.play()).toThrow(BugCheck);
    expect(machine.kernel.trace.events).toContainEqual(expect.objectContaining({ what: 'stack-pointer-changed' }));
  });

  it('must give non-volatile registers and the direction flag back', () => {
    const machine: Machine = new Machine([
      ({ registers }) => {
        registers.gpr[Register.R12] = 9n;
        registers.gpr[Register.R11] = 9n;
        registers.xmm[31] = 1n;
        registers.rflags |= 0x400;
        return machine.ret();
      },
    ]);
    machine.play();
    const fact = machine.kernel.trace.events.find((event) => event.kind === 'fact');
    expect(fact).toMatchObject({ what: 'nonvolatile-changed', detail: { registers: 'R12, XMM15, DF' } });
  });

  it('is stopped by the instruction budget, by name', () => {
    const machine: Machine = new Machine(Array.from({ length: 20 }, () => () => ({ kind: 'budget' }) as Exit));
    machine.kernel.scheduler.limits.instructions = 1000;
    expect(() => machine.play()).toThrow(Hang);
    machine.script.length = 0;
  });

  it('faults twice when an exception finds no stack', () => {
    const machine: Machine = new Machine([
      ({ registers }) => {
        registers.gpr[Register.RSP] = 0x1234n;
        return { kind: 'exception', vector: 0 };
      },
    ]);
    expect(() => machine.play()).toThrow(expect.objectContaining({ code: 0x7f }));
  });

  it('is unsupported where haltex lacks a variable, not wrong', () => {
    const machine: Machine = new Machine([
      ({ kernel }) => ({
        kind: 'fault',
        access: 'read',
        address: kernel.code.resolve('SeExports', 'ntoskrnl.exe'),
        size: 8,
        shadow: 0,
      }),
    ]);
    expect(() => machine.play()).toThrow('the variable SeExports of ntoskrnl.exe');
  });

  it('has a stop for what the kernel’s own threads let out', () => {
    const machine: Machine = new Machine([]);
    const touch = function* (): Coroutine<bigint> {
      yield POINT;
      return machine.memory.readU64(ROUTINE);
    };
    const stop = (() => {
      try {
        return machine.play(touch);
      } catch (error) {
        return machine.kernel.exceptions.outermost(error, 'kernel', []);
      }
    })();
    expect(stop).toMatchObject({ code: 0x50, message: expect.stringMatching(/^the kernel reads 8 bytes/) });
    expect(machine.kernel.trace.events.at(-1)).toMatchObject({ kind: 'fault', by: 'kernel' });
  });
});
