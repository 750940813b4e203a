/**
 * The in-flight recorder of WPP tracing (WppRecorder.sys): a log in memory that a debugger reads. Nobody reads it here; what the
 * driver hands over is read as the recorder reads it, so that a message about freed memory is found out.
 * The control block's field AutoLogContext was seen in drivers built with it (offset 0x40), as were the parameters of the three
 * WppAutoLog routines; the others are declared in wpprecorder.h of the kit. The specification has no rule for a log left behind.
 */
import { type Address, at, fromBits, hex, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { ANY, D, failsWith, functionsOf, OUT, P, POINTER, STRING, UCHAR, ULONG, USHORT, VARARGS } from './record.ts';
import { Status } from './status.ts';

/** WPP_TRACE_CONTROL_BLOCK.AutoLogContext (observed). */
const AUTO_LOG_CONTEXT = 0x40;
/** What a log takes; only its address matters (assumed). */
const LOG_SIZE = 64;
const LOG = 'WPP recorder log';
/** Arguments come as pairs of address and length; more than these no message has (assumed). */
const MAX_PAIRS = 64;

const f = functionsOf<Kernel>();
const common = { module: 'WppRecorder.sys' } as const;

/** The default log of a control block; NULL before WppAutoLogStart and after WppAutoLogStop. */
const defaultLog = ({ memory }: Kernel, WppCb: Address): Address => memory.readPointer(at(WppCb, AUTO_LOG_CONTEXT));

function isLog({ heap }: Kernel, log: Address): boolean {
  const block = heap.blockAt(log);
  return block?.address === log && block.what === LOG && block.state === 'live';
}

export const wppRecorderFunctions = {
  WppAutoLogStart: f({
    ...common,
    page: 'wpp:WppAutoLogStart',
    params: { WppCb: POINTER, DriverObject: POINTER, RegistryPath: POINTER },
    returns: 'void',
    irql: P,
    body({ heap, memory }, { WppCb }) {
      const log = heap.allocate(LOG_SIZE, LOG, { fill: 0 });
      memory.writePointer(at(WppCb, AUTO_LOG_CONTEXT), log);
      return undefined;
    },
  }),
  WppAutoLogStop: f({
    ...common,
    page: 'wpp:WppAutoLogStop',
    params: { WppCb: POINTER, DriverObject: POINTER },
    returns: 'void',
    irql: P,
    body(kernel, { WppCb }) {
      const log = defaultLog(kernel, WppCb);
      if (isLog(kernel, log)) kernel.heap.free(log, kernel.stack());
      kernel.memory.writePointer(at(WppCb, AUTO_LOG_CONTEXT), NULL);
      return undefined;
    },
  }),
  WppAutoLogTrace: f({
    ...common,
    page: 'wpp:WppAutoLogTrace',
    params: {
      AutoLogContext: POINTER,
      MessageLevel: UCHAR,
      MessageFlags: ULONG,
      MessageGuid: POINTER,
      MessageNumber: USHORT,
      Arguments: VARARGS,
    },
    returns: 'status',
    irql: ANY,
    body(kernel, { AutoLogContext, MessageGuid, Arguments }) {
      const { memory } = kernel;
      if (AutoLogContext === NULL) return Status.INVALID_PARAMETER;
      memory.readU64(AutoLogContext);
      if (MessageGuid !== NULL) memory.read(MessageGuid, 16);
      for (let pair = 0; pair < MAX_PAIRS; pair++) {
        const data = fromBits(Arguments(2 * pair));
        if (data === NULL) break;
        memory.read(data, Number(Arguments(2 * pair + 1) & 0xffffn));
      }
      return Status.SUCCESS;
    },
  }),
  imp_WppRecorderLogCreate: f({
    ...common,
    page: 'wpp:WppRecorderLogCreate',
    params: { WppCb: POINTER, CreateParams: POINTER, RecorderLog: OUT(pointer) },
    returns: 'status',
    irql: D,
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    body(kernel, { CreateParams, RecorderLog }) {
      kernel.memory.readU32(CreateParams);
      RecorderLog.set(kernel.heap.allocate(LOG_SIZE, LOG, { fill: 0, stack: kernel.stack() }));
      return Status.SUCCESS;
    },
  }),
  imp_WppRecorderLogDelete: f({
    ...common,
    page: 'wpp:WppRecorderLogDelete',
    params: { WppCb: POINTER, RecorderLog: POINTER },
    returns: 'void',
    irql: D,
    body(kernel, { RecorderLog }) {
      // A log that is gone already is memory that is gone: the recorder looks into it.
      kernel.memory.readU64(RecorderLog);
      if (isLog(kernel, RecorderLog)) kernel.heap.free(RecorderLog, kernel.stack());
      return undefined;
    },
  }),
  imp_WppRecorderLogGetDefault: f({
    ...common,
    page: 'wpp:WppRecorderLogGetDefault',
    params: { WppCb: POINTER },
    returns: 'pointer',
    irql: D,
    body: (kernel, { WppCb }) => defaultLog(kernel, WppCb),
  }),
  imp_WppRecorderIsDefaultLogAvailable: f({
    ...common,
    page: 'wpp:WppRecorderIsDefaultLogAvailable',
    params: { WppCb: POINTER },
    returns: 'bool',
    irql: D,
    body: (kernel, { WppCb }) => defaultLog(kernel, WppCb) !== NULL,
  }),
  imp_WppRecorderLogSetIdentifier: f({
    ...common,
    page: 'wpp:WppRecorderLogSetIdentifier',
    params: { WppCb: POINTER, RecorderLog: POINTER, LogIdentifier: STRING },
    returns: 'void',
    irql: D,
    body(kernel, { RecorderLog, LogIdentifier }) {
      kernel.memory.readU64(RecorderLog);
      kernel.trace.emit({
        kind: 'fact',
        what: 'recorder-log-named',
        detail: { log: hex(RecorderLog), name: LogIdentifier },
      });
      return undefined;
    },
  }),
};
