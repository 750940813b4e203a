/**
 * Functions for drivers of NDIS 5 and before. NDIS stops a driver that registered as NDIS 6 and calls one: bug check 0x7C,
 * parameter 0x15 (debugger/bug-check-0x7c--bugcode-ndis-driver). Timers in the driver's memory are not among them
 * (legacy-timers.ts). Their parameters do not matter, for none of them is looked at.
 */
import { ANY, type AnyFunction, functionsOf } from '../kernel/record.ts';
import { BugCheck } from '../kernel/stops.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';

const BUGCODE_NDIS_DRIVER = 0x7c;

const f = functionsOf<Ndis>();

/** A call ends the run. */
const reserved = (instead: string): AnyFunction =>
  f({
    module: 'NDIS.SYS',
    page: instead,
    params: {},
    returns: 'u64',
    irql: ANY,
    body({ kernel }, _, { fn }) {
      emitFact(kernel, 'ndis5-call', { fn });
      throw new BugCheck(
        BUGCODE_NDIS_DRIVER,
        `the driver calls ${fn}, which is reserved for NDIS 5 drivers (0x7C, 0x15)`,
        kernel.stack(),
      );
    },
  });

/** By name; the page is that of what an NDIS 6 driver calls instead. */
export const ndis5Functions = {
  NdisInitializeWrapper: reserved('ndis-ndismregisterminiportdriver'),
  NdisTerminateWrapper: reserved('ndis-ndismderegisterminiportdriver'),
  NdisMRegisterMiniport: reserved('ndis-ndismregisterminiportdriver'),
  NdisMRegisterUnloadHandler: reserved('ndis-ndismregisterminiportdriver'),
  NdisMSetAttributesEx: reserved('ndis-ndismsetminiportattributes'),
  NdisMRegisterAdapterShutdownHandler: reserved('ndis-ndismregisterminiportdriver'),
  NdisMDeregisterAdapterShutdownHandler: reserved('ndis-ndismregisterminiportdriver'),
  NdisMQueryAdapterResources: reserved('nc-ndis-miniport_initialize'),
  NdisOpenConfiguration: reserved('ndis-ndisopenconfigurationex'),
  NdisScheduleWorkItem: reserved('ndis-ndisqueueioworkitem'),
  NdisMRegisterInterrupt: reserved('ndis-ndismregisterinterruptex'),
  NdisMDeregisterInterrupt: reserved('ndis-ndismderegisterinterruptex'),
  NdisMSynchronizeWithInterrupt: reserved('ndis-ndismsynchronizewithinterruptex'),
  NdisMAllocateMapRegisters: reserved('ndis-ndismregisterscattergatherdma'),
  NdisMFreeMapRegisters: reserved('ndis-ndismderegisterscattergatherdma'),
  NdisMInitializeScatterGatherDma: reserved('ndis-ndismregisterscattergatherdma'),
  NdisMAllocateSharedMemoryAsync: reserved('ndis-ndismallocatesharedmemoryasyncex'),
  NdisMRegisterDevice: reserved('ndis-ndisregisterdeviceex'),
  NdisMDeregisterDevice: reserved('ndis-ndisderegisterdeviceex'),
  NdisReadPciSlotInformation: reserved('ndis-ndismgetbusdata'),
  NdisWritePciSlotInformation: reserved('ndis-ndismsetbusdata'),
  NdisAllocatePacketPool: reserved('nblapi-ndisallocatenetbufferlistpool'),
  NdisAllocatePacketPoolEx: reserved('nblapi-ndisallocatenetbufferlistpool'),
  NdisFreePacketPool: reserved('nblapi-ndisfreenetbufferlistpool'),
  NdisMIndicateStatus: reserved('ndis-ndismindicatestatusex'),
  NdisMIndicateStatusComplete: reserved('ndis-ndismindicatestatusex'),
};
