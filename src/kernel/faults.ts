/**
 * What a refused access or a processor exception means on x64 Windows: an exception that a driver may handle, or the end of
 * the machine. Bug check codes and their meanings: Microsoft's "Bug check code reference"; which one MmAccessFault chooses is
 * observed behaviour.
 */
import type { FaultEvent } from '../trace/events.ts';
import { type Address, at, DISPATCH_LEVEL, hex, type Irql, irqlName, toBits } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import { type ExceptionData, ExceptionFlag } from './exception-structures.ts';
import { Status } from './status.ts';

export const BugCheckCode = {
  IRQL_NOT_LESS_OR_EQUAL: 0x0a,
  KMODE_EXCEPTION_NOT_HANDLED: 0x1e,
  PAGE_FAULT_IN_NONPAGED_AREA: 0x50,
  SYSTEM_THREAD_EXCEPTION_NOT_HANDLED: 0x7e,
  UNEXPECTED_KERNEL_MODE_TRAP: 0x7f,
  ATTEMPTED_WRITE_TO_READONLY_MEMORY: 0xbe,
  DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS: 0xce,
  DRIVER_IRQL_NOT_LESS_OR_EQUAL: 0xd1,
  ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY: 0xfc,
  KERNEL_SECURITY_CHECK_FAILURE: 0x139,
} as const;

/** A refused access. */
export interface RefusedAccess {
  readonly access: 'read' | 'write' | 'execute';
  readonly address: Address;
  readonly size: number;
  readonly shadow: number;
}

/** The first address above user space, and the last below kernel space, that a processor takes. */
const CANONICAL = 2 ** 47;

export function isCanonical(address: Address): boolean {
  return address >= -CANONICAL && address < CANONICAL;
}

/** Why an access was refused, in the trace's words. */
export function whyRefused({ access, address, shadow }: RefusedAccess): FaultEvent['why'] {
  if (address >= 0 && address < 0x10000) return 'null';
  if (address >= 0) return 'user';
  if (shadow === Shadow.Freed) return 'freed';
  if (shadow === Shadow.Guard) return 'guard';
  if (shadow === Shadow.StackGuard) return 'stack-overflow';
  if (shadow === Shadow.Pageable || shadow === Shadow.PageableReadOnly) return 'pageable';
  if (access === 'execute') return 'not-code';
  if (shadow === Shadow.Device) return 'device-gone';
  return shadow === Shadow.ReadOnly && access === 'write' ? 'read-only' : 'unmapped';
}

const whyWords: Readonly<Record<FaultEvent['why'], string>> = {
  null: 'a NULL pointer',
  unmapped: 'nothing is there',
  freed: 'memory that has been freed',
  guard: 'outside any block',
  'read-only': 'read-only memory',
  pageable: 'pageable memory',
  'stack-overflow': 'the kernel stack is used up',
  'device-gone': 'no device answers there',
  user: 'a user-mode address',
  'not-code': 'no code is there',
};

const does = { read: 'reads', write: 'writes', execute: 'executes' } as const;

/** `reads 4 bytes at 0x0 (a NULL pointer)` */
export function describeAccess(fault: RefusedAccess): string {
  const what = fault.access === 'execute' ? 'code' : fault.size === 1 ? '1 byte' : `${fault.size} bytes`;
  return `${does[fault.access]} ${what} at ${hex(fault.address)} (${whyWords[whyRefused(fault)]})`;
}

/** The access violation a driver may handle; undefined when Windows stops at once. */
export function accessViolation(fault: RefusedAccess, irql: Irql, where: Address): ExceptionData | undefined {
  const { access, address } = fault;
  // A non-canonical address is a general protection fault, which Windows shows as a read of the last address.
  if (!isCanonical(address)) return violation(where, 0n, toBits(-1));
  // Above APC_LEVEL the memory manager resolves no page fault, whatever the address.
  if (address < 0 || irql >= DISPATCH_LEVEL) return undefined;
  return violation(where, access === 'read' ? 0n : access === 'write' ? 1n : 8n, toBits(address));
}

function violation(where: Address, access: bigint, address: bigint): ExceptionData {
  return { code: Status.ACCESS_VIOLATION, flags: 0, address: where, parameters: [access, address] };
}

