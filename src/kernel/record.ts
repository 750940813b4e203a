/**
 * A record per function. Every NDIS or kernel function a driver may import is declared once: parameters, result, IRQL, what it
 * acquires or undoes, how it can fail, its page. `calls.ts` reads the record around every call; the body holds behaviour only.
 * The same record serves guest binaries (arguments from registers and stack) and TypeScript miniports (typed call).
 */
import type { ResourceKind } from '../trace/events.ts';
import type { Address, Handle, Irql } from '../trace/units.ts';
import type { CType, Fields, Init, Routine, Struct, View } from './layout.ts';
import type { Coroutine } from './scheduler.ts';

// --- parameters ---

/** A pointer through which the function gives something back. */
export interface Out<T> {
  readonly address: Address;
  /** False when the driver passed NULL for an optional result. */
  readonly present: boolean;
  get(): T;
  set(value: T): void;
}

/** One parameter. `T` is what the body sees, `N` what a TypeScript miniport passes (`never`: it passes nothing). */
export interface Param<T = unknown, N = unknown> {
  readonly as: 'integer' | 'bigint' | 'boolean' | 'pointer' | 'struct' | 'out' | 'string' | 'code' | 'varargs';
  /** Bits of the C type, for integers. */
  readonly bits?: 8 | 16 | 32 | 64;
  readonly signed?: boolean;
  readonly optional?: boolean;
  /** The pointee of `struct` and `out`. */
  readonly type?: CType<unknown, unknown>;
  /** Never set: carries the types. */
  readonly types?: [T, N];
}

// biome-ignore lint/suspicious/noExplicitAny: a record of parameters is heterogeneous by nature
export type Params = Readonly<Record<string, Param<any, any>>>;

const integer = <T>(bits: 8 | 16 | 32 | 64, signed = false) => ({ as: 'integer', bits, signed }) as Param<T, T>;

export const UCHAR = integer<number>(8);
export const USHORT = integer<number>(16);
export const ULONG = integer<number>(32);
export const LONG = integer<number>(32, true);
export const ULONG64 = { as: 'bigint', bits: 64 } as Param<bigint, bigint>;
/** SIZE_T, ULONG_PTR and counts that fit a JavaScript number. */
export const SIZE_T = integer<number>(64);
/** A signed 64-bit number that fits 53 bits: due times, intervals. */
export const LONGLONG = integer<number>(64, true);
export const BOOLEAN = { as: 'boolean', bits: 8 } as Param<boolean, boolean>;
/** An address the body handles itself. */
export const POINTER = { as: 'pointer' } as Param<Address, Address>;
/** An opaque handle haltex gave out. */
export const HANDLE = { as: 'pointer' } as Param<Handle, Handle>;
/** A routine of the driver. TypeScript miniports pass the function itself. */
export const CODE = { as: 'code' } as Param<Address, Address | Routine>;
/** A zero-terminated byte string (PCSTR). */
export const STRING = { as: 'string', bits: 8 } as Param<string, string>;
/** A zero-terminated UTF-16 string (PCWSTR). */
export const WSTRING = { as: 'string', bits: 16 } as Param<string, string>;
/** `...`: the body takes further arguments by position. */
export const VARARGS = { as: 'varargs' } as Param<(index: number) => bigint, readonly (number | bigint)[]>;

/** A pointer to a structure the driver filled in; the body gets a view. NULL is an error of the driver: it faults. */
export function IN<F extends Fields>(type: Struct<F>): Param<View<F>, Init<F> | Address> {
  return { as: 'struct', type } as Param<View<F>, Init<F> | Address>;
}
/** … that may be NULL. */
export function INOPT<F extends Fields>(type: Struct<F>): Param<View<F> | undefined, Init<F> | Address | undefined> {
  return { as: 'struct', type, optional: true } as Param<View<F> | undefined, Init<F> | Address | undefined>;
}
/** A pointer to where a result goes. TypeScript miniports get it back by name. */
export function OUT<T, I>(type: CType<T, I>): Param<Out<T>, never> {
  return { as: 'out', type } as unknown as Param<Out<T>, never>;
}

