/**
 * Channels of the system's DMA controller, for subordinate (ISA) NICs. The machine has no such controller and no device that
 * could use one, so claiming a channel fails as the page says for a channel that cannot be had; the rest of the family is
 * then never reached with a handle that is good.
 * Pages: ndis-ndismregisterdmachannel, ndis-ndismderegisterdmachannel, ndis-ndismreaddmacounter,
 * ndis-ndismsetupdmatransfer, ndis-ndismcompletedmatransfer.
 */
import { pointer, u32 } from '../kernel/layout.ts';
import { BOOLEAN, D, failsWith, functionsOf, HANDLE, OUT, P, POINTER, ULONG } from '../kernel/record.ts';
import { hex } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCE_CONFLICT, NDIS_STATUS_RESOURCES } from './status.ts';

const f = functionsOf<Ndis>();

/** Exported without the M: NdisMSetupDmaTransfer and NdisMCompleteDmaTransfer are macros (ndis.h). */
const transferring = (page: string) =>
  f({
    module: 'NDIS.SYS',
    page,
    params: {
      Status: OUT(u32),
      MiniportDmaHandle: HANDLE,
      Buffer: POINTER,
      Offset: ULONG,
      Length: ULONG,
      WriteToDevice: BOOLEAN,
    },
    returns: 'void',
    irql: D,
    body(ndis, { Status, MiniportDmaHandle }, { fn }) {
      emitFact(ndis.kernel, 'dma-handle-not-valid', { fn, handle: hex(MiniportDmaHandle), was: 'never registered' });
      Status.set(NDIS_STATUS_FAILURE);
      return undefined;
    },
  });

export const dmaChannelFunctions = {
  NdisSetupDmaTransfer: transferring('ndis-ndismsetupdmatransfer'),
  NdisCompleteDmaTransfer: transferring('ndis-ndismcompletedmatransfer'),

  NdisMRegisterDmaChannel: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismregisterdmachannel',
    params: {
      MiniportDmaHandle: OUT(pointer),
      MiniportAdapterHandle: HANDLE,
      DmaChannel: ULONG,
      Dma32BitAddresses: BOOLEAN,
      DmaDescription: POINTER,
      MaximumLength: ULONG,
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'dma-channel',
      key: ({ MiniportDmaHandle }) => MiniportDmaHandle.get(),
      owner: ({ MiniportAdapterHandle }) => MiniportAdapterHandle,
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('resource-conflict', NDIS_STATUS_RESOURCE_CONFLICT),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ],
    body: () => NDIS_STATUS_RESOURCE_CONFLICT,
  }),

  NdisMDeregisterDmaChannel: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismderegisterdmachannel',
    params: { MiniportDmaHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['dma-channel'],
      key: ({ MiniportDmaHandle }) => MiniportDmaHandle,
      otherwise: () => undefined,
    },
    body: () => undefined,
  }),

  NdisMReadDmaCounter: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismreaddmacounter',
    params: { MiniportDmaHandle: HANDLE },
    returns: 'u32',
    irql: D,
    body(ndis, { MiniportDmaHandle }, { fn }) {
      emitFact(ndis.kernel, 'dma-handle-not-valid', { fn, handle: hex(MiniportDmaHandle), was: 'never registered' });
      return 0;
    },
  }),
};
