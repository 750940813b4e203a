/** Mended: MiniportDriverUnload is to DriverEntry what MiniportHaltEx is to MiniportInitializeEx. */
import { NDIS_STATUS_SUCCESS, NULL } from 'haltex';
import { allocate, free, miniport } from '../miniport.ts';

export default miniport((wdk) => {
  let table = NULL;
  return {
    *entry(status, driver) {
      if (status === NDIS_STATUS_SUCCESS) table = yield* allocate(wdk, driver, 256);
      return status;
    },

    *unload() {
      if (table !== NULL) yield* free(wdk, table);
    },
  };
});
