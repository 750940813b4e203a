/**
 * The one wrapper around every call of the driver into the kernel or NDIS: decodes arguments by the record, writes the events,
 * asks whether to fail, looks up what is undone, runs the body, enters what is acquired. Bodies hold behaviour only.
 */
import type { Stack, UndoOutcome, Value } from '../trace/events.ts';
import type { Recorder } from '../trace/recorder.ts';
import { type Address, DISPATCH_LEVEL, hex } from '../trace/units.ts';
import { type GuestMemory, MemoryFault } from '../x64/memory.ts';
import { Landing } from './activation.ts';
import { decodeArguments, printableArguments, printableResult, type RawArguments } from './arguments.ts';
import type { HostEntry } from './host-code.ts';
import { SYSTEM } from './ordering.ts';
import { RaisedStatus } from './raised-status.ts';
import type { AnyFunction, Detail } from './record.ts';
import type { Found, Resources } from './resources.ts';
import { type Coroutine, isCoroutine, POINT, type Resume, type Scheduler, SPINNING } from './scheduler.ts';
import { Status } from './status.ts';
import { Hang, Unsupported } from './stops.ts';

/** Where a call stands that could fail. */
export interface FaultSite {
  /** The driver routine it is made in; undefined outside of any. */
  readonly callback: string | undefined;
  /** Address the call returns to. */
  readonly caller: Address;
  /** `seq` of its CallEvent. */
  readonly call: number;
}

/** Decides which acquisitions fail. Asked once for every call that can fail. */
export interface FaultPlan {
  /** The id of the failure to strike with, or undefined to let the call go on. */
  strike(fn: string, failures: readonly string[], site: FaultSite): string | undefined;
}

const NO_LOCKS: readonly never[] = [];

export const noFaults: FaultPlan = { strike: () => undefined };

/** Where the driver stands, innermost frame first. */
export type StackCapture = () => Stack;

/** What a call names to be undone, and what that met. */
interface Undoing {
  readonly key: number | string;
  readonly found: Found;
}

/** What NDIS waits for: what the driver did before it comes before what NDIS does then. */
const HANDS_BACK: ReadonlySet<string> = new Set([
  'NdisMPauseComplete',
  'NdisMRestartComplete',
  'NdisMResetComplete',
  'NdisMOidRequestComplete',
  'NdisMDirectOidRequestComplete',
  'NdisMSendNetBufferListsComplete',
  'NdisMIndicateReceiveNetBufferLists',
  'NdisMIdleNotificationComplete',
]);

type FunctionEntry = Extract<HostEntry, { kind: 'function' }>;

export class Calls {
  /** Told of every call before its body runs: where a scenario lets something happen beside the driver. True: that goes first. */
  before: (fn: string) => boolean = () => false;
  private readonly memory: GuestMemory;
  private readonly scheduler: Scheduler;
  private readonly trace: Recorder;
  private readonly resources: Resources;
  private readonly faults: FaultPlan;
  private readonly capture: StackCapture;
  private readonly idle: () => boolean;
  private readonly runs: (address: Address, fn: string) => void;

  constructor(parts: {
    memory: GuestMemory;
    scheduler: Scheduler;
    trace: Recorder;
    resources: Resources;
    faults: FaultPlan;
    capture: StackCapture;
    /** Whether a point here would change nothing. */
    idle?: () => boolean;
    /** Told where the driver goes on behind each call, and before it. */
    runs?: (address: Address, fn: string) => void;
  }) {
    this.memory = parts.memory;
    this.scheduler = parts.scheduler;
    this.trace = parts.trace;
    this.resources = parts.resources;
    this.faults = parts.faults;
    this.capture = parts.capture;
    this.idle = parts.idle ?? (() => false);
    this.runs = parts.runs ?? (() => {});
  }

