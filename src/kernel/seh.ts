/**
 * The functions of structured exception handling: what compilers call (`__C_specific_handler`, `_local_unwind`), what drivers
 * call (`ExRaiseStatus`, `RtlUnwindEx`), and the table look-ups behind them. The work is done in exception-dispatch.ts.
 * Pages: wdm-exraisestatus, ntifs-rtlcapturecontext; learn.microsoft.com/windows/win32/devnotes/--c-specific-handler2; those of
 * winnt.h for the rest. What __C_specific_handler does with a scope table is in Microsoft's "x64 exception handling".
 */

import { virtualUnwind } from '../image/unwind.ts';
import { findFunction } from '../image/unwind-info.ts';
import { type Address, at, hex, NULL, toBits } from '../trace/units.ts';
import { Register } from '../x64/cpu.ts';
import { type Activation, activationsOf } from './activation.ts';
import { placeName, returnAddressOf } from './exception-dispatch.ts';
import {
  areaBelow,
  DISPATCHER_CONTEXT,
  Disposition,
  EXCEPTION_POINTERS,
  EXCEPTION_RECORD,
  ExceptionFlag,
  readContext,
  updateContext,
  writeContext,
} from './exception-structures.ts';
import type { Kernel } from './kernel.ts';
import { pointer, u32 } from './layout.ts';
import { RaisedRecord, RaisedStatus } from './raised-status.ts';
import { ANY, D, functionsOf, IN, LONG, OUT, POINTER, ULONG, ULONG64 } from './record.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';
import { InternalError } from './stops.ts';

/** SCOPE_TABLE_AMD64: a count, then records of four RVAs. */
const SCOPE_RECORD = 16;
const EXECUTE_HANDLER = 1;
/** More `__try` blocks than a function can have. */
const MAX_SCOPES = 4096;
const DATATYPE_MISALIGNMENT = 0x80000002;
const BAD_FUNCTION_TABLE = 0xc00000ff;

interface Scope {
  readonly begin: number;
  readonly end: number;
  /** Filter or termination handler. */
  readonly handler: number;
  /** Where `__except` continues; 0 for `__finally`. */
  readonly target: number;
}

function readScopes({ memory }: Kernel, table: Address): Scope[] {
  const count = Math.min(memory.readU32(table), MAX_SCOPES);
  return Array.from({ length: count }, (_, index) => {
    const record = at(table, 4 + SCOPE_RECORD * index);
    const word = (offset: number) => memory.readU32(at(record, offset));
    return { begin: word(0), end: word(4), handler: word(8), target: word(12) };
  });
}

const inside = (scope: Scope, rva: number): boolean => rva >= scope.begin && rva < scope.end;

/** The routine whose call to the kernel is in progress. */
function caller(kernel: Kernel): Activation {
  const activation = activationsOf(kernel.scheduler.current).at(-1);
  if (activation === undefined)
    throw new InternalError('no-guest-frame', 'a function for guest code is called without any');
  return activation;
}

/** The search: asks the filters of the `__except` blocks around the control PC, innermost first. */
function* search(
  kernel: Kernel,
  handler: { record: Address; frame: Address; context: Address; dispatcher: Address },
): Coroutine<number> {
  const { memory, exceptions } = kernel;
  const dispatcher = DISPATCHER_CONTEXT.at(memory, handler.dispatcher);
  const { ImageBase: base, HistoryTable: historyTable } = dispatcher;
  const pc = dispatcher.ControlPc - base;
  const scopes = readScopes(kernel, dispatcher.HandlerData);
  for (const scope of scopes.slice(dispatcher.ScopeIndex)) {
    if (!inside(scope, pc) || scope.target === 0) continue;
    let answer = EXECUTE_HANDLER;
    if (scope.handler !== EXECUTE_HANDLER) {
      const routine = at(base, scope.handler);
      // EXCEPTION_POINTERS lie on the stack; the block of structures below the caller has room for them.
      const registers = exceptions.guest.registers(kernel.scheduler.current);
      const { start, pointers } = areaBelow(registers.gpr[Register.RSP] as bigint);
      EXCEPTION_POINTERS.write(memory, pointers, { ExceptionRecord: handler.record, ContextRecord: handler.context });
      registers.gpr[Register.RSP] = toBits(start);
      const bits = yield* exceptions.guest.call(routine, [toBits(pointers), toBits(handler.frame)]);
      answer = Number(BigInt.asIntN(32, bits));
    }
    if (answer < 0) return Disposition.ContinueExecution;
    if (answer === 0) continue;
    const ip = at(base, scope.target);
    const code = EXCEPTION_RECORD.at(memory, handler.record).ExceptionCode;
    kernel.trace.emit({
      kind: 'fact',
      what: 'exception-handled',
      detail: { code: hex(code), place: placeName(exceptions, ip) },
    });
    const target = { frame: handler.frame, ip, record: handler.record, value: BigInt(code), historyTable };
    yield* exceptions.dispatcher.unwind(kernel.scheduler.current, target);
  }
  return Disposition.ContinueSearch;
}

