/**
 * Processes: there is one, System, in which drivers run; its address space is the only one, so attaching to it changes nothing.
 * Pages: wdm-iogetcurrentprocess, ntifs-kestackattachprocess, ntifs-pslookupprocessbyprocessid.
 */
import { hex } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { A, ANY, D, functionsOf, HANDLE, OUT, POINTER } from './record.ts';
import { Unsupported } from './stops.ts';
import { SYSTEM_PROCESS_ID } from './threads.ts';

/** Bytes of an EPROCESS that are there; drivers treat it as opaque (size observed on Windows 10, rounded up). */
export const EPROCESS_SIZE = 0xb80;
export const TOKEN_SIZE = 0x4a0;
const STATUS_INVALID_CID = 0xc000_000b;

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe' } as const;

const current = (page: string) =>
  f({ ...common, page, params: {}, returns: 'pointer', irql: ANY, body: ({ systemProcess }) => systemProcess() });

/** Makes something when it is first asked for. */
export function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export const processFunctions = {
  IoGetCurrentProcess: current('wdm-iogetcurrentprocess'),
  PsGetCurrentProcess: current('wdm-iogetcurrentprocess'),
  PsLookupProcessByProcessId: f({
    ...common,
    page: 'ntifs-pslookupprocessbyprocessid',
    params: { ProcessId: HANDLE, Process: OUT(pointer) },
    returns: 'status',
    irql: A,
    acquires: { type: 'object-reference', key: ({ Process }) => Process.get() },
    body({ systemProcess, objects }, { ProcessId, Process }) {
      if (ProcessId !== SYSTEM_PROCESS_ID) return STATUS_INVALID_CID;
      objects.reference(systemProcess());
      Process.set(systemProcess());
      return 0;
    },
  }),
  KeStackAttachProcess: f({
    ...common,
    page: 'ntifs-kestackattachprocess',
    params: { Process: POINTER, ApcState: POINTER },
    returns: 'void',
    irql: D,
    body(kernel, { Process, ApcState }, { fn }) {
      if (Process !== kernel.systemProcess()) {
        throw new Unsupported(fn, `the address space of the process at ${hex(Process)}`, kernel.stack());
      }
      kernel.memory.writePointer(ApcState, Process);
      return undefined;
    },
  }),
  KeUnstackDetachProcess: f({
    ...common,
    page: 'ntifs-keunstackdetachprocess',
    params: { ApcState: POINTER },
    returns: 'void',
    irql: D,
    body({ memory }, { ApcState }) {
      memory.readPointer(ApcState);
      return undefined;
    },
  }),
};