  /** Performs a call of the driver to an imported function; gives what the record says it returns. */
  *perform(entry: HostEntry, raw: RawArguments, caller: Address): Coroutine<unknown> {
    if (entry.kind === 'missing') {
      throw new Unsupported(
        entry.name,
        `the driver calls ${entry.name} of ${entry.module}, which haltex does not model`,
        this.capture(),
      );
    }
    if (entry.kind !== 'function') throw new Unsupported(entry.name, `a call through ${entry.name}`, this.capture());
    const { record, name: fn } = entry;
    if (this.trace.full) {
      const what = this.scheduler.current.callbacks.at(-1)?.name ?? this.scheduler.current.name;
      throw new Hang(`${what} goes on calling ${fn} without end, beyond the budget of events`, this.capture());
    }
    const args = decodeArguments(this.memory, record.params, raw);
    const shown = printableArguments(this.memory, record.params, args);
    const { irql, current } = this.scheduler;
    const wrongLevel = irql < record.irql.min || irql > record.irql.max;
    const call = this.trace.emit(
      wrongLevel
        ? { kind: 'call', fn, args: shown, caller, stack: this.capture() }
        : { kind: 'call', fn, args: shown, caller },
    );
    if (irql >= DISPATCH_LEVEL) this.runs(caller, fn);
    const locks = current.locks.length === 0 ? NO_LOCKS : [...current.locks];
    if (locks.length > 0 && record.notWithLocks) this.tellLocks(fn, 'calls back', locks);
    if (this.before(fn)) yield SPINNING;
    else if (!this.idle()) yield POINT;
    const handsBack = HANDS_BACK.has(fn);
    if (handsBack) this.scheduler.ordering.publish(SYSTEM);
    const injected = this.strike(entry, record, args, { caller, call });
    const { stirs } = this.scheduler;
    try {
      let result: unknown;
      if (injected?.fail !== undefined) result = injected.fail(args);
      else {
        const undoing = this.find(record, args);
        const stray = undoing?.found.outcome === 'again' || undoing?.found.outcome === 'never';
        if (undoing !== undefined && stray && record.undoes?.otherwise !== undefined) {
          this.undo(entry, record, args, undoing, undoing.found.outcome);
          result = record.undoes.otherwise(args);
        } else {
          const given = record.body(entry.services, args, { fn, caller, soft: injected?.id });
          const waits = locks.length > 0 && !wrongLevel && isCoroutine(given);
          result = isCoroutine(given) ? yield* waits ? this.watched(given, fn, locks) : given : given;
          this.settle(entry, record, args, undoing, result);
        }
      }
      this.came(fn, call, printableResult(record.returns, result), injected);
      if (irql < DISPATCH_LEVEL && this.scheduler.irql >= DISPATCH_LEVEL) this.runs(caller, fn);
      // Whoever may go on now may do so before this context's next step.
      if (this.scheduler.attentive && (handsBack || this.scheduler.stirs !== stirs)) yield POINT;
      return result;
    } catch (error) {
      const raised = raisedBy(error);
      if (raised !== undefined) this.came(fn, call, { raised }, injected);
      throw error;
    }
  }

  private came(fn: string, call: number, result: Value, injected: { readonly id: string } | undefined): void {
    this.trace.emit(
      injected === undefined
        ? { kind: 'return', fn, call, result }
        : { kind: 'return', fn, call, result, injected: `fail-${fn.toLowerCase()}-${injected.id}` },
    );
  }

  /** The body of a call made with a spin lock held: whether it gives the processor up is a fact. Its level was in order. */
  private *watched<T>(body: Coroutine<T>, fn: string, locks: readonly number[]): Coroutine<T> {
    for (let next = body.next('go'); ; ) {
      if (next.done) return next.value;
      const { value: step } = next;
      if (step.kind === 'wait' && step.spins !== true && !step.ready()) this.tellLocks(fn, 'waits', locks);
      let resume: Resume;
      try {
        resume = yield step;
      } catch (error) {
        next = body.throw(error);
        continue;
      }
      next = body.next(resume);
    }
  }

