/** Broken on purpose: a static variable says that the NIC is in use, and halt does not clear it. */
import { defineMiniport, NDIS_STATUS_FAILURE } from 'haltex';
import { nicMiniport } from '../nic/driver.ts';
import { initialize } from '../nic/initialize.ts';

export default defineMiniport((wdk) => {
  const inUse = new Set<number>();
  const broken = nicMiniport({
    initialize: {
      ...initialize,
      *run(nic, adapterHandle, allocatedResources) {
        if (inUse.has(adapterHandle)) return NDIS_STATUS_FAILURE;
        const status = yield* initialize.run(nic, adapterHandle, allocatedResources);
        // In MiniportHaltEx, the one statement that takes the handle out again is missing.
        if (status === 0) inUse.add(adapterHandle);
        return status;
      },
    },
  });
  return broken.load(wdk);
});
