/** Broken on purpose: an OID request that is answered at once is completed, and completed again. */
import { NDIS_STATUS_PENDING } from 'haltex';
import { adapterAt } from '../nic/adapter.ts';
import { nicMiniport } from '../nic/driver.ts';
import { oids } from '../nic/oids.ts';

export default nicMiniport({
  oids: {
    ...oids,
    request: (nic) =>
      function* MiniportOidRequest({ MiniportAdapterContext, OidRequest }) {
        const adapter = adapterAt(nic, MiniportAdapterContext);
        const completion = {
          MiniportAdapterHandle: adapter.AdapterHandle,
          OidRequest: OidRequest.address,
          Status: yield* oids.set(nic, adapter, OidRequest),
        };
        yield* nic.wdk.NdisMOidRequestComplete(completion);
        // Once by whoever did the work, once by whoever asked for it.
        yield* nic.wdk.NdisMOidRequestComplete(completion);
        return NDIS_STATUS_PENDING;
      },
  },
});
