/** Mended: a DriverEntry that fails takes its registration back. */
import { NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => {
  let table = NULL;
  return {
    *entry(status, driver) {
      if (status !== NDIS_STATUS_SUCCESS) return status;
      table = yield* allocate(wdk, driver, 256);
      if (table !== NULL) return NDIS_STATUS_SUCCESS;
      yield* wdk.NdisMDeregisterMiniportDriver({ NdisMiniportDriverHandle: driver });
      return NDIS_STATUS_RESOURCES;
    },
    *unload() {
      yield* free(wdk, table);
    },
  };
});