/** The bug check for an access that no driver can handle, and what is to be said about it. */
export function fatalAccess(fault: RefusedAccess, irql: Irql, byKernel: boolean): { code: number; reason: string } {
  const why = whyRefused(fault);
  const { access, shadow } = fault;
  if (why === 'stack-overflow') {
    return { code: BugCheckCode.UNEXPECTED_KERNEL_MODE_TRAP, reason: 'which is a double fault' };
  }
  if (access === 'write' && (shadow === Shadow.ReadOnly || shadow === Shadow.PageableReadOnly)) {
    return { code: BugCheckCode.ATTEMPTED_WRITE_TO_READONLY_MEMORY, reason: 'which no driver may write' };
  }
  if (access === 'execute' && isPresent(shadow)) {
    return { code: BugCheckCode.ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, reason: 'which holds data' };
  }
  if (irql >= DISPATCH_LEVEL) {
    const code = byKernel ? BugCheckCode.IRQL_NOT_LESS_OR_EQUAL : BugCheckCode.DRIVER_IRQL_NOT_LESS_OR_EQUAL;
    return { code, reason: `at ${irqlName(irql)}, where no page fault can be resolved` };
  }
  return { code: BugCheckCode.PAGE_FAULT_IN_NONPAGED_AREA, reason: 'which no exception handler can catch' };
}

const isPresent = (shadow: number): boolean => shadow >= Shadow.Pageable && shadow !== Shadow.StackGuard;

/** Exceptions of the processor as NTSTATUS, by vector. KiDivideErrorFault and its neighbours (observed). */
const vectors: Readonly<Record<number, { readonly code: number; readonly name: string }>> = {
  0: { code: 0xc0000094, name: 'an integer division by zero' },
  1: { code: 0x80000004, name: 'a single step' },
  3: { code: 0x80000003, name: 'a breakpoint' },
  4: { code: 0xc0000095, name: 'an integer overflow' },
  6: { code: 0xc000001d, name: 'an invalid instruction' },
  13: { code: 0xc0000005, name: 'a general protection fault' },
  16: { code: 0xc0000090, name: 'an invalid floating-point operation' },
  17: { code: 0x80000002, name: 'a misaligned access' },
  19: { code: 0xc00002b5, name: 'a floating-point exception' },
  44: { code: 0xc0000420, name: 'an assertion failure' },
};

/** `__fastfail`: no handler is asked. */
export const FASTFAIL_VECTOR = 0x29;

/** The exception a processor vector becomes; `rip` is as the CPU left it. */
export function processorException(vector: number, rip: Address): ExceptionData | undefined {
  const known = vectors[vector];
  if (known === undefined) return undefined;
  const parameters = vector === 13 ? [0n, toBits(-1)] : vector === 3 ? [0n] : [];
  // A breakpoint is reported at the int3 itself.
  return { code: known.code, flags: 0, address: vector === 3 ? at(rip, -1) : rip, parameters };
}

/** `an integer division by zero`, or the code as hex. */
export function exceptionName(code: number): string {
  if (code === Status.ACCESS_VIOLATION) return 'an access violation';
  return Object.values(vectors).find((known) => known.code === code)?.name ?? `the exception ${hex(code)}`;
}

/** ExRaiseStatus: the exception cannot be continued. */
export function statusException(status: number, where: Address): ExceptionData {
  return { code: status >>> 0, flags: ExceptionFlag.NONCONTINUABLE, address: where, parameters: [] };
}

/** FAST_FAIL_… codes that compilers and the WDK's inline functions emit (winnt.h, wdm.h). */
const fastFails: Readonly<Record<number, string>> = {
  0: 'a security check of old compilers failed',
  1: 'a virtual function table is wrong',
  2: 'the stack cookie is wrong: a buffer on the stack was overrun',
  3: 'a list entry is corrupted, or was removed twice',
  4: 'an incorrect stack pointer',
  5: 'an invalid argument',
  7: 'a fatal exit',
  8: 'an index is out of bounds',
  10: 'an indirect call goes to a place that is no function (control flow guard)',
};

export function fastFailReason(code: number): string {
  return fastFails[code] ?? `fast fail code ${code}`;
}
