/**
 * The face of the kernel and NDIS for miniports written in TypeScript: every function record as a typed generator, arguments by
 * the field's names. `yield* wdk.NdisMSleep({ MicrosecondsToSleep: 50 })` goes through the same wrapper, by the same bits, as a
 * guest's call. Structures may be given as object literals and lie in guest memory for the time of the call; what a call fills
 * in, or keeps a pointer to, is better a `Locals` variable of the routine or a part of the driver's own memory.
 */
import type { Frame, Stack } from '../trace/events.ts';
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { GivenArguments } from './arguments.ts';
import type { Calls } from './calls.ts';
import type { Heap } from './heap.ts';
import type { HostCode } from './host-code.ts';
import type { CType, Fields, Init, Routine, Struct, View } from './layout.ts';
import type { AnyFunction, NativeFunction, Param } from './record.ts';
import type { Context, Coroutine, Scheduler } from './scheduler.ts';
import { InternalError } from './stops.ts';

/** A family's functions by name. */
export type FunctionTable = Readonly<Record<string, AnyFunction>>;
/** The same functions as a TypeScript miniport calls them. */
export type Native<T extends FunctionTable> = { readonly [K in keyof T]: NativeFunction<T[K]> };

export interface NativeParts {
  readonly memory: GuestMemory;
  readonly heap: Heap;
  readonly code: HostCode;
  readonly calls: Calls;
  readonly scheduler: Scheduler;
}

/** Makes the typed face of a table of functions that `HostCode` provides. */
export function nativeFace<T extends FunctionTable>(parts: NativeParts, table: T): Native<T> {
  return nativeFaces(table)(parts);
}

/** The same for many machines: what does not depend on the machine is made once. A function is made when it is first used. */
export function nativeFaces<T extends FunctionTable>(table: T): (parts: NativeParts) => Native<T> {
  class Face {
    readonly parts: NativeParts;
    constructor(parts: NativeParts) {
      this.parts = parts;
    }
  }
  for (const [name, record] of Object.entries(table)) {
    Object.defineProperty(Face.prototype, name, {
      enumerable: true,
      get(this: Face) {
        const { parts } = this;
        const value = function* nativeCall(args: Record<string, unknown> = {}): Coroutine<unknown> {
          return yield* call(parts, name, record, args);
        };
        Object.defineProperty(this, name, { value, enumerable: true });
        return value;
      },
    });
  }
  return (parts) => new Face(parts) as unknown as Native<T>;
}

/**
 * Local variables of a driver's TypeScript routines: they lie in guest memory as a C routine's lie on its stack, and are gone
 * when the routine returns, so that who kept a pointer to one is caught.
 */
export class Locals {
  private readonly parts: Pick<NativeParts, 'memory' | 'heap' | 'code' | 'scheduler'>;

  constructor(parts: Pick<NativeParts, 'memory' | 'heap' | 'code' | 'scheduler'>) {
    this.parts = parts;
  }

  /** Zeroed, then filled in. */
  declare<F extends Fields>(type: Struct<F>, values: Init<F> = {}): View<F> {
    const { memory, heap, code, scheduler } = this.parts;
    const address = heap.allocate(type.size, `local ${type.name} on the kernel stack`, { fill: 0 });
    localsOf(scheduler.current).push(address);
    type.write(memory, address, withAddresses(code, values) as Init<F>);
    return type.at(memory, address);
  }
}

/** What the context's routines have declared, outermost first. */
export function localsOf(context: Context): Address[] {
  const known = context.keep.get(Locals) as Address[] | undefined;
  if (known !== undefined) return known;
  const locals: Address[] = [];
  context.keep.set(Locals, locals);
  return locals;
}

