/** Broken on purpose: the pause is completed twice. */
import { NDIS_STATUS_PENDING } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *pause({ AdapterHandle }) {
    yield* wdk.NdisMPauseComplete({ MiniportAdapterHandle: AdapterHandle });
    yield* wdk.NdisMPauseComplete({ MiniportAdapterHandle: AdapterHandle });
    return NDIS_STATUS_PENDING;
  },
}));