/** What the body sees, by name. */
export type Args<P extends Params> = { readonly [K in keyof P]: P[K] extends Param<infer T, infer _N> ? T : never };

// --- results ---

export interface Returns {
  void: undefined;
  /** NDIS_STATUS or NTSTATUS. */
  status: number;
  pointer: Address;
  u8: number;
  u16: number;
  u32: number;
  i32: number;
  u64: bigint;
  bool: boolean;
}
export type ReturnKind = keyof Returns;

// --- IRQL ---

export interface IrqlRange {
  readonly min: Irql;
  readonly max: Irql;
}
const range = (min: number, max: number): IrqlRange => ({ min: min as Irql, max: max as Irql });
/** contract.md's shorthand: exactly PASSIVE; up to APC; up to DISPATCH; exactly DISPATCH; up to a device's level; any. */
export const P = range(0, 0);
export const A = range(0, 1);
export const D = range(0, 2);
export const EXACTLY_D = range(2, 2);
export const UP_TO_DIRQL = range(0, 11);
export const ANY = range(0, 15);

// --- what a call acquires, undoes, and how it fails ---

export type Detail = Readonly<Record<string, number | string | boolean>>;

export interface Acquires<A_, R> {
  readonly type: ResourceKind;
  /** What the undoing call will name it by. */
  key(args: A_, result: R): number | string;
  /** The NDIS handle it is made with. */
  owner?(args: A_): Handle;
  /** What the undo must repeat, and what a reader recognises it by. */
  detail?(args: A_, result: R): Detail;
  /** Whether the call gave it. By default: status 0, or a result that is not NULL; `void` always. */
  when?(args: A_, result: R): boolean;
}

export interface Undoes<A_, R, S = unknown> {
  /** The resource types this call undoes; the first is named when none is found. */
  readonly types: readonly ResourceKind[];
  key(args: A_): number | string;
  /** Arguments that must equal the acquisition's detail of the same name. */
  match?(args: A_): Detail;
  /** Whether NULL is allowed and does nothing, as for C's free. */
  readonly nullAllowed?: boolean;
  /** Whether naming nothing live is in order (cancelling a timer that is not set): no undo is written then. */
  readonly mayBeIdle?: boolean;
  /** Further detail of an undo that names nothing live: what the key names instead. */
  stray?(services: S, args: A_): Detail;
  /** Result of a call that names nothing live; the body does not run then. Left out: the body runs all the same. */
  readonly otherwise?: (args: A_) => R;
  /** Whether the call did undo it. By default: status 0; `void`, pointers and booleans always. */
  when?(args: A_, result: R): boolean;
}

/** One way a call fails, as the real one does. `id` is the last part of `fail-<call>-<id>`. */
export interface Failure<A_, R, S = unknown> {
  readonly id: string;
  /** Whether a call with these arguments can fail that way. Left out: every one can. */
  when?(args: A_, services: S): boolean;
  /**
   * Gives the result, and writes what the real call writes when it fails that way. Left out: a soft failure. The body runs,
   * finds the id in `site.soft`, and gives less than was asked for (a line instead of messages, a completion that comes late).
   */
  fail?(args: A_): R;
}

/** What `calls.ts` tells a body beside its arguments. */
export interface CallSite {
  /** The name it was called by. */
  readonly fn: string;
  /** Where the call returns to. */
  readonly caller: Address;
  /** The soft failure that strikes this call. */
  readonly soft: string | undefined;
}

/** A function record. `S` is the composition its body works on: `Kernel`, or `Ndis` for the NDIS library. */
export interface FunctionRecord<S, P extends Params = Params, K extends ReturnKind = ReturnKind> {
  readonly module: 'ntoskrnl.exe' | 'HAL.dll' | 'NDIS.SYS' | 'WppRecorder.sys';
  /** Microsoft's reference page, the part after `…/nf-`: `ndis-ndismsleep`, `wdm-kesettimer`. */
  readonly page: string;
  readonly params: P;
  readonly returns: K;
  readonly irql: IrqlRange;
  /** It may call other routines of the driver before it returns, or its page forbids it with a spin lock held. */
  readonly notWithLocks?: true;
  readonly acquires?: Acquires<Args<P>, Returns[K]>;
  readonly undoes?: Undoes<Args<P>, Returns[K], S>;
  readonly failures?: readonly Failure<Args<P>, Returns[K], S>[];
  body(services: S, args: Args<P>, site: CallSite): Returns[K] | Coroutine<Returns[K]>;
}

