/** Miniports written in TypeScript: the same NDIS, the same rules, typed by the field's names. */
import { kernelFunctions } from '../kernel/functions.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { CType, Fields, Init, Struct, View } from '../kernel/layout.ts';
import { Locals, type Native, nativeFaces } from '../kernel/native.ts';
import { type Coroutine, isCoroutine } from '../kernel/scheduler.ts';
import { ndisFunctions } from '../ndis/functions.ts';
import type { Handler } from '../ndis/routines.ts';
import { type Address, at, type Handle, NULL } from '../trace/units.ts';
import { type GuestMemory, Shadow } from '../x64/memory.ts';

type Functions = typeof kernelFunctions & typeof ndisFunctions;

/** A UNICODE_STRING with the address of its characters. */
export interface UnicodeString {
  readonly Length: number;
  readonly MaximumLength: number;
  readonly Buffer: Address;
}

/** What C has and a function of the kernel is not: variables, constants, port instructions, and short forms of usual calls. */
export interface Conveniences {
  /** Guest memory: every access is checked as guest code's is, and device registers answer. */
  readonly memory: GuestMemory;
  /** A local variable of the running routine. It is gone when the routine returns. */
  local<F extends Fields>(type: Struct<F>, values?: Init<F>): View<F>;
  /** Constant data of the driver's image: may be read as long as the driver is loaded, and never written. */
  constant<I>(type: CType<unknown, I>, value: I): Address;
  /** NDIS_STRING_CONST. */
  string(text: string): UnicodeString;
  /** NdisAllocateMemoryWithTagPriority and NdisZeroMemory; undefined when there is no memory. */
  allocate<F extends Fields>(
    type: Struct<F>,
    from: { readonly NdisHandle: Handle; readonly Tag: number },
  ): Coroutine<View<F> | undefined>;
  /** NdisAcquireSpinLock, the body, NdisReleaseSpinLock; gives what the body gives. */
  locked<T>(lock: { readonly address: Address }, body: () => Coroutine<T> | T): Coroutine<T>;
  /** NDIS_RAISE_IRQL_TO_DISPATCH, the body, NDIS_LOWER_IRQL; gives what the body gives. */
  atDispatch<T>(body: () => Coroutine<T> | T): Coroutine<T>;
  /** `in` and `out`: the port instructions that NdisRawReadPort… and NdisRawWritePort… inline to. */
  readPort(port: number, size: 1 | 2 | 4): number;
  /** Writes to an I/O port, as WRITE_PORT_UCHAR, _USHORT and _ULONG do. */
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
}

/** What a TypeScript miniport is given: every function of the kernel and NDIS as a typed generator, and what else C has. */
export type Wdk = Native<Functions> & Conveniences;

/** A miniport in TypeScript, as `defineMiniport` gives it. */
export interface Miniport {
  readonly kind: 'haltex-miniport';
  /** Called once for every run, so that nothing outlives it: keep all state inside. */
  readonly load: (wdk: Wdk) => {
    /** As I/O calls it when the driver is loaded; what else NDIS calls, it registers. */
    readonly DriverEntry: Handler<'DriverEntry'>;
  };
}

/** Declares a miniport: `export default defineMiniport((wdk) => { …; return { DriverEntry } })`. */
export function defineMiniport(load: Miniport['load']): Miniport {
  return { kind: 'haltex-miniport', load };
}

export function isMiniport(value: unknown): value is Miniport {
  return typeof value === 'object' && value !== null && (value as Partial<Miniport>).kind === 'haltex-miniport';
}

const faceOf = nativeFaces({ ...kernelFunctions, ...ndisFunctions });

/** The face of one machine. */
export function wdkOf(kernel: Kernel): Wdk {
  const face = faceOf(kernel) as unknown as Native<Functions>;
  return Object.assign(face, conveniences(kernel, face));
}

/** NormalPoolPriority. */
const NORMAL_POOL_PRIORITY = 16;

function conveniences(kernel: Kernel, wdk: Native<Functions>): Conveniences {
  const { memory, heap, hardware } = kernel;
  const locals = new Locals(kernel);
  const constant = <I>(type: CType<unknown, I>, value: I): Address => {
    const address = heap.allocate(type.size, 'constant data of the driver', { fill: 0 });
    type.write(memory, address, value);
    memory.setShadow(address, type.size, Shadow.ReadOnly);
    return address;
  };
  return {
    memory,
    constant,
    local: (type, values) => locals.declare(type, values),
    string(text) {
      const units = Uint16Array.from([...text, '\0'], (char) => char.charCodeAt(0));
      const Buffer = constant(wideText(units.length), units);
      return { Length: 2 * text.length, MaximumLength: 2 * units.length, Buffer };
    },
    *allocate(type, { NdisHandle, Tag }) {
      const Priority = NORMAL_POOL_PRIORITY;
      const address = yield* wdk.NdisAllocateMemoryWithTagPriority({ NdisHandle, Length: type.size, Tag, Priority });
      if (address === NULL) return undefined;
      memory.fill(address, type.size, 0);
      return type.at(memory, address);
    },
    *locked({ address: SpinLock }, body) {
      yield* wdk.NdisAcquireSpinLock({ SpinLock });
      const result = yield* run(body);
      yield* wdk.NdisReleaseSpinLock({ SpinLock });
      return result;
    },
    *atDispatch(body) {
      const NewIrql = yield* wdk.KeRaiseIrqlToDpcLevel();
      const result = yield* run(body);
      yield* wdk.KeLowerIrql({ NewIrql });
      return result;
    },
    readPort: (port, size) => hardware.readPort(port, size),
    writePort: (port, size, value) => hardware.writePort(port, size, value),
  };
}

function* run<T>(body: () => Coroutine<T> | T): Coroutine<T> {
  const given = body();
  return isCoroutine(given) ? yield* given : given;
}

const wideText = (length: number): CType<unknown, Uint16Array> => ({
  size: 2 * length,
  align: 2,
  read: () => undefined,
  write(memory, address, units) {
    for (const [i, unit] of units.entries()) memory.writeU16(at(address, 2 * i), unit);
  },
});
