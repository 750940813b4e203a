/**
 * The structures of x64 exception handling, as filters and language handlers find them in guest memory.
 * Layouts: ntddk.h and wdm.h; offsets as in the WDK's ksamd64.inc, ScopeIndex from the SDK's winnt.h.
 */
import { type Address, at, fromBits, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { SavedRegisters } from './activation.ts';
import { array, pointer, struct, u32, u64 } from './layout.ts';

export const EXCEPTION_RECORD = struct('EXCEPTION_RECORD', {
  ExceptionCode: u32,
  ExceptionFlags: u32,
  ExceptionRecord: pointer,
  ExceptionAddress: pointer,
  NumberParameters: u32,
  ExceptionInformation: array(u64, 15),
});

export const DISPATCHER_CONTEXT = struct('DISPATCHER_CONTEXT', {
  ControlPc: pointer,
  ImageBase: pointer,
  FunctionEntry: pointer,
  EstablisherFrame: pointer,
  TargetIp: pointer,
  ContextRecord: pointer,
  LanguageHandler: pointer,
  HandlerData: pointer,
  HistoryTable: pointer,
  ScopeIndex: u32,
  Fill0: u32,
});

export const EXCEPTION_POINTERS = struct('EXCEPTION_POINTERS', { ExceptionRecord: pointer, ContextRecord: pointer });

/** Bits of ExceptionFlags. */
export const ExceptionFlag = {
  NONCONTINUABLE: 0x01,
  UNWINDING: 0x02,
  EXIT_UNWIND: 0x04,
  STACK_INVALID: 0x08,
  NESTED_CALL: 0x10,
  TARGET_UNWIND: 0x20,
  COLLIDED_UNWIND: 0x40,
  UNWIND: 0x66,
} as const;

/** EXCEPTION_DISPOSITION: what a language handler answers. */
export const Disposition = { ContinueExecution: 0, ContinueSearch: 1, NestedException: 2, CollidedUnwind: 3 } as const;

/** Bytes of a CONTEXT. */
export const CONTEXT_SIZE = 0x4d0;
const CONTEXT_FLAGS = 0x30;
const MXCSR = 0x34;
const SEGMENTS = 0x38;
const EFLAGS = 0x44;
const RAX = 0x78;
const RIP = 0xf8;
const FLOAT_SAVE = 0x100;
const FLOAT_SAVE_MXCSR = FLOAT_SAVE + 0x18;
const XMM0 = 0x1a0;
/** CONTEXT_AMD64 with CONTROL, INTEGER, SEGMENTS and FLOATING_POINT. */
const FULL = 0x0010_000f;
/** CS, DS, ES, FS, GS, SS of kernel code on x64 Windows (observed). */
const KERNEL_SEGMENTS = [0x10, 0x2b, 0x2b, 0x53, 0x2b, 0x18];

/** Writes a whole CONTEXT; fields haltex does not keep (debug registers, x87) are zero. */
export function writeContext(memory: GuestMemory, address: Address, registers: SavedRegisters): void {
  memory.fill(address, CONTEXT_SIZE, 0);
  memory.writeU32(at(address, CONTEXT_FLAGS), FULL);
  memory.writeU32(at(address, MXCSR), registers.mxcsr);
  memory.writeU32(at(address, FLOAT_SAVE_MXCSR), registers.mxcsr);
  KERNEL_SEGMENTS.forEach((selector, index) => {
    memory.writeU16(at(address, SEGMENTS + 2 * index), selector);
  });
  memory.writeU32(at(address, EFLAGS), registers.rflags);
  registers.gpr.forEach((value, index) => {
    memory.writeU64(at(address, RAX + 8 * index), value);
  });
  memory.writePointer(at(address, RIP), registers.rip);
  registers.xmm.forEach((value, index) => {
    memory.writeU64(at(address, XMM0 + 8 * index), value);
  });
}

/** Writes what unwinding a frame changes: RIP, the general registers, XMM0..XMM15. */
export function updateContext(
  memory: GuestMemory,
  address: Address,
  registers: { readonly gpr: BigUint64Array; readonly xmm: BigUint64Array; readonly rip: Address },
): void {
  registers.gpr.forEach((value, index) => {
    memory.writeU64(at(address, RAX + 8 * index), value);
  });
  memory.writePointer(at(address, RIP), registers.rip);
  registers.xmm.forEach((value, index) => {
    memory.writeU64(at(address, XMM0 + 8 * index), value);
  });
}

/** Sets the RAX of a CONTEXT. */
export function setContextRax(memory: GuestMemory, address: Address, value: bigint): void {
  memory.writeU64(at(address, RAX), value);
}

export function readContext(memory: GuestMemory, address: Address): SavedRegisters {
  const gpr = new BigUint64Array(16);
  const xmm = new BigUint64Array(32);
  for (let index = 0; index < 16; index++) gpr[index] = memory.readU64(at(address, RAX + 8 * index));
  for (let index = 0; index < 32; index++) xmm[index] = memory.readU64(at(address, XMM0 + 8 * index));
  return {
    gpr,
    xmm,
    rip: fromBits(memory.readU64(at(address, RIP))),
    rflags: memory.readU32(at(address, EFLAGS)),
    mxcsr: memory.readU32(at(address, MXCSR)),
  };
}

/** An exception before it is a record. */
export interface ExceptionData {
  readonly code: number;
  readonly flags: number;
  /** Where it happened. */
  readonly address: Address;
  readonly parameters: readonly bigint[];
  /** The record it follows from. */
  readonly chained?: Address;
}

export function writeRecord(memory: GuestMemory, address: Address, data: ExceptionData): void {
  memory.fill(address, EXCEPTION_RECORD.size, 0);
  EXCEPTION_RECORD.write(memory, address, {
    ExceptionCode: data.code,
    ExceptionFlags: data.flags,
    ExceptionRecord: data.chained ?? NULL,
    ExceptionAddress: data.address,
    NumberParameters: data.parameters.length,
    ExceptionInformation: data.parameters,
  });
}

/** Where the structures of one dispatch or unwind lie: a block on the guest's stack, as in KiDispatchException. */
export interface ExceptionArea {
  readonly start: Address;
  readonly record: Address;
  /** The CONTEXT handlers get as their argument. */
  readonly context: Address;
  /** The CONTEXT the DISPATCHER_CONTEXT points to. */
  readonly unwound: Address;
  readonly dispatcher: Address;
  readonly pointers: Address;
}

/** Lays the structures out below a stack pointer. Nothing is written yet. */
export function areaBelow(rsp: bigint): ExceptionArea {
  const sizes = [EXCEPTION_POINTERS.size, DISPATCHER_CONTEXT.size, EXCEPTION_RECORD.size, CONTEXT_SIZE, CONTEXT_SIZE];
  const start = fromBits((rsp & ~15n) - BigInt(sizes.reduce((sum, size) => sum + align(size), 0)));
  const starts: Address[] = [];
  let next = start;
  for (const size of sizes) {
    starts.push(next);
    next = at(next, align(size));
  }
  const [pointers, dispatcher, record, context, unwound] = starts as [Address, Address, Address, Address, Address];
  return { start, record, context, unwound, dispatcher, pointers };
}

const align = (size: number): number => Math.ceil(size / 16) * 16;
