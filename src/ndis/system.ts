/**
 * What NDIS tells about the system, and sleeping. Pages: ndis-ndisgetversion, ndis-ndismsleep, ndis-ndisgetsystemuptimeex,
 * ndis-ndisgetcurrentsystemtime, ndis-ndisgetroutineaddress, ndis-ndisgethypervisorinfo.
 */
import { struct, u32, u64 } from '../kernel/layout.ts';
import { A, ANY, D, functionsOf, HANDLE, IN, OUT, P, ULONG } from '../kernel/record.ts';
import { UNICODE_STRING, unicodeText } from '../kernel/strings.ts';
import { MICROSECOND, MILLISECOND, NULL, type VirtualTime } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_OBJECT_HEADER } from './object-header.ts';
import { NDIS_STATUS_BUFFER_TOO_SHORT, NDIS_STATUS_SUCCESS } from './status.ts';

/** NDIS 6.80, of Windows 10 1709: the version whose headers and lists the model follows. */
export const NDIS_VERSION = 0x0006_0050;

export const NDIS_HYPERVISOR_INFO = struct('NDIS_HYPERVISOR_INFO', {
  Header: NDIS_OBJECT_HEADER,
  Flags: u32,
  PartitionType: u32,
});

const f = functionsOf<Ndis>();
const common = { module: 'NDIS.SYS' } as const;
const upTime = ({ kernel }: Ndis) => Math.floor(kernel.clock.now / MILLISECOND);

export const systemFunctions = {
  NdisGetVersion: f({
    ...common,
    page: 'ndis-ndisgetversion',
    params: {},
    returns: 'u32',
    irql: D,
    body: () => NDIS_VERSION,
  }),
  NdisMSleep: f({
    ...common,
    page: 'ndis-ndismsleep',
    params: { MicrosecondsToSleep: ULONG },
    returns: 'void',
    irql: A,
    *body({ kernel }, { MicrosecondsToSleep }) {
      yield {
        kind: 'wait',
        what: 'NdisMSleep to end',
        ready: () => false,
        deadline: (kernel.clock.now + Math.max(1, MicrosecondsToSleep) * MICROSECOND) as VirtualTime,
      };
      return undefined;
    },
  }),
  NdisGetSystemUpTimeEx: f({
    ...common,
    page: 'ndis-ndisgetsystemuptimeex',
    params: { pSystemUpTime: OUT(u64) },
    returns: 'void',
    irql: ANY,
    body(ndis, { pSystemUpTime }) {
      pSystemUpTime.set(BigInt(upTime(ndis)));
      return undefined;
    },
  }),
  NdisGetSystemUpTime: f({
    ...common,
    page: 'ndis-ndisgetsystemuptimeex',
    params: { pSystemUpTime: OUT(u32) },
    returns: 'void',
    irql: ANY,
    body(ndis, { pSystemUpTime }) {
      pSystemUpTime.set(upTime(ndis) >>> 0);
      return undefined;
    },
  }),
  NdisGetCurrentSystemTime: f({
    ...common,
    page: 'ndis-ndisgetcurrentsystemtime',
    params: { pCurrentTime: OUT(u64) },
    returns: 'void',
    irql: ANY,
    body({ kernel }, { pCurrentTime }) {
      pCurrentTime.set(kernel.clock.systemTime);
      return undefined;
    },
  }),
  NdisGetHypervisorInfo: f({
    ...common,
    page: 'ndis-ndisgethypervisorinfo',
    params: { HypervisorInfo: IN(NDIS_HYPERVISOR_INFO) },
    returns: 'status',
    irql: D,
    body(_, { HypervisorInfo: info }) {
      if (info.Header.Size < NDIS_HYPERVISOR_INFO.size) return NDIS_STATUS_BUFFER_TOO_SHORT;
      // The simulated machine has no hypervisor under it.
      info.Flags = 0;
      info.PartitionType = 0;
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisGetRoutineAddress: f({
    ...common,
    page: 'ndis-ndisgetroutineaddress',
    params: { NdisRoutineName: IN(UNICODE_STRING) },
    returns: 'pointer',
    irql: P,
    body({ kernel }, { NdisRoutineName }) {
      const name = unicodeText(kernel.memory, NdisRoutineName);
      if (kernel.code.function(name)?.record.module === 'NDIS.SYS') return kernel.code.resolve(name, 'NDIS.SYS');
      // As an NDIS of another version would answer. Drivers have a way without; which they take is seen in the trace.
      emitFact(kernel, 'ndis-routine-not-found', { name });
      return NULL;
    },
  }),
  NdisGeneratePartialCancelId: f({
    ...common,
    page: 'ndis-ndisgeneratepartialcancelid',
    params: {},
    returns: 'u8',
    irql: D,
    body: (ndis) => ++ndis.cancelIds & 0xff,
  }),
  /** What WDF's NDIS glue calls; its prototype is in no public header: takes the adapter, gives its context (observed). */
  NdisWdfGetAdapterContextFromAdapterHandle: f({
    ...common,
    page: 'ndis-ndismsetminiportattributes',
    params: { NdisMiniportHandle: HANDLE },
    returns: 'pointer',
    irql: D,
    body(ndis, { NdisMiniportHandle }, { fn }) {
      checkHandle(ndis, NdisMiniportHandle, fn, ['adapter']);
      return ndis.adapterOf(NdisMiniportHandle)?.context ?? NULL;
    },
  }),
};