/** The unwind: runs the `__finally` blocks that are left, innermost first. */
function* terminate(
  kernel: Kernel,
  handler: { record: Address; frame: Address; dispatcher: Address },
): Coroutine<number> {
  const { memory, exceptions } = kernel;
  const dispatcher = DISPATCHER_CONTEXT.at(memory, handler.dispatcher);
  const base = dispatcher.ImageBase;
  const pc = dispatcher.ControlPc - base;
  const targetPc = dispatcher.TargetIp - base;
  const isTarget = (EXCEPTION_RECORD.at(memory, handler.record).ExceptionFlags & ExceptionFlag.TARGET_UNWIND) !== 0;
  const scopes = readScopes(kernel, dispatcher.HandlerData);
  for (let index = dispatcher.ScopeIndex; index < scopes.length; index++) {
    const scope = scopes[index] as Scope;
    if (!inside(scope, pc)) continue;
    if (isTarget) {
      // The target lies in the same block: it and those around it are not left.
      const same = ({ handler: other, target }: Scope) => other === scope.handler && target === scope.target;
      if (scopes.some((other) => inside(other, targetPc) && same(other))) break;
      if (scope.target !== 0 && scope.target === targetPc) break;
    }
    if (scope.target !== 0) continue;
    // An exception in the termination handler must not run it again.
    dispatcher.ScopeIndex = index + 1;
    yield* exceptions.guest.call(at(base, scope.handler), [1n, toBits(handler.frame)]);
  }
  return Disposition.ContinueSearch;
}

const f = functionsOf<Kernel>();
const module = 'ntoskrnl.exe';

function* unwindTo(kernel: Kernel, frame: Address, ip: Address, record: Address, value: bigint): Coroutine<undefined> {
  return yield* kernel.exceptions.dispatcher.unwind(kernel.scheduler.current, {
    frame,
    ip,
    record,
    value,
    historyTable: NULL,
  });
}

const raises = (page: string, status: number) =>
  f({
    module,
    page,
    params: {},
    returns: 'void',
    irql: ANY,
    body(_kernel, _args, { fn }) {
      throw new RaisedStatus(status, fn);
    },
  });

