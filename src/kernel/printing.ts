/**
 * What a driver prints: the sprintf family, and the debugger's output, which becomes a fact of the trace. Without a debugger
 * (and none is attached here) a breakpoint in a driver ends in a bugcheck, as documented for DbgBreakPoint.
 * Pages: C runtime reference (`crt:…`), wdm-dbgprint, wdm-dbgprintex, wdm-vdbgprintex.
 */
import type { Address } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { format, fromCall, fromList, type NextArgument } from './format.ts';
import type { Kernel } from './kernel.ts';
import { ANY, functionsOf, POINTER, SIZE_T, STRING, ULONG, VARARGS, WSTRING } from './record.ts';
import { Status } from './status.ts';
import { BugCheck } from './stops.ts';
import { narrowBytes, wideBytes } from './strings.ts';

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', page: 'crt:printf' } as const;
/** _TRUNCATE, as a SIZE_T argument arrives. */
const TRUNCATE = 2 ** 64;

/** How a printing function ends when the text does not fit. */
type Style =
  /** sprintf: the buffer is said to be large enough. */
  | 'trusting'
  /** _snprintf: -1, and no terminator where none fits. */
  | 'cutting'
  /** sprintf_s: the driver's error; an empty string and -1. */
  | 'secure';

function put(
  memory: GuestMemory,
  to: Address,
  text: string,
  wide: boolean,
  style: Style,
  room: number,
  count = TRUNCATE,
): number {
  const unit = wide ? 2 : 1;
  const write = (shown: string, end: boolean) =>
    memory.write(to, (wide ? wideBytes : narrowBytes)(end ? `${shown}\0` : shown));
  if (style === 'trusting' || text.length + (style === 'secure' ? 1 : 0) <= Math.min(room, count)) {
    write(text, style !== 'cutting' || text.length < room);
    return text.length;
  }
  if (style === 'cutting') {
    write(text.slice(0, room), false);
    return -1;
  }
  if (room === 0) return -1;
  const kept = count === TRUNCATE ? room - 1 : Math.min(count, room - 1);
  if (count < room || count === TRUNCATE) {
    write(text.slice(0, kept), true);
    return text.length <= kept ? text.length : -1;
  }
  memory.write(to, new Uint8Array(unit));
  return -1;
}

const template = (wide: boolean) => (wide ? WSTRING : STRING);

/** sprintf, swprintf: (buffer, format, …). */
const unbounded = (wide: boolean) =>
  f({
    ...common,
    params: { Buffer: POINTER, Format: template(wide), Arguments: VARARGS },
    returns: 'i32',
    irql: ANY,
    body: ({ memory }, { Buffer, Format, Arguments }) =>
      put(memory, Buffer, format(memory, Format, fromCall(Arguments), wide), wide, 'trusting', 0),
  });
const unboundedList = (wide: boolean) =>
  f({
    ...common,
    params: { Buffer: POINTER, Format: template(wide), ArgumentList: POINTER },
    returns: 'i32',
    irql: ANY,
    body: ({ memory }, { Buffer, Format, ArgumentList }) =>
      put(memory, Buffer, format(memory, Format, fromList(memory, ArgumentList), wide), wide, 'trusting', 0),
  });
/** _snprintf, sprintf_s and their wide twins: (buffer, count, format, …). */
const bounded = (wide: boolean, style: Style) =>
  f({
    ...common,
    params: { Buffer: POINTER, Count: SIZE_T, Format: template(wide), Arguments: VARARGS },
    returns: 'i32',
    irql: ANY,
    body: ({ memory }, { Buffer, Count, Format, Arguments }) =>
      put(memory, Buffer, format(memory, Format, fromCall(Arguments), wide), wide, style, Count, Count),
  });
const boundedList = (wide: boolean, style: Style) =>
  f({
    ...common,
    params: { Buffer: POINTER, Count: SIZE_T, Format: template(wide), ArgumentList: POINTER },
    returns: 'i32',
    irql: ANY,
    body: ({ memory }, { Buffer, Count, Format, ArgumentList }) =>
      put(memory, Buffer, format(memory, Format, fromList(memory, ArgumentList), wide), wide, style, Count, Count),
  });
/** _snprintf_s: (buffer, size, count, format, …); a count of _TRUNCATE cuts silently. */
const secure = (wide: boolean) =>
  f({
    ...common,
    params: { Buffer: POINTER, Size: SIZE_T, Count: SIZE_T, Format: template(wide), Arguments: VARARGS },
    returns: 'i32',
    irql: ANY,
    body: ({ memory }, { Buffer, Size, Count, Format, Arguments }) =>
      put(memory, Buffer, format(memory, Format, fromCall(Arguments), wide), wide, 'secure', Size, Count),
  });
