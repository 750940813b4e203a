/** Broken on purpose: every new multicast list is a new block, and halt only frees the one of initialize. */
import { NDIS_STATUS_RESOURCES, NULL } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { allocate } from '../nic/memory.ts';
import { oids } from '../nic/oids.ts';

export default nicMiniport({
  oids: {
    ...oids,
    *setMulticastList(nic, adapter, request) {
      const copy = yield* allocate(nic, adapter.AdapterHandle, Math.max(1, request.InformationBufferLength));
      if (copy === NULL) return NDIS_STATUS_RESOURCES;
      // Kept for a filter that is yet to be written, and owed by halt like anything else.
      nic.wdk.memory.write(copy, nic.wdk.memory.read(request.InformationBuffer, request.InformationBufferLength));
      return yield* oids.setMulticastList(nic, adapter, request);
    },
  },
});
