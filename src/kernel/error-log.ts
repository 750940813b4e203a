/**
 * Entries for the system's error log. Writing one hands it to the system, which frees it; one that is never written has to be
 * freed, which no rule asks for yet. Pages: wdm-ioallocateerrorlogentry, ntifs-iowriteerrorlogentry, wdm-iofreeerrorlogentry.
 */
import { type Address, at, hex, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { D, failsNull, functionsOf, POINTER, UCHAR } from './record.ts';
import { BugCheck } from './stops.ts';

/** ERROR_LOG_MAXIMUM_SIZE and the size of an IO_ERROR_LOG_PACKET without data (wdm.h). */
const MAXIMUM = 240;
const PACKET = 48;
/** Offset of ErrorCode in IO_ERROR_LOG_PACKET. */
const ERROR_CODE = 12;

const f = functionsOf<Kernel>();

/** BAD_POOL_CALLER: an entry lies in pool (observed). */
const BAD_POOL_CALLER = 0xc2;

function release(kernel: Kernel, entry: Address): undefined {
  const block = kernel.heap.blockAt(entry);
  if (block?.address !== entry || block.what !== WHAT || block.state !== 'live') {
    throw new BugCheck(BAD_POOL_CALLER, `${hex(entry)} is no error log entry`, kernel.stack());
  }
  kernel.heap.free(entry, kernel.stack());
  return undefined;
}

const WHAT = 'error log entry';

export const errorLogFunctions = {
  IoAllocateErrorLogEntry: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-ioallocateerrorlogentry',
    params: { IoObject: POINTER, EntrySize: UCHAR },
    returns: 'pointer',
    irql: D,
    failures: [failsNull],
    body(kernel, { EntrySize }) {
      if (EntrySize < PACKET || EntrySize > MAXIMUM) return NULL;
      return kernel.heap.allocate(EntrySize, WHAT, { fill: 0, stack: kernel.stack() });
    },
  }),
  IoWriteErrorLogEntry: f({
    module: 'ntoskrnl.exe',
    page: 'ntifs-iowriteerrorlogentry',
    params: { ElEntry: POINTER },
    returns: 'void',
    irql: D,
    body(kernel, { ElEntry }) {
      const code = kernel.memory.readU32(at(ElEntry, ERROR_CODE));
      kernel.trace.emit({ kind: 'fact', what: 'error-logged', detail: { code: hex(code) } });
      return release(kernel, ElEntry);
    },
  }),
  IoFreeErrorLogEntry: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-iofreeerrorlogentry',
    params: { ElEntry: POINTER },
    returns: 'void',
    irql: D,
    body: (kernel, { ElEntry }) => release(kernel, ElEntry),
  }),
};