  private tellLocks(fn: string, why: 'calls back' | 'waits', held: readonly number[]): void {
    const detail = { fn, why, locks: held.map((lock) => hex(lock)) };
    this.trace.emit({ kind: 'fact', what: 'waits-with-locks', detail, stack: this.capture() });
  }

  private strike(
    { name: fn, services }: FunctionEntry,
    record: AnyFunction,
    args: Record<string, unknown>,
    site: Pick<FaultSite, 'caller' | 'call'>,
  ) {
    if (record.failures === undefined) return undefined;
    const possible = record.failures.filter((failure) => failure.when?.(args, services) ?? true);
    if (possible.length === 0) return undefined;
    const ids = possible.map((failure) => failure.id);
    const chosen = this.faults.strike(fn, ids, { ...site, callback: this.scheduler.current.callbacks.at(-1)?.name });
    return possible.find((failure) => failure.id === chosen);
  }

  /** What the call is about to undo, if it is one that undoes something. */
  private find({ undoes }: AnyFunction, args: Record<string, unknown>): Undoing | undefined {
    if (undoes === undefined) return undefined;
    const key = undoes.key(args);
    if (undoes.nullAllowed && (key === 0 || key === '')) return undefined;
    return { key, found: this.resources.find(undoes.types, key, undoes.match?.(args)) };
  }

  /** The body has run: enters what it undid and what it gave. */
  private settle(
    entry: FunctionEntry,
    record: AnyFunction,
    args: Record<string, unknown>,
    undoing: Undoing | undefined,
    result: unknown,
  ): void {
    const { undoes, acquires } = record;
    if (undoes !== undefined && undoing !== undefined) {
      const { found } = undoing;
      const done = undoes.when === undefined ? record.returns !== 'status' || result === 0 : undoes.when(args, result);
      const live = found.resource?.live === true;
      const outcome = done || found.outcome === 'again' || found.outcome === 'never' ? found.outcome : 'refused';
      // A cancel that finds nothing to cancel, or comes too late, is no undo and no refusal: what it names ends by itself.
      if (undoes.mayBeIdle !== true || (live && done)) this.undo(entry, record, args, undoing, outcome);
    }
    if (acquires !== undefined && gave(record, acquires.when?.(args, result), result)) {
      const owner = acquires.owner?.(args);
      const detail = acquires.detail?.(args, result);
      this.resources.acquire(acquires.type, acquires.key(args, result), {
        fn: entry.name,
        ...(owner === undefined ? {} : { owner }),
        ...(detail === undefined ? {} : { detail }),
        stack: this.capture(),
      });
    }
  }

  private undo(
    entry: FunctionEntry,
    record: AnyFunction,
    args: Record<string, unknown>,
    { key, found }: Undoing,
    outcome: UndoOutcome,
  ): void {
    const undoes = record.undoes as NonNullable<AnyFunction['undoes']>;
    const stray = outcome === 'again' || outcome === 'never' ? undoes.stray?.(entry.services, args) : undefined;
    const detail: Detail = { ...undoes.match?.(args), ...stray };
    this.resources.undo(undoes.types, key, {
      fn: entry.name,
      outcome,
      found,
      detail,
      stack: this.capture(),
    });
  }
}

function gave(record: AnyFunction, said: boolean | undefined, result: unknown): boolean {
  if (said !== undefined) return said;
  if (record.returns === 'status') return result === 0;
  return record.returns === 'void' || (result !== 0 && result !== false);
}

/** What a call raised instead of returning; undefined for stops. */
function raisedBy(error: unknown): string | undefined {
  if (error instanceof RaisedStatus) return hex(error.status);
  if (error instanceof MemoryFault && error.address >= 0) return hex(Status.ACCESS_VIOLATION);
  // An exception in a callback has found its handler outside this call.
  return error instanceof Landing ? 'unwound' : undefined;
}
