/** Broken on purpose: the restart is completed twice. */
import { NDIS_STATUS_PENDING, NDIS_STATUS_SUCCESS } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *restart({ AdapterHandle }) {
    yield* wdk.NdisMRestartComplete({ MiniportAdapterHandle: AdapterHandle, Status: NDIS_STATUS_SUCCESS });
    yield* wdk.NdisMRestartComplete({ MiniportAdapterHandle: AdapterHandle, Status: NDIS_STATUS_SUCCESS });
    return NDIS_STATUS_PENDING;
  },
}));
