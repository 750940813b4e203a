/** What a driver writes into the system's event log, as facts. Pages: ndis-ndiswriteerrorlogentry, ndis-ndiswriteeventlogentry. */
import { D, failsWith, functionsOf, HANDLE, POINTER, ULONG, USHORT, VARARGS } from '../kernel/record.ts';
import { hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_STATUS_BUFFER_TOO_SHORT, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS } from './status.ts';

/** More values than a log entry holds are cut off (ERROR_LOG_MAXIMUM_SIZE; assumed to be far above what drivers write). */
const MOST_VALUES = 32;
/** MAX_EVENT_LOG_DATA_SIZE: what an error log packet of 240 bytes leaves for data (ndis.h). */
const MOST_DATA = 240 - 40;

const f = functionsOf<Ndis>();

export const errorLogFunctions = {
  NdisWriteErrorLogEntry: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndiswriteerrorlogentry',
    params: { NdisAdapterHandle: HANDLE, ErrorCode: ULONG, NumberOfErrorValues: ULONG, ErrorValues: VARARGS },
    returns: 'void',
    irql: D,
    body(ndis, { NdisAdapterHandle, ErrorCode, NumberOfErrorValues, ErrorValues }, { fn }) {
      checkHandle(ndis, NdisAdapterHandle, fn, ['adapter']);
      const length = Math.min(NumberOfErrorValues, MOST_VALUES);
      const values = Array.from({ length }, (_, i) => Number(BigInt.asUintN(32, ErrorValues(i))));
      emitFact(ndis.kernel, 'error-log', { adapter: hex(NdisAdapterHandle), code: hex(ErrorCode), values });
      return undefined;
    },
  }),
  NdisWriteEventLogEntry: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndiswriteeventlogentry',
    params: {
      LogHandle: POINTER,
      EventCode: ULONG,
      UniqueEventValue: ULONG,
      NumStrings: USHORT,
      StringsList: POINTER,
      DataSize: ULONG,
      Data: POINTER,
    },
    returns: 'status',
    irql: D,
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES)],
    body({ kernel }, { EventCode, DataSize }) {
      if (DataSize > MOST_DATA) return NDIS_STATUS_BUFFER_TOO_SHORT;
      emitFact(kernel, 'event-log', { code: hex(EventCode), bytes: DataSize });
      return NDIS_STATUS_SUCCESS;
    },
  }),
};