function* call(
  parts: NativeParts,
  name: string,
  record: AnyFunction,
  args: Record<string, unknown>,
): Coroutine<unknown> {
  const entry = parts.code.function(name);
  if (entry === undefined) throw new InternalError('native-missing', `${name} is not provided to this machine`);
  const scratch: Address[] = [];
  const outs: [string, CType<unknown, unknown>, Address][] = [];
  const raw: bigint[] = [];
  for (const [param, spec] of Object.entries(record.params as Record<string, Param>)) {
    if (spec.as === 'varargs')
      raw.push(...((args[param] as (number | bigint)[] | undefined) ?? []).map((value) => BigInt(value)));
    else
      raw.push(
        BigInt.asUintN(
          64,
          encode(parts, spec, args[param], scratch, (type, where) => outs.push([param, type, where])),
        ),
      );
  }
  // Where the call stands is known now; it is put into words only when somebody asks.
  const here = new Error();
  let site: Stack | undefined;
  const context = parts.scheduler.current;
  context.frames.push(() => {
    site ??= callSite(here);
    return site;
  });
  const stillThere = ({ retired }: HostCode): void => {
    if (retired !== undefined) throw retired(NULL, callSite(here));
  };
  try {
    stillThere(parts.code);
    const result = yield* parts.calls.perform(entry, new GivenArguments(raw), NULL);
    stillThere(parts.code);
    if (outs.length === 0) return result;
    return {
      result,
      ...Object.fromEntries(outs.map(([param, type, where]) => [param, copied(type, type.read(parts.memory, where))])),
    };
  } finally {
    context.frames.pop();
    for (const address of scratch) parts.heap.free(address);
  }
}

function encode(
  parts: NativeParts,
  spec: Param,
  value: unknown,
  scratch: Address[],
  out: (type: CType<unknown, unknown>, where: Address) => void,
): bigint {
  const reserve = (size: number): Address => {
    const address = parts.heap.allocate(size, 'a TypeScript miniport’s call frame', { fill: 0 });
    scratch.push(address);
    return address;
  };
  if (spec.as === 'out') {
    const type = spec.type as CType<unknown, unknown>;
    const where = reserve(type.size);
    out(type, where);
    return BigInt(where);
  }
  if (value === undefined || value === null) return 0n;
  if (spec.as === 'struct' && typeof value === 'object') {
    if ('address' in value && 'memory' in value) return BigInt(value.address as Address);
    const type = spec.type as Struct;
    const where = reserve(type.size);
    type.write(parts.memory, where, withAddresses(parts.code, value) as never);
    return BigInt(where);
  }
  if (typeof value === 'function') return BigInt(parts.code.expose(value as Routine));
  if (typeof value === 'string') {
    const wide = spec.bits === 16;
    const where = reserve((value.length + 1) * (wide ? 2 : 1));
    for (let i = 0; i < value.length; i++) {
      if (wide) parts.memory.writeU16(at(where, 2 * i), value.charCodeAt(i));
      else parts.memory.writeU8(at(where, i), value.charCodeAt(i));
    }
    return BigInt(where);
  }
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return typeof value === 'bigint' ? value : BigInt(Math.trunc(value as number));
}

/** A result that outlives the call: a structure's fields by value, for the memory its view shows goes with the call. */
function copied(type: CType<unknown, unknown>, value: unknown): unknown {
  const { fields } = type as Partial<Struct>;
  if (fields === undefined) return value;
  const view = value as Record<string, unknown>;
  const inner = Object.entries(fields).map(([field, fieldType]) => [field, copied(fieldType, view[field])]);
  return { ...Object.fromEntries(inner), address: view.address };
}

/** A copy of an object literal in which routines are addresses. */
function withAddresses(code: HostCode, value: unknown): unknown {
  if (typeof value === 'function') return code.expose(value as Routine);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((element) => withAddresses(code, element));
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, withAddresses(code, inner)]));
}

/** The miniport's own lines on the JavaScript stack: files that are not haltex's. */
export function callSite(error: Error): Stack {
  const lines = error.stack?.split('\n') ?? [];
  const frames: Frame[] = [];
  for (const line of lines) {
    const match = /at (?:(.*?) \()?(?:file:\/\/)?(.*?):(\d+):\d+\)?$/.exec(line.trim());
    if (match === null) continue;
    const [, fn, path, row] = match as unknown as [string, string | undefined, string, string];
    if (isOwn(path)) continue;
    const name = fn?.replace(/^Generator\.|^Object\.|\.next$/g, '').replace(/^.* as /, '');
    frames.push({
      address: NULL,
      module: path.slice(path.lastIndexOf('/') + 1),
      offset: Number(row),
      ...(name === undefined || name === 'next' || name === '' ? {} : { name }),
    });
  }
  return frames;
}

/**
 * haltex's own files, Node's, and the <anonymous> frames of generators. In a browser haltex' own have the address they came from,
 * and a user's module has a bare name.
 */
function isOwn(path: string): boolean {
  return /^(node|https?):/.test(path) || path === '<anonymous>' || OWN_ROOM.test(path);
}
const OWN_ROOM = /\/(src|dist)\/(kernel|ndis|machine|explore|x64|devices|cli|trace)\/[^/]*$|\/node_modules\//;