const secureList = (wide: boolean) =>
  f({
    ...common,
    params: { Buffer: POINTER, Size: SIZE_T, Count: SIZE_T, Format: template(wide), ArgumentList: POINTER },
    returns: 'i32',
    irql: ANY,
    body: ({ memory }, { Buffer, Size, Count, Format, ArgumentList }) =>
      put(memory, Buffer, format(memory, Format, fromList(memory, ArgumentList), wide), wide, 'secure', Size, Count),
  });

/** DbgPrint passes on at most 512 bytes of a call (documented). */
const DEBUG_LIMIT = 512;

function debugPrint(kernel: Kernel, template: string, next: NextArgument, prefix = ''): number {
  const text = (prefix + format(kernel.memory, template, next, false)).slice(0, DEBUG_LIMIT);
  kernel.trace.emit({ kind: 'fact', what: 'debug-print', detail: { text } });
  return Status.SUCCESS;
}

function breakpoint(kernel: Kernel, what: string): never {
  const stack = kernel.stack();
  kernel.trace.emit({ kind: 'fact', what: 'breakpoint', detail: { text: what }, stack });
  throw new BugCheck(0x1e, `${what}, and no debugger is attached`, stack);
}

export const printingFunctions = {
  sprintf: unbounded(false),
  swprintf: unbounded(true),
  _swprintf: unbounded(true),
  vsprintf: unboundedList(false),
  _vswprintf: unboundedList(true),
  _snprintf: bounded(false, 'cutting'),
  _snwprintf: bounded(true, 'cutting'),
  _vsnprintf: boundedList(false, 'cutting'),
  _vsnwprintf: boundedList(true, 'cutting'),
  sprintf_s: bounded(false, 'secure'),
  swprintf_s: bounded(true, 'secure'),
  vsprintf_s: boundedList(false, 'secure'),
  vswprintf_s: boundedList(true, 'secure'),
  _snprintf_s: secure(false),
  _snwprintf_s: secure(true),
  _vsnprintf_s: secureList(false),
  _vsnwprintf_s: secureList(true),
  DbgPrint: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-dbgprint',
    params: { Format: STRING, Arguments: VARARGS },
    returns: 'status',
    irql: ANY,
    body: (kernel, { Format, Arguments }) => debugPrint(kernel, Format, fromCall(Arguments)),
  }),
  DbgPrintEx: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-dbgprintex',
    params: { ComponentId: ULONG, Level: ULONG, Format: STRING, Arguments: VARARGS },
    returns: 'status',
    irql: ANY,
    body: (kernel, { Format, Arguments }) => debugPrint(kernel, Format, fromCall(Arguments)),
  }),
  vDbgPrintEx: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-vdbgprintex',
    params: { ComponentId: ULONG, Level: ULONG, Format: STRING, arglist: POINTER },
    returns: 'status',
    irql: ANY,
    body: (kernel, { Format, arglist }) => debugPrint(kernel, Format, fromList(kernel.memory, arglist)),
  }),
  vDbgPrintExWithPrefix: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-vdbgprintexwithprefix',
    params: { Prefix: STRING, ComponentId: ULONG, Level: ULONG, Format: STRING, arglist: POINTER },
    returns: 'status',
    irql: ANY,
    body: (kernel, { Prefix, Format, arglist }) => debugPrint(kernel, Format, fromList(kernel.memory, arglist), Prefix),
  }),
  DbgBreakPoint: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-dbgbreakpoint',
    params: {},
    returns: 'void',
    irql: ANY,
    body: (kernel) => breakpoint(kernel, 'the driver breaks into the debugger'),
  }),
  DbgBreakPointWithStatus: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-dbgbreakpointwithstatus',
    params: { Status: ULONG },
    returns: 'void',
    irql: ANY,
    body: (kernel) => breakpoint(kernel, 'the driver breaks into the debugger'),
  }),
  RtlAssert: f({
    module: 'ntoskrnl.exe',
    page: 'crt:RtlAssert',
    params: { FailedAssertion: STRING, FileName: STRING, LineNumber: ULONG, Message: POINTER },
    returns: 'void',
    irql: ANY,
    body: (kernel, { FailedAssertion, FileName, LineNumber }) =>
      breakpoint(kernel, `the driver’s assertion ${FailedAssertion} failed at ${FileName}:${LineNumber}`),
  }),
  _purecall: f({
    module: 'ntoskrnl.exe',
    page: 'crt:_purecall',
    params: {},
    returns: 'i32',
    irql: ANY,
    body: (kernel) => breakpoint(kernel, 'the driver calls a pure virtual function'),
  }),
  KdRefreshDebuggerNotPresent: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-kdrefreshdebuggernotpresent',
    params: {},
    returns: 'bool',
    irql: ANY,
    body: () => true,
  }),
};
