/** The one log a miniport may keep with NDIS. Pages: ndis-ndismcreatelog, ndis-ndismwritelogdata, ndis-ndismcloselog, ndis-ndismflushlog. */
import { pointer } from '../kernel/layout.ts';
import { D, failsWith, functionsOf, HANDLE, OUT, P, POINTER, ULONG } from '../kernel/record.ts';
import { type Handle, hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import {
  NDIS_STATUS_BUFFER_OVERFLOW,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

interface Log {
  readonly adapter: Handle;
  readonly size: number;
}

export class Logs {
  private readonly ndis: Ndis;
  private readonly logs = new Map<Handle, Log>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Undefined when the adapter has one. */
  create(adapter: Handle, size: number): Handle | undefined {
    if ([...this.logs.values()].some((log) => log.adapter === adapter)) return undefined;
    const handle = this.ndis.newHandle('NDIS log');
    this.logs.set(handle, { adapter, size });
    return handle;
  }

  named(handle: Handle, fn: string): Log | undefined {
    const log = this.logs.get(handle);
    if (log === undefined) {
      emitFact(this.ndis.kernel, 'log-not-open', { fn, log: hex(handle) });
      this.ndis.kernel.memory.readU8(handle);
    }
    return log;
  }

  close(handle: Handle): void {
    this.logs.delete(handle);
    this.ndis.kernel.heap.free(handle, this.ndis.kernel.stack());
  }
}

const f = functionsOf<Ndis>();

export const logFunctions = {
  NdisMCreateLog: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismcreatelog',
    params: { MiniportAdapterHandle: HANDLE, Size: ULONG, LogHandle: OUT(pointer) },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'log',
      key: ({ LogHandle }) => LogHandle.get(),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
      detail: ({ Size }) => ({ Size }),
    },
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES), failsWith('failure', NDIS_STATUS_FAILURE)],
    body(ndis, { MiniportAdapterHandle, Size, LogHandle }, { fn }) {
      if (!checkHandle(ndis, MiniportAdapterHandle, fn, ['adapter'])) return NDIS_STATUS_FAILURE;
      const handle = ndis.logs.create(MiniportAdapterHandle, Size);
      if (handle === undefined) return NDIS_STATUS_FAILURE;
      LogHandle.set(handle);
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisMWriteLogData: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismwritelogdata',
    params: { LogHandle: HANDLE, LogBuffer: POINTER, LogBufferSize: ULONG },
    returns: 'status',
    irql: D,
    body(ndis, { LogHandle, LogBuffer, LogBufferSize }, { fn }) {
      const log = ndis.logs.named(LogHandle, fn);
      if (log === undefined || LogBufferSize > log.size) return NDIS_STATUS_BUFFER_OVERFLOW;
      // Nobody reads the log; the driver's data must be there to be copied all the same.
      ndis.kernel.memory.read(LogBuffer, LogBufferSize);
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisMFlushLog: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismflushlog',
    params: { LogHandle: HANDLE },
    returns: 'void',
    irql: D,
    body(ndis, { LogHandle }, { fn }) {
      ndis.logs.named(LogHandle, fn);
      return undefined;
    },
  }),
  NdisMCloseLog: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismcloselog',
    params: { LogHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: { types: ['log'], key: ({ LogHandle }) => LogHandle, otherwise: () => undefined },
    body(ndis, { LogHandle }) {
      ndis.logs.close(LogHandle);
      return undefined;
    },
  }),
};