export const sehFunctions = {
  __C_specific_handler: f({
    module,
    page: 'winnt-__c_specific_handler',
    params: { ExceptionRecord: POINTER, EstablisherFrame: POINTER, ContextRecord: POINTER, DispatcherContext: POINTER },
    returns: 'i32',
    irql: ANY,
    *body(kernel, args) {
      const {
        ExceptionRecord: record,
        EstablisherFrame: frame,
        ContextRecord: context,
        DispatcherContext: dispatcher,
      } = args;
      const { ExceptionFlags } = EXCEPTION_RECORD.at(kernel.memory, record);
      return (ExceptionFlags & ExceptionFlag.UNWIND) === 0
        ? yield* search(kernel, { record, frame, context, dispatcher })
        : yield* terminate(kernel, { record, frame, dispatcher });
    },
  }),
  _local_unwind: f({
    module,
    page: 'winnt-_local_unwind',
    params: { EstablisherFrame: POINTER, TargetIp: POINTER },
    returns: 'void',
    irql: ANY,
    *body(kernel, { EstablisherFrame, TargetIp }) {
      return yield* unwindTo(kernel, EstablisherFrame, TargetIp, NULL, 0n);
    },
  }),
  RtlUnwind: f({
    module,
    page: 'winnt-rtlunwind',
    params: { TargetFrame: POINTER, TargetIp: POINTER, ExceptionRecord: POINTER, ReturnValue: ULONG64 },
    returns: 'void',
    irql: ANY,
    *body(kernel, { TargetFrame, TargetIp, ExceptionRecord, ReturnValue }) {
      return yield* unwindTo(kernel, TargetFrame, TargetIp, ExceptionRecord, ReturnValue);
    },
  }),
  RtlUnwindEx: f({
    module,
    page: 'winnt-rtlunwindex',
    params: {
      TargetFrame: POINTER,
      TargetIp: POINTER,
      ExceptionRecord: POINTER,
      ReturnValue: ULONG64,
      ContextRecord: POINTER,
      HistoryTable: POINTER,
    },
    returns: 'void',
    irql: ANY,
    *body(kernel, { TargetFrame, TargetIp, ExceptionRecord, ReturnValue }) {
      return yield* unwindTo(kernel, TargetFrame, TargetIp, ExceptionRecord, ReturnValue);
    },
  }),
  ExRaiseStatus: f({
    module,
    page: 'wdm-exraisestatus',
    params: { Status: LONG },
    returns: 'void',
    irql: ANY,
    body(_kernel, { Status: status }, { fn }) {
      throw new RaisedStatus(status >>> 0, fn);
    },
  }),
  RtlRaiseStatus: f({
    module,
    page: 'ntifs-rtlraisestatus',
    params: { Status: LONG },
    returns: 'void',
    irql: ANY,
    body(_kernel, { Status: status }, { fn }) {
      throw new RaisedStatus(status >>> 0, fn);
    },
  }),
  ExRaiseAccessViolation: raises('ntddk-exraiseaccessviolation', Status.ACCESS_VIOLATION),
  ExRaiseDatatypeMisalignment: raises('ntddk-exraisedatatypemisalignment', DATATYPE_MISALIGNMENT),
  RtlRaiseException: f({
    module,
    page: 'winnt-rtlraiseexception',
    params: { ExceptionRecord: IN(EXCEPTION_RECORD) },
    returns: 'void',
    irql: ANY,
    body(_kernel, { ExceptionRecord: record }, site) {
      record.ExceptionAddress = site.caller;
      const count = Math.min(record.NumberParameters, 15);
      throw new RaisedRecord(record.address, {
        code: record.ExceptionCode,
        flags: record.ExceptionFlags,
        address: site.caller,
        parameters: record.ExceptionInformation.slice(0, count),
      });
    },
  }),
  RtlCaptureContext: f({
    module,
    page: 'ntifs-rtlcapturecontext',
    params: { ContextRecord: POINTER },
    returns: 'void',
    irql: ANY,
    body(kernel, { ContextRecord }) {
      const activation = caller(kernel);
      const registers = kernel.exceptions.guest.registers(activation.context);
      const gpr = activation.gpr.slice();
      gpr[Register.RSP] = (gpr[Register.RSP] as bigint) + 8n;
      writeContext(kernel.memory, ContextRecord, {
        gpr,
        xmm: registers.xmm,
        rip: returnAddressOf(kernel.exceptions, activation),
        rflags: registers.rflags,
        mxcsr: registers.mxcsr,
      });
      return undefined;
    },
  }),
  RtlLookupFunctionEntry: f({
    module,
    page: 'winnt-rtllookupfunctionentry',
    params: { ControlPc: POINTER, ImageBase: OUT(pointer), HistoryTable: POINTER },
    returns: 'pointer',
    irql: ANY,
    body({ modules }, { ControlPc, ImageBase }) {
      const found = modules.at(ControlPc);
      if (found === undefined) return NULL;
      ImageBase.set(found.base);
      const entry = findFunction(found.image, ControlPc - found.base);
      return entry === undefined ? NULL : modules.functionEntry(found, entry);
    },
  }),
  RtlVirtualUnwind: f({
    module,
    page: 'winnt-rtlvirtualunwind',
    params: {
      HandlerType: ULONG,
      ImageBase: POINTER,
      ControlPc: POINTER,
      FunctionEntry: POINTER,
      ContextRecord: POINTER,
      HandlerData: OUT(pointer),
      EstablisherFrame: OUT(pointer),
      ContextPointers: POINTER,
    },
    returns: 'pointer',
    irql: ANY,
    body({ memory, modules }, args) {
      const found = modules.at(args.ControlPc);
      if (found === undefined) throw new RaisedStatus(BAD_FUNCTION_TABLE, 'RtlVirtualUnwind');
      const context = { ...readContext(memory, args.ContextRecord), rip: args.ControlPc };
      const unwound = virtualUnwind(found.image, found.base, context, (address) => memory.readU64(address));
      updateContext(memory, args.ContextRecord, unwound.context);
      args.EstablisherFrame.set(unwound.establisherFrame);
      const { handler } = unwound;
      const wanted = (args.HandlerType & 1) !== 0 ? handler?.exception : handler?.termination;
      if (handler === undefined || args.HandlerType === 0 || !wanted) return NULL;
      args.HandlerData.set(at(found.base, handler.dataRva));
      return at(found.base, handler.rva);
    },
  }),
  RtlPcToFileHeader: f({
    module,
    page: 'winnt-rtlpctofileheader',
    params: { PcValue: POINTER, BaseOfImage: OUT(pointer) },
    returns: 'pointer',
    irql: ANY,
    body({ modules }, { PcValue, BaseOfImage }) {
      const base = modules.at(PcValue)?.base ?? NULL;
      BaseOfImage.set(base);
      return base;
    },
  }),
  RtlCaptureStackBackTrace: f({
    module,
    page: 'ntifs-rtlcapturestackbacktrace',
    params: { FramesToSkip: ULONG, FramesToCapture: ULONG, BackTrace: POINTER, BackTraceHash: OUT(u32) },
    returns: 'u16',
    irql: D,
    body(kernel, { FramesToSkip, FramesToCapture, BackTrace, BackTraceHash }) {
      // The first frame of haltex' own stack is the function itself.
      const found = kernel.stack().slice(1 + FramesToSkip, 1 + FramesToSkip + FramesToCapture);
      found.forEach(({ address }, index) => {
        kernel.memory.writePointer(at(BackTrace, 8 * index), address);
      });
      if (BackTraceHash.present)
        BackTraceHash.set(found.reduce((sum, { address }) => (sum + Number(toBits(address) & 0xffffffffn)) >>> 0, 0));
      return found.length;
    },
  }),
};
