/** Calls routines of the driver: guest code, TypeScript routines, or an import the driver passed as a routine. */
import type { Stack } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, type Handle, NULL } from '../trace/units.ts';
import { type GuestMemory, MemoryFault } from '../x64/memory.ts';
import { Landing } from './activation.ts';
import {
  decodeArguments,
  decodeResult,
  encodeResult,
  GivenArguments,
  printableArguments,
  printableResult,
} from './arguments.ts';
import type { Calls } from './calls.ts';
import type { Exceptions } from './exceptions.ts';
import type { GuestCode } from './guest.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import { callSite, localsOf } from './native.ts';
import { SYSTEM } from './ordering.ts';
import { RaisedStatus } from './raised-status.ts';
import type { CallbackRecord, Params, ReturnKind, Returns } from './record.ts';
import { type Coroutine, isCoroutine, POINT, type Scheduler } from './scheduler.ts';
import { Hang } from './stops.ts';

/** The arguments as NDIS or the kernel has them: numbers, addresses, booleans. */
export type CallbackArguments<P extends Params> = { readonly [K in keyof P]: number | bigint | boolean };

/** Routines that the driver has let run on their own: nobody but the driver waits for them. */
const APART = /WORKITEM|WORKER|^StartRoutine$/;
/** … and in a DPC: scatter/gather lists, whose transfers NDIS waits for. */
const LISTS = /^MiniportProcessSGList$|^Adapter(List)?Control$/;

export class Invoker {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly code: HostCode;
  private readonly calls: Calls;
  private readonly guest: GuestCode;
  private readonly exceptions: Exceptions;
  private readonly entered: (routine: Address, name: string) => void;

  constructor(parts: {
    memory: GuestMemory;
    heap: Heap;
    scheduler: Scheduler;
    trace: Recorder;
    code: HostCode;
    calls: Calls;
    guest: GuestCode;
    exceptions: Exceptions;
    /** Told of every guest routine that is about to run. */
    entered: (routine: Address, name: string) => void;
  }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.code = parts.code;
    this.calls = parts.calls;
    this.guest = parts.guest;
    this.exceptions = parts.exceptions;
    this.entered = parts.entered;
  }

  /**
   * Calls the driver's routine in the current context and gives its result. Entry and return are events; a routine that
   * returns at another IRQL or with a spin lock more than it came with says so in its LeaveEvent.
   */
  *invoke<P extends Params, K extends ReturnKind>(
    record: CallbackRecord<P, K>,
    routine: Address,
    args: CallbackArguments<P>,
    adapter?: Handle,
  ): Coroutine<Returns[K]> {
    if (this.trace.full) throw new Hang(`${record.name} is called again and again, beyond the budget of events`);
    const context = this.scheduler.current;
    const raw = Object.keys(record.params).map((name) =>
      BigInt.asUintN(64, BigInt(args[name] as number | bigint | boolean)),
    );
    const decoded = decodeArguments(this.memory, record.params, new GivenArguments(raw));
    context.callbacks.push({ name: record.name, adapter: adapter ?? context.callbacks.at(-1)?.adapter });
    const shown = printableArguments(this.memory, record.params, decoded);
    const enter = this.trace.emit({ kind: 'enter', callback: record.name, args: shown, address: routine });
    const irql = this.scheduler.irql;
    const locks = context.locks.length;
    const waitedFor = context.kind === 'thread' ? !APART.test(record.name) : LISTS.test(record.name);
    const bySystem = waitedFor && context.callbacks.length === 1;
    if (bySystem) this.scheduler.ordering.observe(SYSTEM);
    // What interrupts a thread may do so before the routine's first step; DPCs and ISRs are chosen before they begin anyway.
    if (this.scheduler.attentive && context.kind === 'thread') yield POINT;
    let bits: bigint;
    try {
      bits = yield* this.run(record, routine, raw, decoded);
    } catch (error) {
      throw this.left(record, enter, error);
    }
    const result = decodeResult(record.returns, bits);
    const changed = this.scheduler.irql !== irql && record.changesIrql !== true;
    const held = record.changesIrql === true ? [] : (context.locks.slice(locks) as Address[]);
    this.trace.emit({
      kind: 'leave',
      callback: record.name,
      enter,
      result: printableResult(record.returns, result),
      ...(changed ? { irqlAtEntry: irql } : {}),
      ...(held.length > 0 ? { locksHeld: held } : {}),
    });
    if (changed) this.scheduler.setIrql(irql);
    if (bySystem) this.scheduler.ordering.publish(SYSTEM);
    context.callbacks.pop();
    return result;
  }

  /** The callback ends by an exception or a stop: gives what goes on outwards. */
  private left(record: CallbackRecord, enter: number, error: unknown): unknown {
    const { callbacks } = this.scheduler.current;
    // What leaves the outermost routine of a TypeScript miniport has met no catch, and no one else will handle it.
    const goesOn = callbacks.length > 1 ? error : this.exceptions.outermost(error, 'driver', sitesOf(error));
    if (goesOn instanceof Landing || goesOn instanceof RaisedStatus || goesOn instanceof MemoryFault) {
      this.trace.emit({ kind: 'leave', callback: record.name, enter, result: null, raised: true });
      callbacks.pop();
    }
    return goesOn;
  }

  private *run(record: CallbackRecord, routine: Address, raw: readonly bigint[], decoded: object): Coroutine<bigint> {
    const entry = this.code.holds(routine) ? this.code.at(routine) : undefined;
    if (entry?.kind === 'native') {
      if (this.code.retired !== undefined) throw this.code.retired(routine, []);
      const locals = localsOf(this.scheduler.current);
      const outer = locals.length;
      const given = entry.routine(decoded);
      const result = isCoroutine(given) ? yield* given : given;
      for (const address of locals.splice(outer)) this.heap.free(address);
      return encodeResult(record.returns, result as never);
    }
    if (entry?.kind === 'function') {
      return encodeResult(
        entry.record.returns,
        (yield* this.calls.perform(entry, new GivenArguments(raw), NULL)) as never,
      );
    }
    if (entry !== undefined) throw new MemoryFault('execute', routine, 1, 0);
    this.entered(routine, record.name);
    return yield* this.guest.call(routine, raw);
  }
}

function sitesOf(error: unknown): Stack {
  return error instanceof Error ? callSite(error) : [];
}