// biome-ignore lint/suspicious/noExplicitAny: the table of all functions forgets their parameters
export type AnyFunction = FunctionRecord<any, any, any>;

/** Declares a function for services `S`; the call infers its parameters: `kernelFunction({ … })`. */
export function functionsOf<S>() {
  return <P extends Params, K extends ReturnKind>(record: FunctionRecord<S, P, K>): FunctionRecord<S, P, K> => record;
}

// --- usual failures ---

/** The call returns this status and writes nothing. */
export const failsWith = (id: string, status: number): Failure<unknown, number> => ({ id, fail: () => status });
/** The call returns NULL. */
export const failsNull: Failure<unknown, Address> = { id: 'null', fail: () => 0 as Address };
/** The status comes back through an out parameter. */
export const failsOut = <N extends string>(
  id: string,
  param: N,
  status: number,
): Failure<Record<N, Out<number>>, undefined> => ({
  id,
  fail(args) {
    args[param].set(status);
    return undefined;
  },
});

// --- routines of the driver that NDIS and the kernel call ---

/** A callback's prototype: `MiniportHaltEx`, a DPC, a thread's start routine. */
export interface CallbackRecord<P extends Params = Params, K extends ReturnKind = ReturnKind> {
  readonly name: string;
  readonly page: string;
  readonly params: P;
  readonly returns: K;
  /** The IRQL it is called at. */
  readonly irql: IrqlRange;
  /** Its business is to take or give back a lock: it returns at another IRQL, and that stays. */
  readonly changesIrql?: boolean;
}
// biome-ignore lint/suspicious/noExplicitAny: the table of all callbacks forgets their parameters
export type AnyCallback = CallbackRecord<any, any>;

export function callback<P extends Params, K extends ReturnKind>(record: CallbackRecord<P, K>): CallbackRecord<P, K> {
  return record;
}

// --- the typed face for TypeScript miniports ---

type Given<P extends Params> = {
  [K in keyof P as P[K] extends Param<infer _T, never> ? never : K]: P[K] extends Param<infer _T, infer N> ? N : never;
};
type Optional<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: T[K];
};
type Outs<P extends Params> = {
  [K in keyof P as P[K] extends Param<Out<infer _T>, never> ? K : never]: P[K] extends Param<Out<infer T>, never>
    ? T
    : never;
};

/** Plain result where nothing comes back through pointers; else `{ result, …outs by name }`. */
export type NativeResult<P extends Params, K extends ReturnKind> = keyof Outs<P> extends never
  ? Returns[K]
  : { result: Returns[K] } & Outs<P>;
export type NativeFunction<F> =
  F extends FunctionRecord<infer _S, infer P, infer K>
    ? (
        ...args: Record<never, never> extends Optional<Given<P>>
          ? [args?: Optional<Given<P>>]
          : [args: Optional<Given<P>>]
      ) => Coroutine<NativeResult<P, K>>
    : never;
/** What a routine of a TypeScript miniport gives back: nothing at all where C has VOID. */
// biome-ignore lint/suspicious/noConfusingVoidType: a generator without a return statement gives void, not undefined
type RoutineResult<K extends ReturnKind> = K extends 'void' ? void : Returns[K];
/**
 * A callback as a TypeScript miniport writes it: arguments by name; a generator where it calls or waits, else a plain function.
 */
export type NativeCallback<C> =
  C extends CallbackRecord<infer P, infer K>
    ? (args: Args<P>) => Coroutine<RoutineResult<K>> | RoutineResult<K>
    : never;
